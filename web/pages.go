package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/voice"
)

//go:embed pages assets
var files embed.FS

// listed is how many requests the list looks at.
const listed = 100

// pages are all pages, each in the one frame.
func pages() map[string]*template.Template {
	helpers := template.FuncMap{
		"short": gate.ShortRef, "commit": gate.ShortCommit,
		"when":  func(t time.Time) string { return t.UTC().Format("2 Jan 2006 15:04") },
		"stamp": func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"open": func(s gate.State) bool {
			return s == gate.StateWaiting || s == gate.StateGranted || s == gate.StateSigning
		},
		"signed": func(s gate.State) bool { return s == gate.StateSigned || s == gate.StatePublished },
		"count":  count, "lacking": lacking,
		"outcomeWord": voice.OutcomeWord, "approveWith": voice.Approve, "denyWith": voice.Deny, "verifyWith": voice.Verify,
		"toneOfState": toneOfState, "toneOfOutcome": toneOfOutcome,
		"pressing": pressing, "unread": unread, "refused": refused, "unmet": unmet, "passed": passed,
		"uncovered": uncovered, "covered": covered, "forgeLink": forgeLink,
	}
	out := map[string]*template.Template{}
	for _, name := range []string{"list", "release", "code", "problem", "docs", "doc"} {
		t := template.New(name).Funcs(helpers)
		out[name] = template.Must(t.ParseFS(files, "pages/frame.html", "pages/"+name+".html"))
	}
	return out
}

// count says how many of a thing there are: "1 file", "3 files", "2 people".
func count(n int, one string, many ...string) string {
	switch {
	case n == 1:
		return "1 " + one
	case len(many) > 0:
		return strconv.Itoa(n) + " " + many[0]
	}
	return strconv.Itoa(n) + " " + one + "s"
}

// lacking says in the list what a waiting release waits for most.
func lacking(r api.Release) string {
	if r.State != gate.StateWaiting {
		return ""
	}
	return voice.Lacking(r.Coverage)
}

func (s *server) render(w http.ResponseWriter, status int, name string, data map[string]any) error {
	var b bytes.Buffer
	if err := s.pages[name].ExecuteTemplate(&b, "frame", data); err != nil {
		return fmt.Errorf("render page %s: %w", name, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the reader is gone: nobody is left to tell
	return nil
}

func (s *server) listPage(w http.ResponseWriter, r *http.Request) error {
	recs, err := s.Shelf.Recent(r.Context(), listed)
	if err != nil {
		return err
	}
	var out []api.Release
	for _, rec := range recs {
		if !rec.Request.Private {
			out = append(out, s.view(rec))
		}
	}
	return s.render(w, http.StatusOK, "list", map[string]any{"Title": "Releases", "Releases": out})
}

// releasePage shows a public repository's request. That of a private one looks like
// none, to the letter.
func (s *server) releasePage(w http.ResponseWriter, r *http.Request) error {
	none := &gate.Error{
		Kind: gate.NotFound, Code: gate.CodeRequestUnknown, Text: "There is no such release to show",
		Fix: "Compare the address. Releases of private repositories are shown in their own pull or merge requests only.",
	}
	id, err := requestID(r)
	if err != nil {
		return none
	}
	rec, err := s.Shelf.Request(r.Context(), id)
	if gate.KindOf(err) == gate.NotFound || err == nil && rec.Request.Private {
		return none
	}
	if err != nil {
		return err
	}
	view := s.view(rec)
	return s.render(w, http.StatusOK, "release", map[string]any{
		"Title": view.Repository + " " + gate.ShortRef(view.Ref), "Release": view, "Origin": s.origin(),
	})
}

// codePage explains an error's code: problems name it as their type.
func (s *server) codePage(w http.ResponseWriter, r *http.Request) error {
	code := chi.URLParam(r, "code")
	for _, c := range gate.Codes() {
		if c.Code.String() == code {
			return s.render(w, http.StatusOK, "code", map[string]any{"Title": code, "Meaning": c.Meaning, "Next": c.Next})
		}
	}
	return &gate.Error{
		Kind: gate.NotFound, Code: gate.CodePathUnknown, Text: "No error has this code",
		Expected: "a code such as CS-1001", Got: quoted(code), Fix: "Compare it with the message.",
	}
}

// problemPage shows an error to a person.
func (s *server) problemPage(w http.ResponseWriter, err error) {
	e := shown(err)
	status := refusal(w.Header(), e)
	if rerr := s.render(w, status, "problem", map[string]any{"Title": e.Text, "Problem": e}); rerr != nil {
		plain(w, http.StatusInternalServerError, e.Code.String()+"\n")
	}
}
