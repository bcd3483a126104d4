package github_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign/countersign/forges"
	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
	"github.com/countersign/countersign/forges/github"
	"github.com/countersign/countersign/gate"
)

const (
	callback = "http://127.0.0.1:7/auth/github/callback"
	verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // of RFC 7636, appendix B
)

func challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// door is a team's GitHub with an OAuth client.
type door struct {
	*team
	forge *github.Forge
}

func newDoor(t *testing.T, o githubtest.Options) *door {
	t.Helper()
	o.Callbacks = []string{callback, callback + "/other"}
	d := &door{team: newTeam(t, o)}
	d.forge = d.open(func(*github.Config) {})
	d.team.forge = d.open(func(c *github.Config) { c.ClientID, c.ClientSecret = "", nil })
	return d
}

func (d *door) open(change func(*github.Config)) *github.Forge {
	d.t.Helper()
	cfg := settings(d.Server)
	change(&cfg)
	client, err := forges.NewClient(forges.Options{
		Bases: github.Bases(cfg), Pause: time.Millisecond, MaxPause: 20 * time.Millisecond, Timeout: time.Second, Now: cfg.Now,
	})
	if err != nil {
		d.t.Fatal(err)
	}
	cfg.Client = client
	f, err := github.New(cfg)
	if err != nil {
		d.t.Fatal(err)
	}
	return f
}

// browser is somebody's, who stops at the gate's door.
func (d *door) browser(login string) *http.Client {
	d.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		d.t.Fatal(err)
	}
	b := &http.Client{Jar: jar, CheckRedirect: func(req *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(req.URL.String(), callback) {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	if login != "" {
		d.read(b.Get(d.URL() + "/test-login?login=" + login))
	}
	return b
}

func (d *door) read(resp *http.Response, err error) (*http.Response, string) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
	body, err := readAll(resp)
	if err != nil {
		d.t.Fatal(err)
	}
	return resp, string(body)
}

var nonce = regexp.MustCompile(`name="authenticity_token" value="([0-9a-f]+)"`)

// answer goes through the page and is what comes back with the browser.
func (d *door) answer(b *http.Client, at, authorize string) url.Values {
	d.t.Helper()
	resp, page := d.read(b.Get(at))
	if m := nonce.FindStringSubmatch(page); m != nil {
		resp, _ = d.read(b.PostForm(d.URL()+"/login/oauth/authorize", url.Values{"authenticity_token": {m[1]}, "authorize": {authorize}}))
	}
	to, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || resp.StatusCode != http.StatusFound {
		d.t.Fatalf("expected to be sent back, got %d %v: %s", resp.StatusCode, err, page)
	}
	return to.Query()
}

func (d *door) code(login string) string {
	d.t.Helper()
	back := d.answer(d.browser(login), d.forge.AuthorizeURL("a state", challenge(verifier), callback), "1")
	if back.Get("state") != "a state" || back.Get("code") == "" {
		d.t.Fatalf("sent back with %v", back)
	}
	return back.Get("code")
}

func TestSignIn(t *testing.T) {
	for name, switches := range map[string]githubtest.Switches{"asked each time": {}, "asked once": {RemembersAuthorization: true}} {
		t.Run(name, func(t *testing.T) {
			d := newDoor(t, githubtest.Options{Switches: switches})
			if !d.forge.CanSignIn() || d.team.forge.CanSignIn() {
				t.Error("expected people to be able to sign in where a client is configured, and only there")
			}
			for range 2 {
				who, err := d.forge.Identify(t.Context(), d.code("ana"), verifier, callback)
				want := gate.Account{ID: account(d.ana), Login: "ana", Human: true}
				if err != nil || who != want {
					t.Errorf("got %+v, %v; want %+v", who, err, want)
				}
				if n := d.UserTokens(); n != 0 {
					t.Errorf("user tokens left: got %d, want 0", n)
				}
			}
		})
	}
}

func TestSignInThatIsRefused(t *testing.T) {
	d := newDoor(t, githubtest.Options{})
	used := d.code("ana")
	if _, err := d.forge.Identify(t.Context(), used, verifier, callback); err != nil {
		t.Fatal(err)
	}
	wrongSecret := d.open(func(c *github.Config) { c.ClientSecret = []byte("another") })
	for name, row := range map[string]struct {
		forge                    *github.Forge
		code, verifier, redirect string
		code_                    gate.Code
	}{
		"deny: a replayed code":             {d.forge, used, verifier, callback, gate.CodeSignIn},
		"deny: an invented code":            {d.forge, "0123456789abcdef0123", verifier, callback, gate.CodeSignIn},
		"deny: no code":                     {d.forge, "", verifier, callback, gate.CodeSignIn},
		"deny: a code with line ends":       {d.forge, "a\r\nb", verifier, callback, gate.CodeSignIn},
		"deny: an endless code":             {d.forge, strings.Repeat("a", 300), verifier, callback, gate.CodeSignIn},
		"deny: another browser's verifier":  {d.forge, d.code("ana"), strings.Repeat("v", 43), callback, gate.CodeSignIn},
		"deny: no verifier":                 {d.forge, d.code("ana"), "", callback, gate.CodeSignIn},
		"deny: another redirect":            {d.forge, d.code("ana"), verifier, callback + "/other", gate.CodeSignIn},
		"deny: a redirect to somebody else": {d.forge, d.code("ana"), verifier, "https://evil.example/", gate.CodeSignIn},
		"deny: a wrong client secret":       {wrongSecret, d.code("ana"), verifier, callback, gate.CodeForgeRefused},
		"deny: no client":                   {d.team.forge, d.code("ana"), verifier, callback, gate.CodeSignIn},
	} {
		who, err := row.forge.Identify(t.Context(), row.code, row.verifier, row.redirect)
		if gate.CodeOf(err) != row.code_ || gate.KindOf(err) != gate.Refused || who != (gate.Account{}) {
			t.Errorf("%s: got %+v, %v; want %s", name, who, err, row.code_)
		}
		d.tellsNothing(name, err)
	}
	if n := d.UserTokens(); n != 0 {
		t.Errorf("user tokens left: got %d, want 0", n)
	}
}

func TestSignInThatIsTooLate(t *testing.T) {
	var later atomic.Int64
	d := newDoor(t, githubtest.Options{Now: func() time.Time { return time.Now().Add(time.Duration(later.Load())) }})
	code := d.code("ana")
	later.Store(int64(10 * time.Minute))
	if _, err := d.forge.Identify(t.Context(), code, verifier, callback); gate.CodeOf(err) != gate.CodeSignIn {
		t.Errorf("got %v, want %s", err, gate.CodeSignIn)
	}
}

// What the person or the App's owner got wrong comes back with the browser.
func TestAuthorizePage(t *testing.T) {
	d := newDoor(t, githubtest.Options{})
	ask := d.forge.AuthorizeURL("s", challenge(verifier), callback)
	if got := d.answer(d.browser("ana"), ask, "0"); got.Get("error") != "access_denied" || got.Get("state") != "s" || got.Has("code") {
		t.Errorf("cancelled: got %v", got)
	}
	if got := d.answer(d.browser("ana"), d.forge.AuthorizeURL("s", challenge(verifier), "https://evil.example/"), "1"); got.Get("error") != "redirect_uri_mismatch" || got.Has("code") {
		t.Errorf("another redirect: got %v", got)
	}
	if got := d.answer(d.browser("ana"), d.forge.AuthorizeURL("s", "short", callback), "1"); got.Get("error") != "invalid_request" {
		t.Errorf("no challenge: got %v", got)
	}
	if _, page := d.read(d.browser("").Get(ask)); !strings.Contains(page, "/test-login?login=ana&amp;") {
		t.Errorf("signed out: expected to be asked who one is, got %s", page)
	}
	_, page := d.read(d.browser("ana").Get(ask))
	stolen := nonce.FindStringSubmatch(page)[1]
	resp, _ := d.read(d.browser("bo").PostForm(d.URL()+"/login/oauth/authorize", url.Values{"authenticity_token": {stolen}, "authorize": {"1"}}))
	if resp.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("somebody else's answer: got %d, want 422", resp.StatusCode)
	}
}

// leaked are what must not be in an error.
func (d *door) tellsNothing(name string, err error) {
	d.t.Helper()
	text := fmt.Sprintf("%v %+v %#v", err, err, err)
	for e := err; e != nil; e = errors.Unwrap(e) {
		text += fmt.Sprintf(" %+v %#v", e, e)
	}
	for _, secret := range []string{"ghu_", "ghr_", d.ClientSecret(), verifier} {
		if strings.Contains(text, secret) {
			d.t.Errorf("%s: the error holds %q: %s", name, secret, text)
		}
	}
}

func TestSignInWithHostileAnswers(t *testing.T) {
	const token = `{"access_token":"ghu_leaked","token_type":"bearer","scope":""}`
	huge := string(bytes.Repeat([]byte(" "), 70<<10)) + token
	at := func(path string, status int, body string) forgetest.Fault {
		return forgetest.Fault{Path: path, Status: status, Body: body}
	}
	const exchange, whoami = "/login/oauth/access_token", "/api/v3/user"
	for name, row := range map[string]struct {
		fault forgetest.Fault
		code  gate.Code
		kind  gate.Kind
	}{
		"no answer":                   {at(exchange, 0, ""), gate.CodeForgeUnavailable, gate.Unavailable},
		"500 with a token":            {at(exchange, 500, token), gate.CodeForgeUnavailable, gate.Unavailable},
		"502 with an error":           {at(exchange, 502, `{"error":"bad_verification_code"}`), gate.CodeForgeUnavailable, gate.Unavailable},
		"a page":                      {at(exchange, 200, "<!doctype html><p>ghu_leaked"), gate.CodeForgeUnexpected, gate.Unavailable},
		"a form":                      {at(exchange, 200, "access_token=ghu_leaked&token_type=bearer"), gate.CodeForgeUnexpected, gate.Unavailable},
		"null":                        {at(exchange, 200, "null"), gate.CodeForgeUnexpected, gate.Unavailable},
		"a list":                      {at(exchange, 200, "["+token+"]"), gate.CodeForgeUnexpected, gate.Unavailable},
		"nothing":                     {at(exchange, 200, "{}"), gate.CodeForgeUnexpected, gate.Unavailable},
		"no token":                    {at(exchange, 200, `{"access_token":"","token_type":"bearer"}`), gate.CodeForgeUnexpected, gate.Unavailable},
		"a token that is no header":   {at(exchange, 200, `{"access_token":"ghu_leaked\r\nX: y","token_type":"bearer"}`), gate.CodeForgeUnexpected, gate.Unavailable},
		"a token of another type":     {at(exchange, 200, `{"access_token":"ghu_leaked","token_type":"mac"}`), gate.CodeForgeUnexpected, gate.Unavailable},
		"a token and an error":        {at(exchange, 200, `{"access_token":"ghu_leaked","token_type":"bearer","error":"bad_verification_code"}`), gate.CodeSignIn, gate.Refused},
		"an error nobody documented":  {at(exchange, 200, `{"error":"ghu_leaked"}`), gate.CodeSignIn, gate.Refused},
		"an error as RFC 6749 has it": {at(exchange, 400, `{"error":"invalid_grant"}`), gate.CodeSignIn, gate.Refused},
		"an unverified address":       {at(exchange, 200, `{"error":"unverified_user_email"}`), gate.CodeSignIn, gate.Refused},
		"a suspended App":             {at(exchange, 200, `{"error":"application_suspended"}`), gate.CodeForgeRefused, gate.Refused},
		"no such client":              {at(exchange, 404, `Not Found`), gate.CodeForgeRefused, gate.Refused},
		"a redirect":                  {at(exchange, 302, token), gate.CodeForgeUnexpected, gate.Unavailable},
		"too much":                    {at(exchange, 200, huge), gate.CodeForgeUnexpected, gate.Unavailable},
		"too deep":                    {at(exchange, 200, strings.Repeat("[", 200)), gate.CodeForgeUnavailable, gate.Unavailable},
		"nobody":                      {at(whoami, 200, "{}"), gate.CodeForgeUnexpected, gate.Unavailable},
		"somebody without number":     {at(whoami, 200, `{"login":"ana","type":"User"}`), gate.CodeForgeUnexpected, gate.Unavailable},
		"somebody without login":      {at(whoami, 200, `{"id":12,"type":"User"}`), gate.CodeForgeUnexpected, gate.Unavailable},
		"a bot":                       {at(whoami, 200, `{"id":12,"login":"a[bot]","type":"Bot"}`), gate.CodeSignIn, gate.Refused},
		"an organisation":             {at(whoami, 200, `{"id":12,"login":"acme","type":"Organization"}`), gate.CodeSignIn, gate.Refused},
		"a type nobody knows":         {at(whoami, 200, `{"id":12,"login":"acme","type":"Mannequin"}`), gate.CodeSignIn, gate.Refused},
		"GitHub's own user":           {at(whoami, 200, `{"id":19864447,"login":"web-flow","type":"User"}`), gate.CodeSignIn, gate.Refused},
		"a token that is refused":     {at(whoami, 401, `{"message":"Bad credentials"}`), gate.CodeForgeRefused, gate.Refused},
		"an API that is down":         {at(whoami, 503, ""), gate.CodeForgeUnavailable, gate.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDoor(t, githubtest.Options{})
			code := d.code("ana")
			restore := d.Fail(row.fault)
			defer restore()
			who, err := d.forge.Identify(t.Context(), code, verifier, callback)
			if gate.CodeOf(err) != row.code || gate.KindOf(err) != row.kind || who != (gate.Account{}) {
				t.Errorf("got %+v, %v (kind %d); want %s, kind %d", who, err, gate.KindOf(err), row.code, row.kind)
			}
			d.tellsNothing(name, err)
			if n := d.UserTokens(); n != 0 {
				t.Errorf("user tokens left: got %d, want 0", n)
			}
		})
	}
}

func TestSignInThatIsGivenUp(t *testing.T) {
	d := newDoor(t, githubtest.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.forge.Identify(ctx, d.code("ana"), verifier, callback); gate.KindOf(err) != gate.Unavailable {
		t.Errorf("got %v, want unavailable", err)
	}
}

// A token that GitHub does not take back does not keep its owner out.
func TestSignInWithoutRevocation(t *testing.T) {
	d := newDoor(t, githubtest.Options{})
	defer d.Fail(forgetest.Fault{Method: http.MethodDelete, Path: "/applications/", Status: 503})()
	if who, err := d.forge.Identify(t.Context(), d.code("ana"), verifier, callback); err != nil || who.ID != account(d.ana) {
		t.Errorf("got %+v, %v", who, err)
	}
}

func TestSignInConfiguration(t *testing.T) {
	key := githubtestKey(t)
	for name, change := range map[string]func(*github.Config){
		"an ID without its secret": func(c *github.Config) { c.ClientID = "Iv1.x" },
		"a secret without its ID":  func(c *github.Config) { c.ClientSecret = []byte("x") },
		"no place to sign in":      func(c *github.Config) { c.ClientID, c.ClientSecret, c.URL = "Iv1.x", []byte("x"), "" },
		"a place with a query": func(c *github.Config) {
			c.ClientID, c.ClientSecret, c.URL = "Iv1.x", []byte("x"), "https://x.example/?a=b"
		},
	} {
		cfg := github.Config{
			Forge: "gh", URL: "https://github.com", APIURL: "https://api.github.com", AppID: 1, PrivateKey: key, WebhookSecret: []byte("s"), Now: fixedNow,
		}
		change(&cfg)
		if _, err := github.New(cfg); err == nil {
			t.Errorf("%s: expected an error", name)
		}
	}
}
