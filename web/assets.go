package web

import (
	"bytes"
	"mime"
	"net/http"
	"path"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/countersign/countersign/gate"
)

// asset serves a file that is compiled in. Browsers keep it and ask whether it is
// still the same.
func (s *server) asset(w http.ResponseWriter, r *http.Request) error {
	name := chi.URLParam(r, "file")
	content, err := files.ReadFile("assets/" + name)
	if err != nil {
		return nowhere(w, r)
	}
	w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("ETag", `"`+gate.SHA256(content).String()+`"`)
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(content))
	return nil
}
