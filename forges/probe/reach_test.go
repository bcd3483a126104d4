package probe_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/forges/forgetest/githubtest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
	"github.com/countersign/countersign/forges/probe"
	"github.com/countersign/countersign/gate/api"
)

// desk answers by path; what it has no answer to is 404.
type desk struct {
	answers map[string]string // path below the API base to body
	date    time.Time
}

func (d desk) RoundTrip(req *http.Request) (*http.Response, error) {
	h := http.Header{}
	if !d.date.IsZero() {
		h.Set("Date", d.date.UTC().Format(http.TimeFormat))
	}
	status, body := http.StatusNotFound, "{}"
	for path, text := range d.answers {
		if strings.HasSuffix(req.URL.Path, path) {
			status, body = http.StatusOK, text
		}
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), Request: req}, nil
}

// still is a clock that stands.
func still() time.Time { return noon(2) }

func reach(t *testing.T, b *bench, d desk) map[string]api.Finding {
	t.Helper()
	c := b.config(d)
	c.Permissions, c.Now = map[string]string{"contents": "read", "checks": "write", "members": "read"}, still
	checks, _ := probe.Reach(t.Context(), c)
	out := map[string]api.Finding{}
	for _, check := range checks {
		out[check.ID] = check
		if check.Level != api.FindingPass && check.Fix == "" {
			t.Errorf("%s: expected a fix, got %+v", check.ID, check)
		}
	}
	return out
}

func TestReachGitHub(t *testing.T) {
	b := onGitHub(t, githubtest.Options{})
	const fine, installed = `{"id":7,"permissions":{"contents":"read","checks":"write","members":"read"},"events":["push","pull_request","issue_comment","workflow_run"]}`, `[{"id":1,"account":{"login":"acme"},"permissions":{"contents":"read","checks":"write","members":"read"}}]`
	for name, row := range map[string]struct {
		app, installations string
		clock              time.Duration
		levels             map[string]api.FindingLevel
		says               string
	}{
		"all well": {fine, installed, 0, map[string]api.FindingLevel{"reach": "pass", "clock": "pass", "credential": "pass", "permissions": "pass", "installations": "pass", "events": "pass"}, ""},
		"a person's": {`{"id":7,"permissions":{"contents":"read","checks":"write","members":"read"}}`,
			`[{"id":1,"account":{"login":"ana","type":"User"},"permissions":{"contents":"read","checks":"write"}}]`, 0,
			map[string]api.FindingLevel{"installations": "pass"}, ""},
		"deaf": {`{"id":7,"permissions":{"contents":"read","checks":"write","members":"read"},"events":["push"]}`, installed, 0,
			map[string]api.FindingLevel{"events": "warning"}, "issue_comment, pull_request, workflow_run"},
		"writes rules": {`{"id":7,"permissions":{"contents":"read","checks":"write","members":"read","administration":"write"}}`, installed, 0,
			map[string]api.FindingLevel{"permissions": "pass", "permissions-broad": "warning"}, "administration: write"},
		"writes contents": {`{"id":7,"permissions":{"contents":"write","checks":"write","members":"read"}}`, installed, 0,
			map[string]api.FindingLevel{"permissions": "pass", "permissions-broad": "warning"}, "contents: write"},
		"lacks checks": {`{"id":7,"permissions":{"contents":"read","checks":"read","members":"read"}}`, installed, 0, map[string]api.FindingLevel{"permissions": "failure"}, "checks: write"},
		"not accepted": {fine, `[{"id":1,"account":{"login":"acme"},"permissions":{"contents":"read","members":"read"}}]`, 0, map[string]api.FindingLevel{"installations": "failure"}, "acme lacks checks: write"},
		"suspended": {fine, `[{"id":1,"account":{"login":"acme"},"suspended_at":"2026-01-01T00:00:00Z","permissions":{"contents":"read","checks":"write"}}]`, 0,
			map[string]api.FindingLevel{"installations": "warning"}, "suspended"},
		"installed nowhere": {fine, "[]", 0, map[string]api.FindingLevel{"installations": "warning"}, "nowhere"},
		"unlistable":        {fine, "", 0, map[string]api.FindingLevel{"installations": "failure"}, "cannot be listed"},
		"a minute late":     {fine, installed, 61 * time.Second, map[string]api.FindingLevel{"clock": "failure"}, "apart"},
		"a minute early":    {fine, installed, -61 * time.Second, map[string]api.FindingLevel{"clock": "failure"}, "apart"},
		"nearly a minute":   {fine, installed, 59 * time.Second, map[string]api.FindingLevel{"clock": "pass"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := desk{answers: map[string]string{"/app": row.app}, date: still().Add(row.clock)}
			if row.installations != "" {
				d.answers["/app/installations"] = row.installations
			}
			got := reach(t, b, d)
			text := ""
			for id, level := range row.levels {
				if got[id].Level != level {
					t.Errorf("%s: expected %s, got %+v", id, level, got[id])
				}
				text += got[id].Text
			}
			if !strings.Contains(text, row.says) {
				t.Errorf("expected %q in %q", row.says, text)
			}
		})
	}
}

func TestWhereTheHookGoes(t *testing.T) {
	b := onGitHub(t, githubtest.Options{})
	const here = server + "/webhooks/github/github"
	for name, row := range map[string]struct {
		config string
		level  api.FindingLevel
		says   string
	}{
		"here":          {`{"url":"` + here + `","content_type":"json","insecure_ssl":"0"}`, "pass", "this server"},
		"here, in 0":    {`{"url":"` + here + `","content_type":"json","insecure_ssl":0}`, "pass", "this server"},
		"elsewhere":     {`{"url":"https://smee.io/x","content_type":"json","insecure_ssl":"0"}`, "warning", "elsewhere"},
		"as a form":     {`{"url":"` + here + `","content_type":"form","insecure_ssl":"0"}`, "failure", "forms"},
		"unverified":    {`{"url":"` + here + `","content_type":"json","insecure_ssl":"1"}`, "warning", "certificate"},
		"not told":      {`{}`, "warning", "does not tell"},
		"not told of 0": {`{"url":"` + here + `","content_type":"json"}`, "warning", "certificate"},
	} {
		got := reach(t, b, desk{answers: map[string]string{"/app": `{"id":7}`, "/app/hook/config": row.config}, date: still()})["webhook"]
		if got.Level != row.level || !strings.Contains(got.Text, row.says) {
			t.Errorf("%s: expected %s with %q, got %+v", name, row.level, row.says, got)
		}
	}
}

func TestReachGitLab(t *testing.T) {
	b := onGitLab(t, gitlabtest.Options{})
	const bot, version = `{"id":7,"username":"gate","bot":true}`, `{"version":"18.5.1"}`
	day := func(days int) string { return still().AddDate(0, 0, days).Format(time.DateOnly) }
	for name, row := range map[string]struct {
		user, token string
		levels      map[string]api.FindingLevel
		says        string
	}{
		"all well":   {bot, `{"scopes":["api"],"expires_at":"` + day(80) + `"}`, map[string]api.FindingLevel{"credential": "pass", "permissions": "pass", "token": "pass"}, ""},
		"ends soon":  {bot, `{"scopes":["api"],"expires_at":"` + day(13) + `"}`, map[string]api.FindingLevel{"token": "warning"}, day(13)},
		"never ends": {bot, `{"scopes":["api"],"expires_at":null}`, map[string]api.FindingLevel{"token": "warning"}, "never"},
		"ends oddly": {bot, `{"scopes":["api"],"expires_at":"soon"}`, map[string]api.FindingLevel{"token": "warning"}, "no date"},
		"too little": {bot, `{"scopes":["read_api"],"expires_at":"` + day(80) + `"}`, map[string]api.FindingLevel{"permissions": "failure"}, "read_api"},
		"too much":   {bot, `{"scopes":["api","sudo"],"expires_at":"` + day(80) + `"}`, map[string]api.FindingLevel{"permissions": "pass", "permissions-broad": "warning"}, "sudo"},
		"a person's": {`{"id":7,"username":"ana","bot":false}`, `{"scopes":["api"],"expires_at":"` + day(80) + `"}`, map[string]api.FindingLevel{"credential": "warning"}, "@ana"},
		"untold":     {bot, "", map[string]api.FindingLevel{"token": "warning"}, "does not tell"},
		"no account": {"{}", "", map[string]api.FindingLevel{"credential": "failure"}, "no account"},
	} {
		t.Run(name, func(t *testing.T) {
			d := desk{answers: map[string]string{"/user": row.user, "/metadata": version}, date: still()}
			if row.token != "" {
				d.answers["/personal_access_tokens/self"] = row.token
			}
			got := reach(t, b, d)
			text := ""
			for id, level := range row.levels {
				if got[id].Level != level {
					t.Errorf("%s: expected %s, got %+v", id, level, got[id])
				}
				text += got[id].Text
			}
			if !strings.Contains(text, row.says) {
				t.Errorf("expected %q in %q", row.says, text)
			}
		})
	}
}

// The double's own answers are those of a forge in order.
func TestReachDoubles(t *testing.T) {
	benches(t, func(b *bench) {
		checks, version := probe.Reach(b.t.Context(), b.config(http.DefaultTransport))
		for _, c := range checks {
			if c.Level == api.FindingFailure {
				b.t.Errorf("%s: %s", c.ID, c.Text)
			}
		}
		if b.token != "" && version != "18.5.1" {
			b.t.Errorf("expected GitLab's version, got %q", version)
		}
	})
}

func TestReachRefused(t *testing.T) {
	benches(t, func(b *bench) {
		for status, id := range map[int]string{401: "credential", 403: "credential", 404: "reach", 500: "reach", 0: "reach"} {
			checks, _ := probe.Reach(b.t.Context(), b.config(liar{status, "{}"}))
			if len(checks) == 0 || checks[0].ID != id || checks[0].Level != api.FindingFailure || checks[0].Fix == "" {
				b.t.Errorf("%d: expected a failure of %s with a fix, got %+v", status, id, checks)
			}
		}
	})
}
