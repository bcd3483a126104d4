package githubtest

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// site is what the web side remembers: who is signed in with which browser, and what they
// were asked. It is guarded by the server's lock.
type site struct {
	drafts     map[string]*draft       // authenticity token to the App that it would register
	born       map[string]*draft       // conversion code to the App, not taken yet
	sessions   map[string]int64        // cookie to account
	asked      map[string]*authorizing // authenticity token to what it answers
	codes      map[string]*authorizing // not used yet
	authorized map[int64]bool          // accounts
}

func newSite() site {
	return site{
		drafts: map[string]*draft{}, born: map[string]*draft{}, sessions: map[string]int64{}, asked: map[string]*authorizing{},
		codes: map[string]*authorizing{}, authorized: map[int64]bool{},
	}
}

// sessionCookie is the double's own name: GitHub's is user_session.
const sessionCookie = "githubtest_session"

// SetCallbacks registers the App's callback URLs: authorize and the token endpoint take a
// redirect_uri only if it equals one of them (docs, "About the user authorization callback
// URL"). A server without any takes none.
func (s *Server) SetCallbacks(urls ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.app.callbacks = urls
}

// random is an unguessable value of n bytes, in hexadecimal.
func random(n int) string {
	raw := make([]byte, n)
	_, _ = rand.Read(raw) // never fails (crypto/rand)
	return hex.EncodeToString(raw)
}

// answerPage is the web side: signing in, the App's pages that people click through, and
// for every other path enough for a person who follows a link.
func (c *call) answerPage() reply {
	path := c.r.URL.Path
	if rep, is := c.appPage(path); is {
		return rep
	}
	switch c.r.Method + " " + path {
	case "GET /login":
		return c.loginPage()
	case "GET /test-login":
		return c.testLogin()
	case "GET /login/oauth/authorize":
		return c.authorizePage()
	case "POST /login/oauth/authorize":
		return c.answerAuthorize()
	case "POST /login/oauth/access_token":
		return c.exchange()
	}
	return htmlPage(http.StatusOK, "GitHub double", `<p>{{.}}</p>`, url.PathEscape(path))
}

// form reads what a page posted, or the query of a link.
func (c *call) form() url.Values {
	if c.r.Method != http.MethodPost {
		return c.query
	}
	posted, err := url.ParseQuery(string(c.body))
	if err != nil {
		return url.Values{}
	}
	return posted
}

// signedIn is who is signed in with the browser, nil for nobody.
func (c *call) signedIn() *account {
	cookie, err := c.r.Cookie(sessionCookie)
	if err != nil {
		return nil
	}
	a := c.accounts[c.site.sessions[cookie.Value]]
	if a == nil || a.deleted || !a.suspended.IsZero() {
		return nil
	}
	return a
}

// loginPage stands where GitHub asks for a password: it lists who one can be. What leads
// back is a path of the double only.
func (c *call) loginPage() reply {
	type person struct{ Login, URL string }
	back := localPath(c.query.Get("return_to"))
	var people []person
	for _, a := range sorted(c.accounts) {
		if a.kind == "User" && !a.deleted && a.id > 1_000_000 && a.id != webFlowID {
			people = append(people, person{a.login, "/test-login?" + url.Values{"login": {a.login}, "return_to": {back}}.Encode()})
		}
	}
	return htmlPage(http.StatusOK, "Sign in to the GitHub double",
		`<p>Sign in as</p><ul>{{range .}}<li><a href="{{.URL}}">{{.Login}}</a></li>{{end}}</ul>`, people)
}

// testLogin is the double's own: GET /test-login?login=ana makes the browser ana's, without
// a password. No forge has such a thing.
func (c *call) testLogin() reply {
	a := c.account(c.query.Get("login"))
	if a == nil || a.kind != "User" || !a.suspended.IsZero() {
		return htmlPage(http.StatusNotFound, "No such person", `<p>Nobody here is called {{.}}.</p>`, c.query.Get("login"))
	}
	value := random(20)
	c.site.sessions[value] = a.id
	rep := htmlPage(http.StatusOK, "Signed in", `<p>Signed in as {{.}}.</p>`, a.login)
	if back := c.query.Get("return_to"); back != "" {
		rep = redirect(localPath(back))
	}
	cookie := http.Cookie{Name: sessionCookie, Value: value, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}
	rep.header.Set("Set-Cookie", cookie.String())
	return rep
}

func (c *call) toLogin() reply {
	return redirect("/login?" + url.Values{"return_to": {c.r.URL.RequestURI()}}.Encode())
}

// localPath keeps return_to on the double.
func localPath(to string) string {
	if !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.Contains(to, `\`) {
		return "/"
	}
	return to
}

func redirect(to string) reply {
	return reply{status: http.StatusFound, raw: []byte{}, header: http.Header{"Location": {to}}}
}

// htmlPage renders a page of the double. The body is a template of data.
func htmlPage(status int, title, body string, data any) reply {
	const frame = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{{.Title}}</title><main><h1>{{.Title}}</h1>{{template "body" .Data}}</main></html>`
	t := template.Must(template.New("page").Parse(frame))
	template.Must(t.New("body").Parse(body))
	var out bytes.Buffer
	if err := t.Execute(&out, struct {
		Title string
		Data  any
	}{title, data}); err != nil {
		panic("render a page of the GitHub double: " + err.Error())
	}
	return reply{status: status, raw: out.Bytes(), header: http.Header{
		"Content-Type": {"text/html; charset=utf-8"}, "Cache-Control": {"no-store"},
	}}
}

// fresh reports whether something made at a time is still good.
func (s *Server) fresh(made time.Time, life time.Duration) bool {
	return s.now().Before(made.Add(life))
}
