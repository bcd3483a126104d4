package githubtest_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
)

func aManifest(change func(map[string]any)) url.Values {
	m := map[string]any{
		"name": "Gate", "url": "https://gate.example", "hook_attributes": map[string]any{"url": "https://gate.example/hook", "active": false},
		"redirect_url": "https://gate.example/redirect", "callback_urls": []string{callback}, "setup_url": "https://gate.example/setup",
		"default_permissions": map[string]string{"contents": "read", "issues": "write"}, "default_events": []string{"push", "issue_comment"},
	}
	change(m)
	raw, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return url.Values{"manifest": {string(raw)}}
}

func unchanged(map[string]any) {}

// registered is the code of an App that ana registered.
func (w *team) registered() string {
	w.t.Helper()
	b := w.browse("ana")
	_, page := b("POST", "/settings/apps/new?state=s", aManifest(unchanged))
	m := hidden.FindStringSubmatch(page)
	if m == nil {
		w.t.Fatalf("expected a page that asks, got %s", page)
	}
	res, _ := b("POST", "/settings/apps/manifest", url.Values{"authenticity_token": {m[1]}, "app_name": {"Gate of ana"}})
	to, err := url.Parse(res.Header.Get("Location"))
	if err != nil || to.Host != "gate.example" || to.Path != "/redirect" || to.Query().Get("state") != "s" {
		w.t.Fatalf("sent to %v, %v", to, err)
	}
	return to.Query().Get("code")
}

func TestManifestThatGitHubRefuses(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	for name, form := range map[string]url.Values{
		"no JSON":                     {"manifest": {"{"}},
		"no manifest":                 {},
		"no home":                     aManifest(func(m map[string]any) { delete(m, "url") }),
		"a hook without URL":          aManifest(func(m map[string]any) { m["hook_attributes"] = map[string]any{} }),
		"an event of every App":       aManifest(func(m map[string]any) { m["default_events"] = []string{"installation"} }),
		"an event nobody knows":       aManifest(func(m map[string]any) { m["default_events"] = []string{"pushes"} }),
		"an event without permission": aManifest(func(m map[string]any) { m["default_events"] = []string{"workflow_run"} }),
		"comments without issues": aManifest(func(m map[string]any) {
			m["default_permissions"] = map[string]string{"contents": "read"}
		}),
		"a level nobody knows": aManifest(func(m map[string]any) {
			m["default_permissions"] = map[string]string{"contents": "all", "issues": "read"}
		}),
		"a long name": aManifest(func(m map[string]any) { m["name"] = strings.Repeat("a", 35) }),
	} {
		if res, body := w.browse("ana")("POST", "/settings/apps/new", form); res.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%s: got %d %s, want 422", name, res.StatusCode, body)
		}
	}
	if res, _ := w.browse("ana")("POST", "/organizations/nobody/settings/apps/new", aManifest(unchanged)); res.StatusCode != http.StatusNotFound {
		t.Errorf("no such organisation: got %d", res.StatusCode)
	}
	if _, page := w.browse("")("POST", "/settings/apps/new", aManifest(unchanged)); !strings.Contains(page, "/test-login?login=ana&amp;return_to=%2Fsettings%2Fapps%2Fmanifest") {
		t.Errorf("signed out: expected to be asked who one is, got %s", page)
	}
}

func TestRegisteredApp(t *testing.T) {
	c := newClock()
	w := newTeam(t, githubtest.Options{Now: c.Now, NotInstalled: false})
	h := newHook(t)
	code := w.registered()
	convert := func(code string) (int, map[string]any) {
		res, body := w.raw("POST", "/app-manifests/"+code+"/conversions", "", "Authorization", "")
		out := map[string]any{}
		if err := json.Unmarshal([]byte(body), &out); err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, out
	}
	status, app := convert(code)
	if status != http.StatusCreated || app["name"] != "Gate of ana" || app["client_secret"] != w.ClientSecret() || at(app, "owner", "login") != "ana" ||
		at(app, "permissions", "issues") != "write" || app["webhook_secret"] == "" || !strings.Contains(app["pem"].(string), "RSA PRIVATE KEY") {
		t.Errorf("got %d %v", status, app)
	}
	if status, _ := convert(code); status != http.StatusNotFound {
		t.Errorf("again: got %d, want 404", status)
	}
	late := w.registered()
	c.pass(time.Hour)
	if status, _ := convert(late); status != http.StatusNotFound {
		t.Errorf("an hour later: got %d, want 404", status)
	}
	w.DeliverTo(h.URL, hookSecret)
	w.StartJob(w.repo, forgetest.JobSpec{Ref: "refs/heads/main", Workflow: "release.yml", Actor: w.ana})
	w.push(w.ana, "topic", "a")
	w.Settle()
	if got := strings.Join(names(h.take()), " "); got != "push" {
		t.Errorf("told of %q, want push alone: nothing else is subscribed to", got)
	}
}
