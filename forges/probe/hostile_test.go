package probe_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
	"github.com/countersign/countersign/forges/probe"
	"github.com/countersign/countersign/gate/api"
)

// liar answers every call alike, or none.
type liar struct {
	status int
	body   string
}

func (l liar) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
	if l.status == 0 {
		return nil, errors.New("nobody is there")
	}
	return &http.Response{StatusCode: l.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(l.body)), Request: req}, nil
}

// Of a forge that tells nothing, nothing is found to hold.
func TestNothingHoldsOfALiar(t *testing.T) {
	hub, lab := onGitHub(t, githubtest.Options{}), onGitLab(t, gitlabtest.Options{})
	for name, l := range map[string]liar{
		"no answer": {}, "null": {200, "null"}, "an object": {200, "{}"}, "a list": {200, "[]"}, "a list of nothing": {200, "[null]"},
		"empty rows": {200, "[{}]"}, "no JSON": {200, "<html>"}, "nothing": {200, ""}, "created nothing": {201, "{}"}, "no content": {204, ""},
		"moved": {301, "{}"}, "unauthorized": {401, "{}"}, "forbidden": {403, `{"message":"no"}`}, "not found": {404, `{"message":"Not Found"}`},
		"throttled": {429, ""}, "broken": {500, "oops"}, "unavailable": {503, ""}, "a number": {200, "7"}, "negative": {200, `{"id":-1,"data":null}`},
		"graphql errors": {200, `{"data":{},"errors":[{"message":"no"}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, b := range []*bench{hub, lab} {
				c := b.config(l)
				r, err := probe.Run(t.Context(), c)
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range probe.Facts(r.Kind) {
					found := r.Find(f.ID)
					if found.Outcome == probe.Holds {
						t.Errorf("%s: %s holds: %s", r.Kind, f.ID, found.Why)
					}
					if found.Why == "" {
						t.Errorf("%s: %s has no reason", r.Kind, f.ID)
					}
				}
				checks, _ := probe.Reach(t.Context(), c)
				for _, check := range checks {
					if check.ID == "credential" && check.Level == api.FindingPass {
						t.Errorf("%s: %s", r.Kind, check.Text)
					}
				}
			}
		})
	}
}

// Faults of single calls leave their facts untold or failed, and the others as they are.
func TestFaults(t *testing.T) {
	for _, row := range []struct {
		path  string
		fault forgetest.Fault
		facts map[string]probe.Outcome
	}{
		{"/activity", forgetest.Fault{Status: 503}, map[string]probe.Outcome{
			"github.activity": probe.Untold, "github.activity-tags": probe.Untold, "github.activity-deleted": probe.Untold, "read.pushers": probe.Fails,
		}},
		{"/rulesets", forgetest.Fault{Status: 403}, map[string]probe.Outcome{
			"github.activity-tags": probe.Fails, "github.bypass-hidden": probe.Fails, "github.tag-rulesets": probe.Fails, "read.tag-protection": probe.Fails,
		}},
		{"/check-runs", forgetest.Fault{Status: 500, Method: "POST"}, map[string]probe.Outcome{
			"github.activity-tags": probe.Fails, "write.check": probe.Untold,
		}},
		{"/issues", forgetest.Fault{Status: 403, Method: "POST"}, map[string]probe.Outcome{
			"github.activity-tags": probe.Fails, "write.thread": probe.Fails, "write.comment": probe.Untold, "write.heard": probe.Untold, "write.edited": probe.Untold,
			"write.machine": probe.Untold, "write.reaction": probe.Untold,
		}},
	} {
		t.Run(row.path, func(t *testing.T) {
			t.Parallel()
			b := onGitHub(t, githubtest.Options{})
			row.fault.Path = row.path
			b.world.Fail(row.fault)
			r, _ := b.probe()
			expect(t, r, row.facts)
		})
	}
}

// What was stopped is untold, and no call is made any more.
func TestStopped(t *testing.T) {
	b := onGitHub(t, githubtest.Options{})
	c := b.config(liar{})
	ctx, cancel := contextOf(t)
	cancel()
	r, err := probe.Run(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Findings {
		if f.Outcome != probe.Untold || f.Asked {
			t.Errorf("%s: expected nothing asked, got %s", f.ID, f.Outcome)
		}
	}
}

// Claims of another repository tell nothing about this one.
func TestForeignClaims(t *testing.T) {
	b := onGitHub(t, githubtest.Options{})
	c := b.config(http.DefaultTransport)
	c.Claims[0]["repository_id"] = "1"
	r, err := probe.Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range probe.Facts(r.Kind) {
		if found := r.Find(f.ID); f.Needs == probe.NeedsJob && (found.Outcome != probe.Untold || !strings.Contains(found.Why, "another repository")) {
			t.Errorf("%s: expected it untold, got %s: %s", f.ID, found.Outcome, found.Why)
		}
	}
}

// Claims that miss what the gate pins are found out.
func TestPoorClaims(t *testing.T) {
	for id, change := range map[string]func(probe.Claims){
		"github.audience": func(c probe.Claims) { c["aud"] = []any{"a", "b"} },
		"github.claims":   func(c probe.Claims) { delete(c, "workflow_sha") },
		"github.lifetime": func(c probe.Claims) { delete(c, "iat") },
		"github.jti":      func(c probe.Claims) { delete(c, "jti") },
		"github.job":      func(c probe.Claims) { delete(c, "check_run_id") },
	} {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			b := onGitHub(t, githubtest.Options{})
			c := b.config(http.DefaultTransport)
			change(c.Claims[0])
			r, err := probe.Run(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			if got := r.Find(id); got.Outcome != probe.Fails {
				t.Errorf("expected that it fails, got %s: %s", got.Outcome, got.Why)
			}
		})
	}
}

func TestConfigIsRefused(t *testing.T) {
	b := onGitHub(t, githubtest.Options{})
	for name, change := range map[string]func(*probe.Config){
		"no owner":    func(c *probe.Config) { c.Repository = "widget" },
		"a query":     func(c *probe.Config) { c.Repository = "a/b?x" },
		"a short ref": func(c *probe.Config) { c.Ref = "v1.0.0" },
		"a dotted":    func(c *probe.Config) { c.Ref = "refs/tags/ x" },
		"public":      func(c *probe.Config) { c.Public = "x" },
	} {
		c := b.config(liar{})
		change(&c)
		if _, err := probe.Run(t.Context(), c); err == nil {
			t.Errorf("%s: expected an error", name)
		}
	}
}
