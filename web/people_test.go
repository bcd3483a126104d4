package web_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/web"
)

// forge is one at which people sign in and have rights.
type forge struct {
	mu sync.Mutex
	id gate.ForgeID
	// codes are what the forge gave out, each for one account, bound to the challenge and
	// the redirect that it was asked with.
	codes map[string]granted
	// roles are the rights of now; an account without one has none.
	roles map[gate.AccountID]gate.Role
	// silent is a forge that does not answer.
	silent    bool
	exchanges int
	reads     int
}

type granted struct {
	who                 gate.Account
	challenge, redirect string
}

func (f *forge) AuthorizeURL(state, challenge, redirect string) string {
	q := url.Values{"state": {state}, "code_challenge": {challenge}, "redirect_uri": {redirect}}
	return "https://" + string(f.id) + ".example/authorize?" + q.Encode()
}

func (f *forge) Identify(_ context.Context, code, verifier, redirect string) (gate.Account, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.exchanges++
	g, ok := f.codes[code]
	delete(f.codes, code)
	sum := sha256.Sum256([]byte(verifier))
	if !ok || g.challenge != base64.RawURLEncoding.EncodeToString(sum[:]) || g.redirect != redirect {
		return gate.Account{}, &gate.Error{Kind: gate.Refused, Code: gate.CodeSignIn, Text: "the forge does not take the code", Fix: "start again with Sign in"}
	}
	return g.who, nil
}

func (f *forge) Right(_ context.Context, _ gate.RepositoryID, who gate.AccountID) gate.Fact[gate.Member] {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads++
	if f.silent {
		return gate.Unknown[gate.Member]("the forge did not answer")
	}
	role, ok := f.roles[who]
	if !ok {
		return gate.Absent[gate.Member]("no right")
	}
	return gate.Known(gate.Member{Account: gate.Account{ID: who}, Role: role, Active: true})
}

func (f *forge) set(who gate.AccountID, role gate.Role) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if role == gate.RoleNone {
		delete(f.roles, who)
		return
	}
	f.roles[who] = role
}

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	d  time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.d)
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.d += d
}

// town is a world whose people sign in.
type town struct {
	t *testing.T

	*world

	github, gitlab *forge
	clock          *clock
}

func newTown(t *testing.T, edits ...func(*web.Config)) *town {
	t.Helper()
	out := &town{
		github: &forge{id: "github", codes: map[string]granted{}, roles: map[gate.AccountID]gate.Role{}},
		gitlab: &forge{id: "gitlab", codes: map[string]granted{}, roles: map[gate.AccountID]gate.Role{}},
		clock:  &clock{},
	}
	people := func(c *web.Config) {
		c.Forges = append(c.Forges, api.Forge{Name: "gitlab", Kind: gate.GitLab, URL: "https://gitlab.com"})
		c.SignIns = map[gate.ForgeID]web.SignIn{"github": out.github, "gitlab": out.gitlab}
		c.Rights = map[gate.ForgeID]web.Rights{"github": out.github, "gitlab": out.gitlab}
		c.Administrators = []gate.AccountID{root().ID}
		c.Now = out.clock.now
	}
	out.world = newWorld(t, append([]func(*web.Config){people}, edits...)...)
	return out
}

// root administers the server; eve is nobody in particular.
func root() gate.Account {
	return gate.Account{ID: gate.AccountID{Forge: "github", ID: 901}, Login: "root", Human: true}
}

func eve() gate.Account {
	return gate.Account{ID: gate.AccountID{Forge: "github", ID: 902}, Login: "eve", Human: true}
}

// chrome is one person's browser: it keeps cookies and says where forms come from.
type chrome struct {
	t       *testing.T
	w       *world
	cookies map[string]*http.Cookie
}

func (w *world) chrome(t *testing.T) *chrome {
	t.Helper()
	return &chrome{t: t, w: w, cookies: map[string]*http.Cookie{}}
}

func (c *chrome) send(method, path, body string, header ...string) *httptest.ResponseRecorder {
	c.t.Helper()
	for _, cookie := range c.cookies {
		header = append(header, "Cookie: "+cookie.Name+"="+cookie.Value)
	}
	got := c.w.call(c.t, method, path, body, header...)
	for _, cookie := range got.Result().Cookies() {
		c.cookies[cookie.Name] = cookie
		if cookie.MaxAge < 0 {
			delete(c.cookies, cookie.Name)
		}
	}
	return got
}

// open follows a link on a page.
func (c *chrome) open(path string) *httptest.ResponseRecorder {
	c.t.Helper()
	return c.send(http.MethodGet, path, "", browser)
}

// submit sends a form of one of the server's pages.
func (c *chrome) submit(path string, form url.Values, header ...string) *httptest.ResponseRecorder {
	c.t.Helper()
	header = append(header, browser, "Content-Type: application/x-www-form-urlencoded", "Sec-Fetch-Site: same-origin", "Origin: "+origin)
	return c.send(http.MethodPost, path, form.Encode(), header...)
}

// session is the token in the cookie.
func (c *chrome) session() string {
	if cookie := c.cookies["__Host-countersign"]; cookie != nil {
		return cookie.Value
	}
	return ""
}

// begin starts a sign-in and returns what the forge is asked with.
func (c *chrome) begin(id gate.ForgeID, back string) url.Values {
	c.t.Helper()
	got := c.submit("/auth/"+string(id), url.Values{"back": {back}})
	at, err := url.Parse(got.Header().Get("Location"))
	if err != nil || got.Code != http.StatusSeeOther || at.Host != string(id)+".example" {
		c.t.Fatalf("answered %d to %q, %v: %s", got.Code, got.Header().Get("Location"), err, got.Body)
	}
	return at.Query()
}

// authorize has somebody agree at the forge; it returns the path to which it sends back.
func (f *forge) authorize(asked url.Values, who gate.Account) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	code := "code-" + asked.Get("state")[:8]
	f.codes[code] = granted{who: who, challenge: asked.Get("code_challenge"), redirect: asked.Get("redirect_uri")}
	return strings.TrimPrefix(asked.Get("redirect_uri"), origin) + "?" + url.Values{"code": {code}, "state": {asked.Get("state")}}.Encode()
}

// signedIn is somebody's browser after a sign-in.
func (w *town) signedIn(t *testing.T, who gate.Account) *chrome {
	t.Helper()
	c, f := w.chrome(t), w.github
	if who.ID.Forge == "gitlab" {
		f = w.gitlab
	}
	got := c.open(f.authorize(c.begin(f.id, "/"), who))
	if got.Code != http.StatusSeeOther {
		t.Fatalf("signing %s in answered %d: %s", who.Login, got.Code, got.Body)
	}
	return c
}

// manifest is the form of whoever saw what the record is about.
func manifest(rec gate.Record) url.Values {
	return url.Values{"manifest": {rec.Request.Manifest.Digest().String()}}
}

// private is a waiting request of a private repository.
func private(t *testing.T) gate.Record {
	t.Helper()
	rec := record(t, gate.StateWaiting, unapproved())
	rec.Request.Private = true
	return rec
}

func contains(body, text string) bool { return strings.Contains(body, text) }

func count(body, text string) int { return strings.Count(body, text) }

func twoDigits(n int) string { return strconv.Itoa(n/10) + strconv.Itoa(n%10) }

// older is where the page's link to older ones leads.
func older(body string) string {
	found := regexp.MustCompile(`href="([^"]+)">Older`).FindStringSubmatch(body)
	if found == nil {
		return ""
	}
	return html.UnescapeString(found[1])
}

func inOrder(t *testing.T, body string, parts ...string) {
	t.Helper()
	rest := body
	for _, p := range parts {
		i := strings.Index(rest, p)
		if i < 0 {
			t.Fatalf("the page does not say %q after what comes before it:\n%s", p, body)
		}
		rest = rest[i+len(p):]
	}
}
