package web

import (
	"bytes"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/voice"
	"github.com/countersign/countersign/web/frame"
)

// How a page is added: a template pages/NAME.html that defines "body"; a type for what it
// shows, which the template finds as .Body; a handler that fills it and ends with
//
//	return s.render(w, r, http.StatusOK, "NAME", page{Title: …, Area: frame.Keys, Body: …})
//
// its line in [server.routes], through s.page, and its model in Models of export_test.go,
// where it is held against hostile text with the others. Who looks is visitorOf(r.Context()); what
// of a private repository they may see says s.mayRead, and s.mustAdministrator keeps the
// others out. Forms are POSTs that end in http.Redirect with StatusSeeOther; s.sessions.Tell
// leaves a sentence for the page that follows. What several pages show alike is a template of
// pages/shared.

//go:embed pages
var files embed.FS

// page is what a handler shows.
type page struct {
	Title string
	Area  frame.Area
	// Live is the path of the events after which the page reads itself again; "" for none.
	Live string
	// Back is where a sign-in leads; the page itself where it is "".
	Back string
	Body any
}

// pages are all pages, each in the one frame.
func (s *server) allPages() map[string]frame.Page {
	names, err := fs.Glob(files, "pages/*.html")
	if err != nil {
		panic(err) // only a bad pattern fails
	}
	out := map[string]frame.Page{}
	for _, name := range names {
		out[strings.TrimSuffix(path.Base(name), ".html")] = frame.Parse(files, name, s.helpers(), "pages/shared/*.html")
	}
	return out
}

// helpers are what the templates use beside the frame's.
func (s *server) helpers() template.FuncMap {
	return template.FuncMap{
		"open": isOpen, "signed": isSigned, "left": s.left, "ago": s.ago,
		"lacking": lacking, "forgeLabel": s.forgeLabel, "deed": deedOf,
		"outcomeWord": voice.OutcomeWord, "approveWith": voice.Approve, "nobody": voice.Nobody, "denyWith": voice.Deny, "verifyWith": voice.Verify,
		"toneOfState": toneOfState, "toneOfOutcome": toneOfOutcome,
		"pressing": pressing, "unread": unread, "refused": refused, "unmet": unmet, "passed": passed,
		"toneOfLevel": toneOfLevel, "spent": spent, "repo": repositoryPath, "count64": func(n int64, one string, many ...string) string { return frame.Count(int(n), one, many...) }, "second": func(t time.Time) string { return t.UTC().Format("2 Jan 15:04:05 UTC") }, "signedFiles": signedFiles,
		"uncovered": uncovered, "covered": covered,
		"purposeWord": purposeWord, "base64": base64.StdEncoding.EncodeToString, "pretty": prettyJSON,
		"before": func(n int64) int64 { return n - 1 }, "after": func(n int64) int64 { return n + 1 },
	}
}

// render answers with a page.
func (s *server) render(w http.ResponseWriter, r *http.Request, status int, name string, p page) error {
	v := frame.View{
		Title: p.Title, Area: p.Area, Live: p.Live, Body: p.Body, Back: p.Back,
		Self: r.URL.RequestURI(), SignIns: s.signIns(), Notice: s.notice(r),
	}
	if v.Back == "" && r.Method == http.MethodGet && !strings.HasPrefix(r.URL.Path, "/auth/") {
		v.Back = frame.LocalPath(r.URL.RequestURI())
	}
	if who := visitorOf(r.Context()); who.SignedIn {
		v.Person = &frame.Person{
			Login: who.Account.Login, Forge: s.forgeLabel(who.Account.ID.Forge), Administrator: who.Administrator,
		}
	}
	var b bytes.Buffer
	if err := s.pages[name].Show(&b, v); err != nil {
		return fmt.Errorf("render page %s: %w", name, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the reader is gone: nobody is left to tell
	return nil
}

// notice takes what the last deed left to say. A page that only brings itself up to date
// leaves it to the next whole one.
func (s *server) notice(r *http.Request) frame.Notice {
	if r.Context().Value(visitorKey{}) == nil || r.Header.Get("Hx-Request") != "" {
		return frame.Notice{}
	}
	n := s.sessions.Told(r.Context())
	return frame.Notice{Text: n.Text, Bad: n.Bad}
}

// asset serves a file that is compiled in.
func (s *server) asset(w http.ResponseWriter, r *http.Request) error {
	if frame.Asset(w, r, chi.URLParam(r, "file")) {
		return nil
	}
	return nowhere(w, r)
}

// codePage explains an error's code: problems name it as their type.
func (s *server) codePage(w http.ResponseWriter, r *http.Request) error {
	code := chi.URLParam(r, "code")
	for _, c := range gate.Codes() {
		if c.Code.String() == code {
			return s.render(w, r, http.StatusOK, "code", page{Title: code, Area: frame.Manual, Body: c})
		}
	}
	return &gate.Error{
		Kind: gate.NotFound, Code: gate.CodePathUnknown, Text: "No error has this code",
		Expected: "a code such as CS-1001", Got: quoted(code), Fix: "Compare it with the message.",
	}
}

// problemBody is an error as its page shows it.
type problemBody struct {
	*gate.Error

	// SignIn says that signing in helps, or may.
	SignIn bool
	// Hidden says that it may be there for who may see it.
	Hidden bool
	// Back is the page where it happened; "" where that is not known.
	Back string
}

// problemPage shows an error to a person.
func (s *server) problemPage(w http.ResponseWriter, r *http.Request, err error) {
	e := shown(err)
	status := refusal(w.Header(), e)
	hidden := e.Code == gate.CodeRequestUnknown || e.Code == gate.CodeRepositoryUnknown
	out := e.Code == gate.CodeSignedOut || e.Code == gate.CodeSignIn
	body := problemBody{
		Error: e, Hidden: hidden, Back: backTo(r),
		SignIn: !visitorOf(r.Context()).SignedIn && (hidden || out),
	}
	if rerr := s.render(w, r, status, "problem", page{Title: e.Text, Back: body.Back, Body: body}); rerr != nil {
		plain(w, http.StatusInternalServerError, e.Code.String()+"\n")
	}
}

// backTo is the page of what a form was about.
func backTo(r *http.Request) string {
	if id := chi.URLParam(r, "id"); id != "" && r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, "/v1/releases/") {
		return frame.LocalPath("/releases/" + id)
	}
	return ""
}
