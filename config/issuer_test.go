package config_test

import (
	"strings"
	"testing"

	"github.com/countersign/countersign/config"
	"github.com/countersign/countersign/gate"
)

// Each row is a forge as the operator writes it, and the one issuer whose ID tokens it
// then accepts.
func TestIssuers(t *testing.T) {
	const github, gitlab = 0, 1
	type row struct {
		what        string
		forge       int
		url, issuer string // issuer as written; "" for none
		want        string // the issuer, or the words of the refusal
		refused     bool
	}
	allow := func(what string, forge int, url, issuer, want string) row {
		return row{what, forge, url, issuer, want, false}
	}
	deny := func(what string, forge int, url, issuer, says string) row {
		return row{what, forge, url, issuer, says, true}
	}
	const actions = "https://token.actions.githubusercontent.com"
	for _, x := range []row{
		allow("github.com", github, "https://github.com", "", actions),
		allow("github.com, spelled out", github, "https://github.com/", actions, actions),
		allow("an enterprise with its slug", github, "https://github.com", actions+"/acme-corp", actions+"/acme-corp"),
		allow("data residency", github, "https://acme.ghe.com", "", "https://token.actions.acme.ghe.com"),
		allow("data residency, an enterprise with its slug", github, "https://acme.ghe.com", "https://token.actions.acme.ghe.com/acme", "https://token.actions.acme.ghe.com/acme"),
		allow("GitHub Enterprise Server", github, "https://github.example", "", "https://github.example/_services/token"),
		allow("GitHub Enterprise Server on a port", github, "https://github.example:8443", "", "https://github.example:8443/_services/token"),
		allow("GitHub Enterprise Server with an issuer of its own", github, "https://github.example", "https://oidc.github.example/token", "https://oidc.github.example/token"),
		allow("gitlab.com", gitlab, "https://gitlab.com", "", "https://gitlab.com"),
		allow("a self-managed GitLab", gitlab, "https://gitlab.example/", "", "https://gitlab.example"),
		allow("a GitLab under a path", gitlab, "https://example.org/tools/gitlab/", "", "https://example.org/tools/gitlab"),
		allow("a GitLab on a port", gitlab, "https://gitlab.example:8443", "", "https://gitlab.example:8443"),
		allow("a GitLab that is reached by another name", gitlab, "https://gitlab.internal.example", "https://gitlab.example", "https://gitlab.example"),

		deny("attack 1: github.com with a stranger's issuer", github, "https://github.com", "https://token.actions.example.org", "forges[0].issuer: expected "+actions),
		deny("attack 1: github.com with a look-alike", github, "https://github.com", actions+".example.org", "forges[0].issuer: expected "+actions),
		deny("attack 1: data residency with github.com's issuer", github, "https://acme.ghe.com", actions, "forges[0].issuer: expected https://token.actions.acme.ghe.com"),
		deny("attack 1: data residency with a neighbour's issuer", github, "https://acme.ghe.com", "https://token.actions.evil.ghe.com", "forges[0].issuer: expected"),
		deny("a path below the slug", github, "https://github.com", actions+"/acme/more", "an enterprise's slug"),
		deny("a slug with an escape", github, "https://github.com", actions+"/ac%2Fme", "an enterprise's slug"),
		deny("a slug that climbs", github, "https://github.com", actions+"/..", "an enterprise's slug"),
		deny("a query", github, "https://github.com", actions+"?x=/acme", "forges[0].issuer: expected https"),
		deny("in clear", gitlab, "https://gitlab.example", "http://gitlab.example", "forges[1].issuer: expected https"),
		deny("the other forge's issuer", gitlab, "https://gitlab.example", actions, "forges[1].issuer: expected an issuer of its own"),
		deny("an upper-case host", gitlab, "https://gitlab.example", "https://GitLab.example", "forges[1].issuer: expected a lower-case host"),
	} {
		old := map[int]string{github: "url: https://github.com", gitlab: "url: https://gitlab.com"}[x.forge]
		text := "url: " + x.url
		if x.issuer != "" {
			text += "\n    issuer: " + x.issuer
		}
		c, err := config.Load(written(t, old, text))
		switch {
		case x.refused && (gate.CodeOf(err) != gate.CodeConfig || !strings.Contains(err.Error(), x.want)):
			t.Errorf("%s: expected a refusal that says %q, got %v", x.what, x.want, err)
		case !x.refused && err != nil:
			t.Errorf("%s: %v", x.what, err)
		case !x.refused && c.Forges[x.forge].Issuer != x.want:
			t.Errorf("%s: expected %s, got %s", x.what, x.want, c.Forges[x.forge].Issuer)
		}
	}
}
