package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/gatetest"
)

func TestSignIn(t *testing.T) {
	w := newTown(t)
	c := w.chrome(t)
	says(t, c.open("/").Body.String(), `action="/auth/github"`, `action="/auth/gitlab"`, "Sign in with <bdi>GitHub</bdi>")
	asked := c.begin("github", "/keys?page=2")
	if asked.Get("redirect_uri") != origin+"/auth/github/callback" || len(asked.Get("state")) < 43 || len(asked.Get("code_challenge")) != 43 {
		t.Errorf("the forge is asked with %v", asked)
	}
	before := c.session()
	got := c.open(w.github.authorize(asked, gatetest.Bo()))
	if got.Code != http.StatusSeeOther || got.Header().Get("Location") != "/keys?page=2" {
		t.Fatalf("answered %d to %q", got.Code, got.Header().Get("Location"))
	}
	cookie := c.cookies["__Host-countersign"]
	if !cookie.HttpOnly || !cookie.Secure || cookie.SameSite != http.SameSiteLaxMode || cookie.Path != "/" || cookie.Domain != "" {
		t.Errorf("the cookie is %s", cookie)
	}
	if before == "" || c.session() == before {
		t.Error("the session's token is the one from before the sign-in")
	}
	body := c.open("/").Body.String()
	says(t, body, "@bo", "Sign out", "Nothing waits for you")
	if strings.Contains(body, "/operations") {
		t.Error("anybody is offered the operations")
	}
	says(t, w.signedIn(t, root()).open("/").Body.String(), `href="/operations"`)
	if logs := w.logs(); strings.Contains(logs, c.session()) || strings.Contains(logs, asked.Get("state")) || strings.Contains(logs, "code-") {
		t.Errorf("the log holds a secret: %s", logs)
	}
}

// A token that somebody else put into the browser signs them in nowhere.
func TestFixation(t *testing.T) {
	w := newTown(t)
	mallory, victim := w.chrome(t), w.chrome(t)
	mallory.begin("github", "/")
	victim.cookies["__Host-countersign"] = mallory.cookies["__Host-countersign"]
	victim.open(w.github.authorize(victim.begin("github", "/"), gatetest.Bo()))
	says(t, victim.open("/").Body.String(), "@bo")
	if body := mallory.open("/").Body.String(); strings.Contains(body, "@bo") || !strings.Contains(body, "Sign in with") {
		t.Error("the planted token is signed in")
	}
	made := w.chrome(t)
	made.cookies["__Host-countersign"] = &http.Cookie{Name: "__Host-countersign", Value: "made-up"}
	made.begin("github", "/")
	if made.session() == "made-up" {
		t.Error("a made-up token is taken")
	}
}

// What a browser brings back counts once, where it was begun, for ten minutes.
func TestSignInRefused(t *testing.T) {
	rows := []struct {
		name string
		back func(w *town, c *chrome) string // the path that the browser is sent to
	}{
		{"forged state", func(w *town, c *chrome) string {
			asked := c.begin("github", "/")
			asked.Set("state", strings.Repeat("A", 43))
			return w.github.authorize(asked, gatetest.Bo())
		}},
		{"no state", func(w *town, c *chrome) string {
			return strings.Replace(w.github.authorize(c.begin("github", "/"), gatetest.Bo()), "state=", "s=", 1)
		}},
		{"nothing begun", func(*town, *chrome) string { return "/auth/github/callback?code=c&state=" }},
		{"another browser's", func(w *town, _ *chrome) string {
			return w.github.authorize(w.chrome(w.t).begin("github", "/"), gatetest.Bo())
		}},
		{"begun at another forge", func(w *town, c *chrome) string {
			back := w.gitlab.authorize(c.begin("gitlab", "/"), gatetest.Bo())
			return strings.Replace(back, "/auth/gitlab/", "/auth/github/", 1)
		}},
		{"replayed", func(w *town, c *chrome) string {
			back := w.github.authorize(c.begin("github", "/"), gatetest.Bo())
			c.open(back)
			c.submit("/auth/sign-out", nil)
			return back
		}},
		{"replayed while signed in", func(w *town, c *chrome) string {
			back := w.github.authorize(c.begin("github", "/"), gatetest.Ana())
			c.open(back)
			return back
		}},
		{"too late", func(w *town, c *chrome) string {
			back := w.github.authorize(c.begin("github", "/"), gatetest.Bo())
			w.clock.forward(10 * time.Minute)
			return back
		}},
		{"cancelled", func(_ *town, c *chrome) string {
			return "/auth/github/callback?error=access_denied&state=" + c.begin("github", "/").Get("state")
		}},
		{"the forge has an error", func(_ *town, c *chrome) string {
			return "/auth/github/callback?error=%3Cscript%3E&state=" + c.begin("github", "/").Get("state")
		}},
		{"another code", func(w *town, c *chrome) string {
			return w.github.authorize(c.begin("github", "/"), gatetest.Bo()) + "0&code=x"
		}},
		{"an app's account", func(w *town, c *chrome) string {
			return w.github.authorize(c.begin("github", "/"), gate.Account{ID: gate.AccountID{Forge: "github", ID: 9}, Login: "bo"})
		}},
		{"another forge's account", func(w *town, c *chrome) string {
			return w.github.authorize(c.begin("github", "/"), gate.Account{ID: gate.AccountID{Forge: "gitlab", ID: 9}, Login: "bo", Human: true})
		}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			w := newTown(t)
			w.t = t
			c := w.chrome(t)
			got := c.open(row.back(w, c))
			body := got.Body.String()
			if got.Code != http.StatusForbidden || !strings.Contains(body, gate.CodeSignIn.String()) || strings.Contains(body, "<script>") || strings.Contains(body, "callback") {
				t.Errorf("answered %d: %s", got.Code, body)
			}
			if strings.Contains(c.open("/").Body.String(), "@bo") {
				t.Error("somebody is signed in")
			}
		})
	}
}

func TestSignInElsewhere(t *testing.T) {
	w := newTown(t)
	c := w.chrome(t)
	for _, path := range []string{"/auth/gitea", "/auth/gitea/callback"} {
		if got := c.open(path); got.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, got.Code)
		}
	}
	if got := c.submit("/auth/gitea", nil); got.Code != http.StatusNotFound {
		t.Errorf("%d", got.Code)
	}
	// A link alone signs nobody in: it shows the button.
	says(t, w.look(t, "/auth/github?back=/keys").Body.String(), `value="/keys"`, `method="post"`)
	plain := newWorld(t)
	says(t, plain.look(t, "/auth").Body.String(), "Nobody can sign in here")
}

// One is only ever led back to a page of this server.
func TestOpenRedirect(t *testing.T) {
	w := newTown(t)
	for _, back := range []string{
		"https://evil.example/", "//evil.example/", `/\evil.example`, `\\evil.example`, "/%2f%2fevil.example", "/%5cevil.example", "javascript:alert(1)",
		"/\t/evil.example", "/\n/evil.example", " //evil.example", "evil", "", "/é", "/" + strings.Repeat("a", 600), "http:/x", "///evil.example", "/..//evil.example",
		"/.//evil.example",
	} {
		c := w.chrome(t)
		got := c.open(w.github.authorize(c.begin("github", back), gatetest.Bo()))
		at, err := url.Parse(got.Header().Get("Location"))
		if err != nil || at.Host != "" || at.Scheme != "" || !strings.HasPrefix(at.Path, "/") || strings.HasPrefix(at.Path, "//") {
			t.Errorf("%q leads to %q", back, got.Header().Get("Location"))
		}
		if c.open("/auth?back="+url.QueryEscape(back)).Body.String() == "" || strings.Contains(c.open("/auth?back="+url.QueryEscape(back)).Body.String(), "evil.example/\"") {
			t.Errorf("the sign-in page leads to %q", back)
		}
	}
	c := w.chrome(t)
	got := c.open(w.github.authorize(c.begin("github", "/releases/1?a=b"), gatetest.Bo()))
	if at := got.Header().Get("Location"); at != "/releases/1?a=b" {
		t.Errorf("led to %q", at)
	}
}

// Sessions end: by signing out, after twelve hours, and after two without use.
func TestSessionsEnd(t *testing.T) {
	in := func(c *chrome) bool { return strings.Contains(c.open("/").Body.String(), "@bo") }
	w := newTown(t)
	c := w.signedIn(t, gatetest.Bo())
	old := *c.cookies["__Host-countersign"]
	if got := c.submit("/auth/sign-out", nil); got.Code != http.StatusSeeOther || c.session() != "" {
		t.Errorf("answered %d, cookie %q", got.Code, c.session())
	}
	c.cookies["__Host-countersign"] = &old
	if in(c) {
		t.Error("the old token is still good")
	}
	if got := w.chrome(t).open("/auth/sign-out"); got.Code == http.StatusOK && strings.Contains(got.Body.String(), "signed out") {
		t.Error("a link signs out")
	}
	c = w.signedIn(t, gatetest.Bo())
	w.clock.forward(119 * time.Minute)
	if !in(c) {
		t.Error("gone within two hours")
	}
	w.clock.forward(119 * time.Minute)
	if !in(c) {
		t.Error("use does not keep it")
	}
	w.clock.forward(2 * time.Hour)
	if in(c) {
		t.Error("there after two hours without use")
	}
	w = newTown(t)
	c = w.signedIn(t, gatetest.Bo())
	for range 12 { // an open page alone
		w.clock.forward(10 * time.Minute)
		c.send(http.MethodHead, "/events", "")
		c.send(http.MethodGet, "/", "", browser, "Hx-Request: true")
	}
	if in(c) {
		t.Error("an open page keeps it")
	}
	w = newTown(t)
	c = w.signedIn(t, gatetest.Bo())
	for range 11 {
		w.clock.forward(time.Hour)
		if !in(c) {
			t.Fatal("gone within twelve hours, in use")
		}
	}
	w.clock.forward(time.Hour)
	if in(c) {
		t.Error("there after twelve hours")
	}
}

// What another site's page makes a browser send is refused, whatever the browser is signed
// in as.
func TestCrossSite(t *testing.T) {
	w := newTown(t)
	rec := record(t, gate.StateWaiting, unapproved())
	w.put(rec)
	w.github.set(gatetest.Bo().ID, gate.RoleWrite)
	c := w.signedIn(t, gatetest.Bo())
	paths := []string{"/auth/github", "/auth/sign-out", page}
	for _, verb := range []string{"approve", "deny", "hold", "unhold", "withdraw"} {
		paths = append(paths, release+"/"+verb)
	}
	for _, path := range paths {
		for _, from := range [][]string{
			{"Sec-Fetch-Site: cross-site"}, {"Sec-Fetch-Site: same-site"}, {"Origin: https://evil.example"}, {"Origin: null"},
			{"Sec-Fetch-Site: cross-site", "Origin: https://evil.example"}, {"Origin: http://sign.example.org"},
		} {
			for _, media := range []string{"application/x-www-form-urlencoded", "text/plain", "application/json"} {
				got := c.send(http.MethodPost, path, manifest(rec).Encode(), append(from, "Content-Type: "+media, browser, "Host: sign.example.org")...)
				if got.Code != http.StatusForbidden || !strings.Contains(got.Body.String(), gate.CodeCrossSite.String()) {
					t.Errorf("%s from %v: %d", path, from, got.Code)
				}
			}
		}
	}
	if len(w.said) > 0 || w.github.exchanges != 1 {
		t.Errorf("%v was said", w.said)
	}
	says(t, c.open("/").Body.String(), "@bo") // and still is
}

// While sessions cannot be read nobody is signed in, and what was sent is not done.
func TestSessionsAway(t *testing.T) {
	broken := &brokenSessions{}
	w := newTown(t, withSessions(broken))
	rec := record(t, gate.StateWaiting, unapproved())
	w.put(rec)
	w.github.set(gatetest.Bo().ID, gate.RoleWrite)
	c := w.signedIn(t, gatetest.Bo())
	broken.fail = errDatabase
	for _, got := range []int{c.open("/").Code, c.submit(release+"/approve", manifest(rec)).Code, c.submit("/auth/sign-out", nil).Code, w.chrome(t).submit("/auth/github", nil).Code} {
		if got != http.StatusServiceUnavailable {
			t.Errorf("answered %d", got)
		}
	}
	if len(w.said) > 0 {
		t.Error("it was done")
	}
	got := c.open("/")
	if strings.Contains(got.Body.String(), "10.1.2.3") || strings.Count(got.Body.String(), "<html") != 1 {
		t.Errorf("answered %s", got.Body)
	}
	broken.fail = nil
	says(t, c.open("/").Body.String(), "@bo")
}

// The forms of a page lead to this server, and to the forges that it signs people in with.
func TestFormsLeadToTheForges(t *testing.T) {
	csp := newTown(t).look(t, "/").Header().Get("Content-Security-Policy")
	if !strings.Contains(csp, "form-action 'self' https://github.example https://gitlab.example;") {
		t.Error(csp)
	}
}
