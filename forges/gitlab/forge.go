package gitlab

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	lib "github.com/xanzy/go-gitlab"

	"github.com/countersign/countersign/forges"
	"github.com/countersign/countersign/gate"
)

// Config is one GitLab instance as the operator configured it.
type Config struct {
	Forge gate.ForgeID
	// URL is the instance's base URL, which is also its issuer: "https://gitlab.com".
	URL string
	// Token is the gate's own access token (scope api), of a bot that is Maintainer.
	Token string
	// WebhookSecret proves deliveries: a plain secret token, or a signing token
	// ("whsec_" and 32 bytes in base64).
	WebhookSecret []byte
	// ClientID and ClientSecret are the OAuth application that people sign in through, with
	// the scope read_user; nobody signs in where both are empty.
	ClientID     string
	ClientSecret string
	// Client carries every request; one of forges.NewClient for URL alone where nil.
	Client *http.Client
	// Now is the clock.
	Now func() time.Time
}

// Forge is one GitLab instance. It is safe for concurrent use.
type Forge struct {
	forge  gate.ForgeID
	base   *url.URL
	token  string
	proof  proof
	oauth  oauthClient
	client *http.Client
	api    *lib.Client //nolint:staticcheck // deprecated for its successor, which would change this package alone
	now    func() time.Time
	self   memo[string, account]
	memory memory
}

// New checks the configuration; it makes no request.
func New(c Config) (*Forge, error) {
	base, err := url.Parse(strings.TrimRight(c.URL, "/"))
	if err != nil || base.Host == "" || (base.Scheme != "https" && base.Scheme != "http") {
		return nil, misconfigured("URL", "the instance's base URL, such as https://gitlab.com", c.URL)
	}
	if base.RawQuery != "" || base.Fragment != "" || base.User != nil {
		return nil, misconfigured("URL", "a URL without user, query or fragment", base.Redacted())
	}
	switch {
	case c.Forge == "":
		return nil, misconfigured("forge id", "the name by which the configuration knows the instance", "nothing")
	case c.Token == "":
		return nil, misconfigured("token", "the gate's own access token", "nothing")
	case c.Now == nil:
		return nil, misconfigured("clock", "a clock", "nothing")
	}
	proof, err := newProof(c.WebhookSecret)
	if err != nil {
		return nil, err
	}
	oauth, err := newOAuthClient(c)
	if err != nil {
		return nil, err
	}
	client := c.Client
	if client == nil {
		client, err = forges.NewClient(forges.Options{Bases: []string{base.String()}, Now: c.Now})
		if err != nil {
			return nil, misconfigured("URL", "the instance's base URL, such as https://gitlab.com", base.Redacted())
		}
	}
	client = forges.BoundAnswers(client) // no answer that is read here is anything but JSON
	// GitLab's POSTs are not idempotent: the library must not repeat them.
	//nolint:staticcheck // as at Forge.api
	api, err := lib.NewClient(c.Token, lib.WithBaseURL(base.String()), lib.WithHTTPClient(client),
		lib.WithCustomRetryMax(0), lib.WithoutRetries(), lib.WithCustomLimiter(unlimited{}))
	if err != nil {
		return nil, fmt.Errorf("make the client of %s: %w", base.Redacted(), err)
	}
	api.UserAgent = "countersign"
	return &Forge{
		forge: c.Forge, base: base, token: c.Token, proof: proof, oauth: oauth, client: client, api: api, now: c.Now,
	}, nil
}

// unlimited replaces the library's limiter, which spreads requests over the minute
// from the first answer on: evidence comes in bursts and may be seconds old at
// most. The shared client waits where GitLab itself says to.
type unlimited struct{}

func (unlimited) Wait(ctx context.Context) error { return ctx.Err() }

func misconfigured(what, expected, got string) error {
	return &gate.Error{
		Kind: gate.Invalid, Code: gate.CodeConfig, Text: "the GitLab forge's " + what + " is not usable",
		Expected: expected, Got: got, Fix: "correct the forge's entry in the configuration",
	}
}

// newProof refuses an empty secret: with it everybody could ring (attack 58).
func newProof(secret []byte) (proof, error) {
	if len(secret) == 0 {
		return proof{}, misconfigured("webhook secret", "a secret of at least one byte", "an empty one")
	}
	encoded, signing := strings.CutPrefix(string(secret), "whsec_")
	if !signing {
		return proof{plain: secret}, nil
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(key) == 0 {
		return proof{}, misconfigured("webhook signing token", "whsec_ and base64", "something else")
	}
	return proof{key: key}, nil
}
