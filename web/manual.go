package web

import (
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/countersign/countersign/docs"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/web/frame"
	"github.com/countersign/countersign/web/manual"
)

// manualBase is where the manual's pages are.
const manualBase = "/docs/"

// manualPart is a part of the manual's table of contents.
type manualPart struct {
	Title string
	Pages []manual.Page
}

// readManual renders the manual that is compiled in.
func readManual() (map[string]manual.Page, error) { return manual.Read(docs.Files, manualBase) }

// manualIndex is the manual's table of contents.
func (s *server) manualIndex(w http.ResponseWriter, r *http.Request) error {
	pages, err := s.manual()
	if err != nil {
		return err
	}
	listed := map[string]bool{}
	var parts []manualPart
	for _, part := range docs.Contents() {
		at := manualPart{Title: part.Title}
		for _, name := range part.Pages {
			if p, ok := pages[name]; ok {
				at.Pages = append(at.Pages, p)
				listed[name] = true
			}
		}
		parts = append(parts, at)
	}
	var rest []manual.Page
	for name, p := range pages {
		if !listed[name] && name != "index" { // which this page is
			rest = append(rest, p)
		}
	}
	if len(rest) > 0 {
		slices.SortFunc(rest, func(a, b manual.Page) int { return strings.Compare(a.Title, b.Title) })
		parts = append(parts, manualPart{Title: "More", Pages: rest})
	}
	return s.render(w, r, http.StatusOK, "docs", page{Title: "Manual", Area: frame.Manual, Body: parts})
}

// manualPage is one page of the manual.
func (s *server) manualPage(w http.ResponseWriter, r *http.Request) error {
	pages, err := s.manual()
	if err != nil {
		return err
	}
	name := chi.URLParam(r, "page")
	if folder := chi.URLParam(r, "folder"); folder != "" {
		name = folder + "/" + name
	}
	if strings.HasSuffix(name, ".json") {
		return manualSchema(w, name)
	}
	if as, ok := strings.CutSuffix(name, ".md"); ok {
		name = as // as the source names it
	}
	p, ok := pages[name]
	if !ok {
		return noPage(name)
	}
	return s.render(w, r, http.StatusOK, "doc", page{Title: p.Title, Area: frame.Manual, Body: p})
}

// manualSchema is a schema that the manual speaks of.
func manualSchema(w http.ResponseWriter, name string) error {
	b, err := docs.Files.ReadFile(name)
	if err != nil {
		return noPage(name)
	}
	w.Header().Set("Content-Type", "application/schema+json")
	_, err = w.Write(b)
	return err
}

func noPage(name string) error {
	return &gate.Error{
		Kind: gate.NotFound, Code: gate.CodePathUnknown, Text: "the manual has no such page",
		Expected: "a page of the manual", Got: quoted(name), Fix: "start at /docs",
	}
}
