package setup_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/web/setup"
)

// site is a setup at any step, whose forge says whatever a test wants.
type site struct {
	state  setup.State
	text   string // what every foreign field holds
	codes  []string
	fault  error
	person gate.Account
	wrote  []string
}

func (s *site) State() setup.State { return s.state }

func (s *site) Bind(_ context.Context, h []setup.Holder) error {
	s.state.Holders = h
	return nil
}

func (s *site) Appoint(_ context.Context, who gate.Account) error {
	s.state.Administrator = who
	return nil
}

func (s *site) MakeKey(_ context.Context, lineage string) error {
	s.wrote = append(s.wrote, lineage)
	return s.fault
}

func (s *site) Finish(context.Context) (http.Handler, error) {
	return http.RedirectHandler("/operations/doctor", http.StatusSeeOther), s.fault
}

func (s *site) Manifest(web, _, state string) (setup.Form, error) {
	return setup.Form{Action: web + "/settings/apps/new?state=" + state, Manifest: s.text}, s.fault
}

func (s *site) Convert(_ context.Context, web, code string) error {
	s.codes = append(s.codes, web+" "+code)
	s.state.Kind, s.state.ForgeURL, s.state.InstallURL = gate.GitHub, web, web+"/install"
	return s.fault
}

func (s *site) UseApp(context.Context, setup.GivenApp) error { return s.fault }

func (s *site) Installations(context.Context) ([]setup.Installation, error) {
	return []setup.Installation{{ID: 7, Holder: setup.Holder{ID: "github:9000", Name: s.text, Owner: true}}}, nil
}

func (s *site) UseBot(context.Context, setup.GivenBot) error { return s.fault }

func (s *site) Projects(context.Context) ([]setup.Holder, error) {
	return []setup.Holder{{ID: "gitlab:7", Name: s.text}}, nil
}

func (s *site) Hook(context.Context, []setup.Holder) ([]api.Finding, error) { return nil, s.fault }

func (s *site) AuthorizeURL(state, challenge, redirect string) string {
	return "https://forge.example/authorize?" + url.Values{"state": {state}, "challenge": {challenge}, "redirect": {redirect}}.Encode()
}

func (s *site) Identify(_ context.Context, code, _, _ string) (gate.Account, error) {
	s.codes = append(s.codes, code)
	return s.person, s.fault
}

// visit is a browser that was let in.
type visit struct {
	t       *testing.T
	site    *site
	handler http.Handler
	cookies []*http.Cookie
	now     time.Time
}

func visiting(t *testing.T, s *site) *visit {
	t.Helper()
	v := &visit{t: t, site: s, now: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)}
	v.handler = setup.Handler(setup.Config{
		Server: &url.URL{Scheme: "https", Host: "gate.example"}, Secret: "the-secret", Site: s, GitHub: s, GitLab: s,
		SignIn: func() (setup.SignIn, error) { return s, nil }, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return v.now },
	})
	v.cookies = v.get("/setup?key=the-secret").Cookies()
	if len(v.cookies) != 1 || v.cookies[0].Name != "__Host-countersign-setup" || !v.cookies[0].Secure || !v.cookies[0].HttpOnly || v.cookies[0].SameSite != http.SameSiteLaxMode {
		t.Fatalf("cookies: %v", v.cookies)
	}
	return v
}

func (v *visit) do(r *http.Request) *http.Response {
	v.t.Helper()
	for _, c := range v.cookies {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	v.handler.ServeHTTP(w, r)
	return w.Result()
}

func (v *visit) get(path string) *http.Response {
	v.t.Helper()
	return v.do(httptest.NewRequestWithContext(v.t.Context(), http.MethodGet, "https://gate.example"+path, nil))
}

func (v *visit) post(path string, form url.Values, headers ...string) *http.Response {
	v.t.Helper()
	r := httptest.NewRequestWithContext(v.t.Context(), http.MethodPost, "https://gate.example"+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return v.do(r)
}

var stateOf = regexp.MustCompile(`state=([A-Za-z0-9_-]+)`)

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	var b strings.Builder
	if err := html.Render(&b, must(html.Parse(r.Body))); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func must[T any](x T, err error) T {
	if err != nil {
		panic(err)
	}
	return x
}

// A state is good once, for what it was given for, for a while; the code goes to the forge
// that the browser was sent to, whatever the address says.
func TestStates(t *testing.T) {
	register := func(v *visit) string {
		page := body(v.t, v.post("/setup/github", url.Values{"web": {"https://github.com"}, "owner": {"person"}}))
		return stateOf.FindStringSubmatch(page)[1]
	}
	for name, row := range map[string]struct {
		path  func(v *visit) string
		says  string
		codes int
	}{
		"as given": {func(v *visit) string {
			return "/setup/github/created?code=c&web=https://evil.example&state=" + register(v)
		}, "", 1},
		"forged": {func(*visit) string { return "/setup/github/created?code=c&state=forged" }, "nothing was begun", 0},
		"none":   {func(*visit) string { return "/setup/github/created?code=c" }, "nothing was begun", 0},
		"too late": {func(v *visit) string {
			s := register(v)
			v.now = v.now.Add(time.Hour)
			return "/setup/github/created?code=c&state=" + s
		}, "nothing was begun", 0},
		"elsewhere": {func(v *visit) string { return "/auth/github/callback?code=c&state=" + register(v) }, "nothing was begun", 0},
		"for others": {func(v *visit) string {
			s := register(v)
			v.cookies = nil
			return "/setup/github/created?code=c&state=" + s
		}, "whoever holds the link", 0},
		"a second time": {func(v *visit) string {
			path := "/setup/github/created?code=c&state=" + register(v)
			v.get(path)
			return path
		}, "nothing was begun", 1},
	} {
		s := &site{}
		v := visiting(t, s)
		r := v.get(row.path(v))
		if page := body(t, r); row.says != "" && (r.StatusCode != http.StatusForbidden || !strings.Contains(page, row.says)) {
			t.Errorf("%s: expected a refusal that says %q, got %d", name, row.says, r.StatusCode)
		}
		if len(s.codes) != row.codes || row.codes > 0 && s.codes[0] != "https://github.com c" {
			t.Errorf("%s: exchanged %q", name, s.codes)
		}
	}
}

// Whoever comes from another site, or out of turn, changes nothing.
func TestForeignForms(t *testing.T) {
	done := setup.State{
		Kind: gate.GitHub, Holders: []setup.Holder{{ID: "github:9000"}}, Administrator: gate.Account{ID: gate.AccountID{Forge: "github", ID: 1}},
	}
	s := &site{state: done}
	v := visiting(t, s)
	if r := v.post("/setup/key", url.Values{"lineage": {"x"}}, "Sec-Fetch-Site", "cross-site"); r.StatusCode != http.StatusForbidden {
		t.Errorf("from another site: %d", r.StatusCode)
	}
	if r := v.post("/setup/finish", nil); r.StatusCode != http.StatusConflict {
		t.Errorf("out of turn: %d", r.StatusCode)
	}
	if r := v.post("/setup/key", url.Values{"lineage": {strings.Repeat("x", 100<<10)}}); r.StatusCode != http.StatusBadRequest {
		t.Errorf("huge: %d", r.StatusCode)
	}
	if len(s.wrote) > 0 {
		t.Errorf("wrote %q", s.wrote)
	}
	s.fault = errors.New("a path /etc/countersign/secret")
	if page := body(t, v.post("/setup/key", url.Values{"lineage": {"x"}})); strings.Contains(page, "/etc/countersign") || !strings.Contains(page, "went wrong in the server") {
		t.Errorf("an internal error is told:\n%s", page)
	}
	s.fault, s.state.Administrator = nil, gate.Account{}
	s.person = gate.Account{ID: gate.AccountID{Forge: "github", ID: 5}, Login: "bot[bot]"}
	to := must(url.Parse(v.post("/setup/sign-in", nil).Header.Get("Location")))
	if r := v.get("/auth/github/callback?code=c&state=" + to.Query().Get("state")); r.StatusCode != http.StatusForbidden || s.state.Administrator.ID.ID != 0 {
		t.Errorf("a machine became administrator: %d", r.StatusCode)
	}
}

// Whatever names forges and people have, the pages keep their shape.
func TestHostileNames(t *testing.T) {
	shapes := func(text string) []string {
		link := "javascript:alert(1)//" + text // no page links there, whatever the text
		hub := setup.State{Kind: gate.GitHub, ForgeURL: link, Account: text, InstallURL: link, Token: text, Software: true}
		lab := hub
		lab.Kind, lab.InstallURL = gate.GitLab, ""
		bound := hub
		bound.Holders = []setup.Holder{{ID: text, Name: text, Owner: true}, {ID: text, Name: text}}
		signed := bound
		signed.Administrator = gate.Account{ID: gate.AccountID{Forge: "github", ID: 1}, Login: text}
		whole := signed
		whole.Key = setup.Key{Lineage: text, Fingerprint: text}
		var out []string
		for _, state := range []setup.State{{}, hub, lab, bound, signed, whole} {
			v := visiting(t, &site{state: state, text: text, fault: &gate.Error{Kind: gate.Invalid, Code: gate.CodeConfig, Text: text, Expected: text, Got: text, Fix: text}})
			r := v.get("/setup")
			if csp := r.Header.Get("Content-Security-Policy"); strings.Contains(csp, "unsafe") || !strings.Contains(csp, "default-src 'none'") {
				t.Errorf("CSP %q", csp)
			}
			out = append(out, shape(t, r), shape(t, v.post("/setup/key", url.Values{"lineage": {text}})))
		}
		v := visiting(t, &site{text: text})
		return append(out, shape(t, v.post("/setup/github", url.Values{"web": {"https://github.com"}, "owner": {"person"}})))
	}
	want := shapes("harmless")
	for _, text := range []string{`"><script>alert(1)</script>`, `' onload='x`, "</p></main><form action=//evil.example>", "{{.}}", "\u202e\x00<b>", "javascript:alert(1)"} {
		for i, got := range shapes(text) {
			if got != want[i] {
				t.Errorf("%q changes page %d:\n%s\nexpected\n%s", text, i, got, want[i])
			}
		}
	}
}

// shape is a page's elements with their attributes' names, without links that a browser
// would run.
func shape(t *testing.T, r *http.Response) string {
	t.Helper()
	var out []string
	for n := range must(html.Parse(r.Body)).Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		var names []string
		for _, a := range n.Attr {
			names = append(names, a.Key)
			if (a.Key == "href" || a.Key == "action" || a.Key == "src") && strings.HasPrefix(strings.ToLower(strings.TrimSpace(a.Val)), "javascript:") {
				t.Errorf("%s %s=%q", n.Data, a.Key, a.Val)
			}
		}
		slices.Sort(names)
		out = append(out, n.Data+strings.Join(names, ","))
	}
	return strings.Join(out, " ")
}
