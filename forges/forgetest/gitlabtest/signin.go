package gitlabtest

import (
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/countersign/countersign/forges/forgetest"
)

// session is a browser at the web side.
type session struct {
	account *account
	back    string // where to go after signing in
	csrf    string
}

const sessionCookie = "_gitlab_session"

// webRoutes are what a browser meets: the pages of GitLab that signing in to an
// application leads through, and /test-login, which is the double's own.
func (s *Server) webRoutes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"GET /oauth/authorize":  s.authorizePage,
		"POST /oauth/authorize": s.authorizeDecided,
		"POST /oauth/token":     s.oauthToken,
		"POST /oauth/revoke":    s.oauthRevoke,
		"GET /users/sign_in":    s.signInPage,
		"GET /test-login":       s.testLogin,
	}
}

func (s *Server) sessionOf(r *http.Request) *session {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return nil
	}
	return s.sessions[cookie.Value]
}

// newSession gives the browser a fresh cookie, as signing in does.
func (s *Server) newSession(w http.ResponseWriter) *session {
	id, made := randomHex(16), &session{csrf: randomHex(16)}
	s.sessions[id] = made
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Value: id, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	return made
}

// SignIn is a browser's cookie of p signed in at the web side.
func (s *Server) SignIn(p forgetest.Person) *http.Cookie {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := randomHex(16)
	s.sessions[id] = &session{account: s.account(p), csrf: randomHex(16)}
	return &http.Cookie{Name: sessionCookie, Value: id, Path: "/"}
}

// testLogin sets who is signed in: /test-login?login=ana. A blocked account and a bot
// cannot sign in.
func (s *Server) testLogin(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	back := s.base + "/"
	if old := s.sessionOf(r); old != nil && old.back != "" {
		back = old.back
	}
	for _, a := range s.accounts {
		if a.login != r.URL.Query().Get("login") {
			continue
		}
		if a.state != "active" || a.bot {
			http.Error(w, "Your account has been blocked.", http.StatusForbidden)
			return
		}
		s.newSession(w).account = a
		http.Redirect(w, r, back, http.StatusFound)
		return
	}
	http.Error(w, "Invalid login or password.", http.StatusUnauthorized)
}

var pages = template.Must(template.New("").Parse(`{{define "top"}}<!doctype html><html lang="en"><head><meta charset="utf-8">` +
	`<meta name="viewport" content="width=device-width"><title>{{.}} · GitLab</title></head><body><main><h1>{{.}}</h1>{{end}}
{{define "sign_in"}}{{template "top" "Sign in"}}<ul>{{range .People}}<li><a href="{{$.Base}}/test-login?login={{.}}">{{.}}</a></li>{{end}}</ul></main></body></html>{{end}}
{{define "authorize"}}{{template "top" "Authorize"}}<p>{{.App}} is requesting access to your account, {{.Login}}.</p><p>Scopes: {{.Scope}}</p>
<form method="post" action="{{.Base}}/oauth/authorize">{{template "fields" .}}<button name="commit" id="authorize">Authorize {{.App}}</button></form>
<form method="post" action="{{.Base}}/oauth/authorize"><input type="hidden" name="_method" value="delete">{{template "fields" .}}<button id="deny">Cancel</button></form></main></body></html>{{end}}
{{define "fields"}}<input type="hidden" name="authenticity_token" value="{{.CSRF}}">{{range $name, $value := .Fields}}<input type="hidden" name="{{$name}}" value="{{$value}}">{{end}}{{end}}
{{define "error"}}{{template "top" "An error has occurred"}}<p>{{.}}</p></main></body></html>{{end}}`)) //nolint:gochecknoglobals // parsed once

func (s *Server) signInPage(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var people []string
	for _, a := range s.accounts {
		if !a.bot && a.state == "active" {
			people = append(people, a.login)
		}
	}
	slices.Sort(people)
	show(w, http.StatusOK, "sign_in", map[string]any{"Base": s.base, "People": people})
}

func show(w http.ResponseWriter, status int, name string, data any) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_ = pages.ExecuteTemplate(w, name, data)
}

// consent are the parameters that go from the page into the form (source:
// app/views/doorkeeper/authorizations/new.html.haml).
func consent() []string {
	return []string{"client_id", "redirect_uri", "state", "response_type", "scope", "code_challenge", "code_challenge_method"}
}

// authorizePage answers GET /oauth/authorize: to sign in first, then to consent. What may
// not be sent back to the application is shown as an error (RFC 6749, section 4.1.2.1).
func (s *Server) authorizePage(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := r.URL.Query()
	me := s.sessionOf(r)
	if me == nil || me.account == nil || me.account.state != "active" {
		s.newSession(w).back = s.base + "/oauth/authorize?" + r.URL.RawQuery
		http.Redirect(w, r, s.base+"/users/sign_in", http.StatusFound)
		return
	}
	if !s.mayConsent(w, r, q) {
		return
	}
	fields := map[string]string{}
	for _, name := range consent() {
		fields[name] = q.Get(name)
	}
	show(w, http.StatusOK, "authorize", map[string]any{
		"Base": s.base, "App": s.app.name, "Login": me.account.login, "Scope": q.Get("scope"), "CSRF": me.csrf, "Fields": fields,
	})
}

func (s *Server) mayConsent(w http.ResponseWriter, r *http.Request, q url.Values) bool {
	switch {
	case q.Get("client_id") != s.app.id:
		show(w, http.StatusUnauthorized, "error", invalidClient().description)
		return false
	case !s.app.takes(q.Get("redirect_uri")):
		show(w, http.StatusBadRequest, "error", "The redirect URI included is not valid.")
		return false
	}
	scopes := strings.Fields(q.Get("scope"))
	problem := ""
	switch {
	case q.Get("response_type") != "code":
		problem = "unsupported_response_type"
	case len(scopes) != 1 || scopes[0] != "read_user":
		problem = "invalid_scope"
	case q.Get("code_challenge") != "" && q.Get("code_challenge_method") != "S256" && q.Get("code_challenge_method") != "plain":
		problem = "invalid_code_challenge_method"
	}
	if problem != "" {
		back(w, r, q, url.Values{"error": {problem}})
		return false
	}
	return true
}

// back sends the browser to the application with an answer and its own state.
func back(w http.ResponseWriter, r *http.Request, q, answer url.Values) {
	to, err := url.Parse(q.Get("redirect_uri"))
	if err != nil {
		show(w, http.StatusBadRequest, "error", "The redirect URI included is not valid.")
		return
	}
	out := to.Query()
	maps.Copy(out, answer)
	if q.Get("state") != "" {
		out.Set("state", q.Get("state"))
	}
	to.RawQuery = out.Encode()
	http.Redirect(w, r, to.String(), http.StatusFound)
}

// authorizeDecided answers the page's forms: POST to authorize, with _method=delete to deny.
func (s *Server) authorizeDecided(w http.ResponseWriter, r *http.Request) {
	q := oauthParams(w, r)
	s.mu.Lock()
	defer s.mu.Unlock()
	me := s.sessionOf(r)
	if me == nil || me.account == nil || q.Get("authenticity_token") != me.csrf {
		show(w, http.StatusUnprocessableEntity, "error", "The change you requested was rejected.")
		return
	}
	if !s.mayConsent(w, r, q) {
		return
	}
	if q.Get("_method") == "delete" {
		back(w, r, q, url.Values{
			"error": {"access_denied"}, "error_description": {"The resource owner or authorization server denied the request."},
		})
		return
	}
	back(w, r, q, url.Values{"code": {s.grantCode(me.account, q)}})
}

// Consent clicks Authorize for p, without a browser: it takes the URL to which the
// application sent the browser and returns the one to which GitLab sends it back.
func (s *Server) Consent(p forgetest.Person, authorize string) string {
	u, err := url.Parse(authorize)
	if err != nil {
		panic("consent at " + authorize + ": expected a URL of /oauth/authorize")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	q := u.Query()
	if q.Get("client_id") != s.app.id || !s.app.takes(q.Get("redirect_uri")) {
		panic("consent at " + authorize + ": expected the gate's application and a redirect URI of its own")
	}
	to, _ := url.Parse(q.Get("redirect_uri")) // takes has parsed it
	to.RawQuery = url.Values{"code": {s.grantCode(s.account(p), q)}, "state": {q.Get("state")}}.Encode()
	return to.String()
}
