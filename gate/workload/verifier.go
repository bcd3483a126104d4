package workload

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/countersign/countersign/gate"
)

// Issuer is one issuer whose ID tokens are accepted.
type Issuer struct {
	Forge gate.ForgeID
	Kind  gate.ForgeKind
	// URL is the exact `iss`, such as https://token.actions.githubusercontent.com.
	URL string
	// GitLabAudience accepts the GitLab form of the audience from a GitHub Enterprise
	// that refuses long audiences.
	GitLabAudience bool
}

// Config is what a [Verifier] works with.
type Config struct {
	Issuers []Issuer
	// Client reads discovery documents and key sets; it follows no redirect and never
	// reads more than a megabyte, whatever it was made to do.
	Client *http.Client
	Now    func() time.Time
}

// Audience is what an ID token must be made for. An empty form accepts none.
type Audience struct {
	GitHub string // canonical.AskAudience or canonical.RequestAudience
	GitLab string // the server's public URL
	// RunChecked says that the caller goes on to ask the forge whether the job still
	// runs: a GitLab ID token, which is minted when its job starts, then serves until it
	// expires. Otherwise it serves for [MaxAgeGitLab].
	RunChecked bool
	// Ask is what the ID token came with, for the table of a refusal; the zero Ask where
	// it came with none. Whether they fit is for the caller to judge.
	Ask gate.Ask
}

// Verifier verifies ID tokens. It is safe for concurrent use.
type Verifier struct {
	issuers map[string]*issuer
	now     func() time.Time
}

type issuer struct {
	Issuer
	keys *keyring
}

// New returns a verifier. Nothing is fetched before the first ID token of an issuer.
func New(cfg Config) *Verifier {
	v := &Verifier{issuers: make(map[string]*issuer, len(cfg.Issuers)), now: cfg.Now}
	client := bounded(cfg.Client)
	for _, i := range cfg.Issuers {
		v.issuers[i.URL] = &issuer{Issuer: i, keys: &keyring{issuer: i.URL, client: client, now: cfg.Now}}
	}
	return v
}

// Verify checks an ID token in JWS compact form and returns the job that it
// speaks for. Errors are *gate.Error: Unidentified with codes 1001 to 1007, or
// Unavailable with CodeIssuerUnavailable where trying again may help. Where the signature
// holds the error lists every pinned claim with what was expected and what came.
func (v *Verifier) Verify(ctx context.Context, raw string, want Audience) (gate.Workload, error) {
	t, err := parse(raw)
	if err != nil {
		return gate.Workload{}, err
	}
	iss, ok := v.issuers[t.issuer]
	if !ok {
		return gate.Workload{}, refuse(gate.CodeIssuerUnknown, "the ID token's issuer is not accepted here",
			strings.Join(v.accepted(), " or "), quoted(t.issuer), "ask from a CI job of a forge that this server is configured for")
	}
	// Of what is not proved nothing is told but the header, and who is said to be the
	// issuer.
	if err := iss.signed(ctx, t); err != nil {
		return gate.Workload{}, err
	}
	c := t.claims
	w := reading{issuer: iss.Issuer, audiences: iss.audiences(want), now: v.now(), runChecked: want.RunChecked}.workload(c)
	w.Claims = t.all
	w.Private = t.all["repository_visibility"] != "public" && t.all["project_visibility"] != "public"
	err = c.err
	if err == nil {
		err = iss.agrees(ctx, t)
	}
	if err != nil {
		c.compare(w, want.Ask)
		return gate.Workload{}, c.told(err)
	}
	return w, nil
}

// reading is what the claims of an ID token are read against.
type reading struct {
	issuer     Issuer
	audiences  []string // any of them
	now        time.Time
	runChecked bool
}

// workload reads all claims, whatever is wrong with some; c then holds the first refusal.
func (r reading) workload(c *claims) gate.Workload {
	w := gate.Workload{Forge: r.issuer.Forge, Kind: r.issuer.Kind, Issuer: r.issuer.URL}
	c.list("iss", r.issuer.URL+", as configured")
	w.Audience = c.audience(r.audiences)
	w.TokenID = c.text("jti")
	c.pin("jti", "an id")
	c.text("sub") // its presence only: what it says is the repository's choice (attack 6)
	c.pin("sub", "any: nothing rests on it")
	w.IssuedAt, w.Expires = c.times(r)
	switch r.issuer.Kind {
	case gate.GitHub:
		github(c, &w)
	case gate.GitLab:
		gitlab(c, &w)
	default:
		c.contradict("iss", "an issuer of a known kind", string(r.issuer.Kind))
	}
	return w
}

func (v *Verifier) accepted() []string {
	var out []string
	for url := range v.issuers {
		out = append(out, url)
	}
	slices.Sort(out)
	return out
}

// signed verifies the signature with a key that the issuer itself publishes. The key
// is looked up here, not by go-oidc, which would fetch for every bad signature.
func (i *issuer) signed(ctx context.Context, t token) error {
	keys, err := i.keys.find(ctx, t.kid)
	if err != nil {
		return err
	}
	if _, err := keys.VerifySignature(ctx, t.raw); err != nil {
		return refuse(gate.CodeTokenSignature, "the ID token's signature does not hold", "a signature by the issuer's key",
			"one that does not verify", "send the ID token exactly as the CI gave it")
	}
	return nil
}

// agrees has go-oidc read the ID token too. It comes last, when only a claim set that
// two readers read differently can fail.
func (i *issuer) agrees(ctx context.Context, t token) error {
	keys, err := i.keys.find(ctx, t.kid)
	if err != nil {
		return err
	}
	verifier := oidc.NewVerifier(i.URL, keys, &oidc.Config{
		SupportedSigningAlgs: []string{oidc.RS256},
		SkipClientIDCheck:    true, // audience: exactly one
		SkipExpiryCheck:      true, // times: stricter
	})
	if _, err := verifier.Verify(ctx, t.raw); err != nil {
		return malformed("its claim set is not as OpenID Connect has it")
	}
	return nil
}

// audiences are those that the issuer's ID tokens may be made for.
func (i *issuer) audiences(want Audience) []string {
	var accepted []string
	if i.Kind == gate.GitHub && want.GitHub != "" {
		accepted = append(accepted, want.GitHub)
	}
	if (i.Kind == gate.GitLab || i.GitLabAudience) && want.GitLab != "" {
		accepted = append(accepted, want.GitLab)
	}
	return accepted
}
