package gitlab_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/forges"
	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
	"github.com/countersign/countersign/forges/gitlab"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/web"
)

var (
	_ web.SignIn = (*gitlab.Forge)(nil)
	_ web.Rights = (*gitlab.Forge)(nil)
)

const (
	redirect     = "https://gate.example/auth/gl/callback"
	clientSecret = "the application's secret"
)

// pkce is a verifier and its S256 challenge.
func pkce() (verifier, challenge string) {
	verifier = rand.Text() + rand.Text()
	sum := sha256.Sum256([]byte(verifier))
	return verifier, base64.RawURLEncoding.EncodeToString(sum[:])
}

// signIn is the adapter for a GitLab with its OAuth application.
func signIn(t *testing.T, base, id, clientSecret string) *gitlab.Forge {
	t.Helper()
	client, err := forges.NewClient(forges.Options{Bases: []string{base}, Tries: 1, Now: time.Now, Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	f, err := gitlab.New(gitlab.Config{
		Forge: "gl", URL: base, Token: "glpat-bot", WebhookSecret: []byte(secret), ClientID: id, ClientSecret: clientSecret,
		Client: client, Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// consent has p click Authorize and returns the code that comes back.
func consent(t *testing.T, s *gitlabtest.Server, f *gitlab.Forge, p forgetest.Person, challenge string) string {
	t.Helper()
	back, err := url.Parse(s.Consent(p, f.AuthorizeURL("the state", challenge, redirect)))
	if err != nil || back.Query().Get("state") != "the state" || back.Host != "gate.example" {
		t.Fatalf("back at %v, %v", back, err)
	}
	return back.Query().Get("code")
}

func TestSignIn(t *testing.T) {
	for name, o := range map[string]gitlabtest.Options{"at its host": {}, "below its host": {SubPath: "/code"}} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, o)
			s.RegisterRedirect(redirect)
			f := signIn(t, s.URL(), s.ClientID(), s.ClientSecret())
			verifier, challenge := pkce()
			got, err := f.Identify(t.Context(), consent(t, s.Server, f, s.ana, challenge), verifier, redirect)
			want := gate.Account{ID: gate.AccountID{Forge: "gl", ID: s.ana.ID}, Login: "ana", Human: true}
			if err != nil || got != want {
				t.Errorf("expected %+v, got %+v, %v", want, got, err)
			}
			if n := s.LiveUserTokens(); n != 0 {
				t.Errorf("expected the user's token revoked, %d are left", n)
			}
			if !f.CanSignIn() || s.forge.CanSignIn() {
				t.Error("signing in goes by the configured application")
			}
		})
	}
}

// what GitLab does not take is the user's to start again, and never says who they are
func TestSignInRefused(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	f := signIn(t, s.URL(), s.ClientID(), s.ClientSecret())
	verifier, challenge := pkce()
	fresh := func() string { return consent(t, s.Server, f, s.ana, challenge) }
	used := fresh()
	if _, err := f.Identify(t.Context(), used, verifier, redirect); err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct{ code, verifier, redirect string }{
		"a code used before":          {used, verifier, redirect},
		"a code that nobody gave":     {"0123456789abcdef", verifier, redirect},
		"no code":                     {"", verifier, redirect},
		"an endless code":             {strings.Repeat("a", 513), verifier, redirect},
		"another's verifier":          {fresh(), "another verifier", redirect},
		"no verifier":                 {fresh(), "", redirect},
		"another redirect":            {fresh(), verifier, redirect + "/other"},
		"a code with a line end":      {"abc\r\nX-Evil: 1", verifier, redirect},
		"a code with more in it":      {used + "&code=" + used, verifier, redirect},
		"the verifier's own S256":     {fresh(), challenge, redirect},
		"a verifier cut short by one": {fresh(), verifier[1:], redirect},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := f.Identify(t.Context(), row.code, row.verifier, row.redirect)
			if gate.KindOf(err) != gate.Refused || gate.CodeOf(err) != gate.CodeSignIn || a != (gate.Account{}) {
				t.Errorf("expected CodeSignIn refused, got %+v, %v", a, err)
			}
			quiet(t, err, row.code, row.verifier, s.ClientSecret())
		})
	}
	if n := s.LiveUserTokens(); n != 0 {
		t.Errorf("%d tokens are left", n)
	}
}

func quiet(t *testing.T, err error, secrets ...string) {
	t.Helper()
	var e *gate.Error
	if !errors.As(err, &e) || e.Fix == "" || e.Text == "" {
		t.Errorf("expected an error with its fix, got %+v", err)
	}
	for _, s := range secrets {
		if len(s) > 8 && (strings.Contains(err.Error(), s) || strings.Contains(fmt.Sprintf("%+v %#v", err, err), s)) {
			t.Errorf("secret %q in %v", s, err)
		}
	}
}

func TestSignInOfAnotherApplication(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	f := signIn(t, s.URL(), s.ClientID(), "another secret")
	verifier, challenge := pkce()
	_, err := f.Identify(t.Context(), consent(t, s.Server, f, s.ana, challenge), verifier, redirect)
	if gate.KindOf(err) != gate.Refused || gate.CodeOf(err) != gate.CodeForgeRefused {
		t.Errorf("got %v", err)
	}
	quiet(t, err, "another secret")
}

func TestSignInOfTheBlocked(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	f := signIn(t, s.URL(), s.ClientID(), s.ClientSecret())
	for name, spoil := range map[string]func(){
		"blocked":     func() { s.SetState(s.ana, "blocked") },
		"deactivated": func() { s.SetState(s.ana, "deactivated") },
		"locked":      func() { s.SetState(s.ana, "active"); s.SetLocked(s.ana, true) },
	} {
		t.Run(name, func(t *testing.T) {
			s.SetState(s.ana, "active")
			s.SetLocked(s.ana, false)
			verifier, challenge := pkce()
			code := consent(t, s.Server, f, s.ana, challenge)
			spoil()
			_, err := f.Identify(t.Context(), code, verifier, redirect)
			if gate.KindOf(err) != gate.Refused || gate.CodeOf(err) != gate.CodeSignIn {
				t.Errorf("got %v", err)
			}
			if n := s.LiveUserTokens(); n != 0 {
				t.Errorf("%d tokens are left", n)
			}
		})
	}
}

const whoami = `{"id":7,"username":"ana","state":"active","locked":false,"bot":false}`

// a forge that answers anything at all identifies nobody by it
func TestSignInHostileAnswers(t *testing.T) {
	const token = `{"access_token":"user-token-1234567890","token_type":"Bearer"}`
	for name, row := range map[string]struct {
		status      int
		token, user string
		kind        gate.Kind
	}{
		"as described":                  {200, token, whoami, -1},
		"no id":                         {200, token, `{"username":"ana","state":"active","bot":false}`, gate.Unavailable},
		"an id below zero":              {200, token, `{"id":-7,"username":"ana","state":"active","bot":false}`, gate.Unavailable},
		"an id in words":                {200, token, `{"id":"7","username":"ana","state":"active","bot":false}`, gate.Unavailable},
		"no name":                       {200, token, `{"id":7,"state":"active","bot":false}`, gate.Unavailable},
		"no state":                      {200, token, `{"id":7,"username":"ana","bot":false}`, gate.Unavailable},
		"a bot":                         {200, token, `{"id":7,"username":"ana","state":"active","bot":true}`, gate.Refused},
		"not said whether a bot":        {200, token, `{"id":7,"username":"ana","state":"active"}`, gate.Refused},
		"a bot, said as null":           {200, token, `{"id":7,"username":"ana","state":"active","bot":null}`, gate.Refused},
		"banned":                        {200, token, `{"id":7,"username":"ana","state":"banned","bot":false}`, gate.Refused},
		"a list":                        {200, token, `[` + whoami + `]`, gate.Unavailable},
		"null":                          {200, token, `null`, gate.Unavailable},
		"cut":                           {200, token, whoami[:20], gate.Unavailable},
		"two answers":                   {200, token, whoami + whoami, gate.Unavailable},
		"HTML":                          {200, token, `<html>`, gate.Unavailable},
		"endless":                       {200, token, whoami + strings.Repeat(" ", 1<<17), gate.Unavailable},
		"no token":                      {200, `{"token_type":"Bearer"}`, whoami, gate.Unavailable},
		"a token of another type":       {200, `{"access_token":"user-token-1234567890","token_type":"mac"}`, whoami, gate.Unavailable},
		"a token in a list":             {200, `{"access_token":["user-token-1234567890"],"token_type":"Bearer"}`, whoami, gate.Unavailable},
		"a token endpoint of HTML":      {200, `<html>user-token-1234567890`, whoami, gate.Unavailable},
		"a token endpoint that is down": {502, `<html>`, whoami, gate.Unavailable},
		"a token under a refusal":       {400, token, whoami, gate.Refused},
		"a token under a redirect":      {302, token, whoami, gate.Unavailable},
		"a token under 201":             {201, token, whoami, gate.Unavailable},
		"too many":                      {429, `{}`, whoami, gate.Unavailable},
		"an error under 200":            {200, `{"error":"invalid_client","access_token":"user-token-1234567890","token_type":"Bearer"}`, whoami, gate.Refused},
	} {
		t.Run(name, func(t *testing.T) {
			revoked := false
			mux := http.NewServeMux()
			mux.HandleFunc("POST /oauth/token", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(row.status)
				_, _ = w.Write([]byte(row.token))
			})
			mux.HandleFunc("GET /api/v4/user", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(row.user)) })
			mux.HandleFunc("POST /oauth/revoke", func(_ http.ResponseWriter, r *http.Request) {
				revoked = r.PostFormValue("token") == "user-token-1234567890"
			})
			server := httptest.NewServer(mux)
			t.Cleanup(server.Close)
			f := signIn(t, server.URL, "id", clientSecret)
			a, err := f.Identify(t.Context(), "a code of a browser", "a verifier of a browser", redirect)
			if row.kind < 0 {
				if err != nil || a.ID.ID != 7 || !revoked {
					t.Errorf("got %+v, revoked %t, %v", a, revoked, err)
				}
				return
			}
			if err == nil || gate.KindOf(err) != row.kind || a != (gate.Account{}) {
				t.Fatalf("expected kind %d, got %+v, %v", row.kind, a, err)
			}
			quiet(t, err, clientSecret, "user-token-1234567890", "a code of a browser", "a verifier of a browser")
		})
	}
}

// a browser that leaves early leaves no token behind
func TestSignInRevokesWhateverHappens(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	f := signIn(t, s.URL(), s.ClientID(), s.ClientSecret())
	verifier, challenge := pkce()
	ctx, cancel := context.WithCancel(t.Context())
	code := consent(t, s.Server, f, s.ana, challenge)
	s.Fail(forgetest.Fault{Path: "/api/v4/user", Status: http.StatusBadGateway})
	_, err := f.Identify(ctx, code, verifier, redirect)
	cancel()
	if gate.KindOf(err) != gate.Unavailable || s.LiveUserTokens() != 0 {
		t.Errorf("%d tokens left, %v", s.LiveUserTokens(), err)
	}
	// GitLab down for the revocation: the person is who they are all the same.
	s.Fail(forgetest.Fault{Path: "/oauth/revoke", Status: http.StatusBadGateway})
	s2 := newStage(t, gitlabtest.Options{})
	f2 := signIn(t, s2.URL(), s2.ClientID(), s2.ClientSecret())
	s2.Fail(forgetest.Fault{Path: "/oauth/revoke", Status: http.StatusBadGateway})
	a, err := f2.Identify(t.Context(), consent(t, s2.Server, f2, s2.ana, challenge), verifier, redirect)
	if err != nil || a.ID.ID != s2.ana.ID {
		t.Errorf("got %+v, %v", a, err)
	}
}

func TestSignInConfiguration(t *testing.T) {
	for name, c := range map[string]gitlab.Config{
		"a client without its secret": {ClientID: "id"}, "a secret without its client": {ClientSecret: clientSecret},
	} {
		t.Run(name, func(t *testing.T) {
			c.Forge, c.URL, c.Token, c.WebhookSecret, c.Now = "gl", "https://gitlab.example", "x", []byte("x"), time.Now
			_, err := gitlab.New(c)
			if gate.CodeOf(err) != gate.CodeConfig {
				t.Errorf("got %v", err)
			}
			quiet(t, err, clientSecret)
		})
	}
	s := newStage(t, gitlabtest.Options{})
	if _, err := s.forge.Identify(t.Context(), "code", "verifier", redirect); gate.CodeOf(err) != gate.CodeConfig {
		t.Errorf("without an application: %v", err)
	}
}
