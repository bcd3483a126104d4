package web

import (
	"bytes"
	"embed"
	"html/template"
	"io/fs"
	"net/http"
	"slices"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
)

//go:embed pages assets
var files embed.FS

// listed is how many requests the list shows.
const listed = 100

// pages are all pages, each in the one frame.
func pages() map[string]*template.Template {
	helpers := template.FuncMap{
		"short": gate.ShortRef, "commit": gate.ShortCommit,
		"when": func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") },
		"open": func(s gate.State) bool { return !s.Ended() && s != gate.StateSigned },
		"uncovered": func(all []gate.Coverage) []gate.Coverage {
			return slices.DeleteFunc(slices.Clone(all), func(c gate.Coverage) bool { return c.Covered })
		},
	}
	out := map[string]*template.Template{}
	for _, name := range []string{"list", "release", "error"} {
		t := template.New(name).Funcs(helpers)
		out[name] = template.Must(t.ParseFS(files, "pages/frame.html", "pages/"+name+".html"))
	}
	return out
}

func (s *server) render(w http.ResponseWriter, status int, name string, data any) error {
	var b bytes.Buffer
	if err := s.pages[name].ExecuteTemplate(&b, "frame", data); err != nil {
		return err
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
			out = append(out, s.Releases.View(rec))
		}
	}
	return s.render(w, http.StatusOK, "list", map[string]any{"Title": "Releases", "Releases": out})
}

// releasePage shows a public repository's request; that of a private one looks like
// none, to anybody.
func (s *server) releasePage(w http.ResponseWriter, r *http.Request) error {
	rec, err := s.Shelf.Request(r.Context(), chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	if rec.Request.Private {
		return &gate.Error{
			Kind: gate.NotFound, Code: gate.CodeRequestUnknown, Text: "there is no such public request",
			Expected: "a request of a public repository", Got: "none",
			Fix: "releases of private repositories are shown in their pull or merge requests",
		}
	}
	view := s.Releases.View(rec)
	return s.render(w, http.StatusOK, "release", map[string]any{
		"Title": view.Repository + " " + gate.ShortRef(view.Ref), "Release": view,
	})
}

func (s *server) errorPage(w http.ResponseWriter, r *http.Request) error {
	code := chi.URLParam(r, "code")
	for _, c := range gate.Codes() {
		if c.Code.String() == code {
			return s.render(w, http.StatusOK, "error", map[string]any{
				"Title": code, "Known": true, "Meaning": c.Meaning, "Next": c.Next,
			})
		}
	}
	return s.render(w, http.StatusNotFound, "error", map[string]any{"Title": "Unknown code", "Known": false})
}

// assets serves the style sheet.
func assets() http.Handler {
	sub, err := fs.Sub(files, "assets")
	if err != nil {
		panic(err) // the folder is compiled in
	}
	return http.StripPrefix("/assets/", http.FileServerFS(sub))
}
