package adaptertest

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/gate"
)

// Callback is where the world sends browsers back to: its OAuth client has to know it.
const Callback = "https://gate.example/auth/forge/callback"

// door is web.SignIn, which an adapter under test is, with an OAuth client of the world.
type door interface {
	CanSignIn() bool
	AuthorizeURL(state, challenge, redirect string) string
	Identify(ctx context.Context, code, verifier, redirect string) (gate.Account, error)
}

const pkce = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // of RFC 7636, appendix B

func (s *stage) door() door {
	s.t.Helper()
	d, is := s.adapter.(door)
	if !is || !d.CanSignIn() {
		s.t.Fatal("expected an adapter through which people sign in, with an OAuth client")
	}
	return d
}

// consent goes through the forge's pages as p, presses the button, and is what comes back
// in the URL.
func (s *stage) consent(p forgetest.Person, button string) url.Values {
	s.t.Helper()
	sum := sha256.Sum256([]byte(pkce))
	at := s.door().AuthorizeURL("the state", base64.RawURLEncoding.EncodeToString(sum[:]), Callback)
	web, _, _ := strings.Cut(at, "/oauth/authorize")
	web = strings.TrimSuffix(web, "/login")
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	b := &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if !strings.HasPrefix(r.URL.String(), web+"/") {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	s.visit(b, http.MethodGet, web+"/test-login?login="+url.QueryEscape(p.Login), nil)
	asked := s.visit(b, http.MethodGet, at, nil)
	action, form := pressed(asked.text, button)
	if form == nil {
		s.t.Fatalf("expected a page with the button %q, got %d: %s", button, asked.status, asked.text)
	}
	to, err := asked.at.Parse(action)
	if err != nil {
		s.t.Fatal(err)
	}
	answer := s.visit(b, http.MethodPost, to.String(), form)
	back, err := url.Parse(answer.location)
	if err != nil || !strings.HasPrefix(back.String(), Callback+"?") {
		s.t.Fatalf("expected to be sent back, got %d to %q: %s", answer.status, back, answer.text)
	}
	return back.Query()
}

// page is what a browser is shown.
type page struct {
	at             *url.URL
	status         int
	location, text string
}

func (s *stage) visit(b *http.Client, method, at string, form url.Values) page {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, at, strings.NewReader(form.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := b.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }() // read only
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return page{res.Request.URL, res.StatusCode, res.Header.Get("Location"), string(text)}
}

// pressed is the form with a button whose words begin so, filled in as by a browser.
func pressed(text, button string) (action string, form url.Values) {
	field := regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
	press := regexp.MustCompile(`<button([^>]*)>` + button)
	pair := regexp.MustCompile(` name="([^"]*)"(?: value="([^"]*)")?`)
	for _, f := range regexp.MustCompile(`(?s)<form[^>]* action="([^"]*)"[^>]*>(.*?)</form>`).FindAllStringSubmatch(text, -1) {
		m := press.FindStringSubmatch(f[2])
		if m == nil {
			continue
		}
		form = url.Values{}
		for _, x := range field.FindAllStringSubmatch(f[2], -1) {
			form.Set(html.UnescapeString(x[1]), html.UnescapeString(x[2]))
		}
		if x := pair.FindStringSubmatch(m[1]); x != nil {
			form.Set(x[1], html.UnescapeString(x[2]))
		}
		return html.UnescapeString(f[1]), form
	}
	return "", nil
}

func (s *stage) code(p forgetest.Person) string {
	s.t.Helper()
	back := s.consent(p, "Authorize")
	if back.Get("state") != "the state" || back.Get("code") == "" {
		s.t.Fatalf("sent back with %v, expected the state and a code", back)
	}
	return back.Get("code")
}

func (s *stage) refuses(name, code, verifier, redirect string) {
	s.t.Helper()
	who, err := s.door().Identify(s.t.Context(), code, verifier, redirect)
	if gate.CodeOf(err) != gate.CodeSignIn || gate.KindOf(err) != gate.Refused || who != (gate.Account{}) {
		s.t.Errorf("%s: got %+v, %v; want %s", name, who, err, gate.CodeSignIn)
	}
}

func signInRows() []row {
	return []row{
		{"allow: who consents is known by number", func(s *stage) {
			for _, p := range []forgetest.Person{s.ana, s.bo} {
				who, err := s.door().Identify(s.t.Context(), s.code(p), pkce, Callback)
				if want := (gate.Account{ID: id(p), Login: p.Login, Human: true}); err != nil || who != want {
					s.t.Errorf("got %+v, %v; want %+v", who, err, want)
				}
			}
		}},
		{"deny: a replayed code", func(s *stage) {
			code := s.code(s.ana)
			if _, err := s.door().Identify(s.t.Context(), code, pkce, Callback); err != nil {
				s.t.Fatal(err)
			}
			s.refuses("replayed", code, pkce, Callback)
		}},
		{"deny: a code of another browser, or for another place", func(s *stage) {
			s.refuses("verifier", s.code(s.ana), strings.Repeat("v", 43), Callback)
			s.refuses("redirect", s.code(s.ana), pkce, "https://evil.example/callback")
			s.refuses("invented", "0123456789abcdef", pkce, Callback)
			s.refuses("none", "", pkce, Callback)
		}},
		{"deny: who cancels gives no code", func(s *stage) {
			if back := s.consent(s.ana, "Cancel"); back.Has("code") || back.Get("error") != "access_denied" || back.Get("state") != "the state" {
				s.t.Errorf("got %v", back)
			}
		}},
		{"a forge that is down keeps everybody out for now", func(s *stage) {
			code := s.code(s.ana)
			s.Fail(forgetest.Fault{Path: "/user", Status: http.StatusServiceUnavailable})
			if who, err := s.door().Identify(s.t.Context(), code, pkce, Callback); gate.KindOf(err) != gate.Unavailable || who != (gate.Account{}) {
				s.t.Errorf("got %+v, %v", who, err)
			}
		}},
	}
}
