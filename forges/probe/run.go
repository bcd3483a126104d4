package probe

import (
	"context"
	"regexp"
	"strings"

	"github.com/countersign/countersign/gate"
)

// plainRef is a full ref in plain characters.
var plainRef = regexp.MustCompile(`^refs/(?:heads|tags)/[A-Za-z0-9][A-Za-z0-9._/+-]*$`)

func (c Config) check() error {
	bad := func(text, expected, got, fix string) error {
		return &gate.Error{Kind: gate.Invalid, Code: gate.CodeConfig, Text: text, Expected: expected, Got: got, Fix: fix}
	}
	if _, _, ok := cutName(c.Repository); !ok || strings.ContainsAny(c.Repository, " \t%?#:@") {
		return bad("the scratch repository is not usable", "OWNER/NAME", c.Repository, "name it as its page's address does")
	}
	if c.Ref != "" && !plainRef.MatchString(c.Ref) {
		return bad("the ref is not usable", "a full ref, such as refs/tags/v1.0.0", c.Ref, "name it in full")
	}
	if _, _, ok := cutName(c.Public); c.Public != "" && !ok {
		return bad("the public repository is not usable", "OWNER/NAME", c.Public, "name it as its page's address does")
	}
	return nil
}

// Run tries every fact. Errors are about what was asked for; whatever the forge does is a
// finding.
func Run(ctx context.Context, c Config) (Report, error) {
	if err := c.check(); err != nil {
		return Report{}, err
	}
	s := &session{Config: c}
	s.owner, s.name, _ = cutName(c.Repository)
	out := Report{Format: reportFormat, Forge: c.Forge, Kind: c.Kind, URL: c.URL, At: c.Now().UTC()}
	for _, f := range Facts(c.Kind) {
		out.Findings = append(out.Findings, s.try(ctx, f))
	}
	for i, f := range out.Findings {
		if f.Asked {
			out.Findings[i].Version = s.version
		}
	}
	out.Version, out.Left = s.version, s.left
	return out, nil
}

func (s *session) try(ctx context.Context, f Fact) Finding {
	out := Finding{ID: f.ID, Outcome: Untold}
	switch {
	case f.Needs == NeedsHand:
		out.Why = "somebody has to look"
		return out
	case f.Needs == NeedsWrite && !s.Write:
		out.Why = "it takes --write"
		return out
	case f.Needs == NeedsJob && len(s.Claims) == 0:
		out.Why = "it takes a CI job"
		return out
	case f.ID == "github.token-elsewhere" && s.Public == "":
		out.Why = "it takes --public"
		return out
	case ctx.Err() != nil:
		out.Why = "the probe was stopped"
		return out
	}
	r := f.check(ctx, s)
	out.Outcome, out.Why, out.Asked, out.At = r.outcome, r.why, true, s.Now().UTC()
	return out
}
