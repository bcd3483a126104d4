package web

import (
	"io"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/countersign/countersign/gate"
)

func (s *server) forges(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, list(s.Forges))
}

func (s *server) keys(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, list(s.Keys))
}

// keyPEM answers the public keys of a lineage, in the order of /v1/keys.
func (s *server) keyPEM(w http.ResponseWriter, r *http.Request) error {
	file := chi.URLParam(r, "file")
	lineage, ok := strings.CutSuffix(file, ".pem")
	var out strings.Builder
	for _, k := range s.Keys {
		if ok && k.Lineage == lineage {
			out.WriteString(k.PEM)
		}
	}
	if out.Len() == 0 {
		return &gate.Error{
			Kind: gate.NotFound, Code: gate.CodeKeyUnknown, Text: "no key of this lineage",
			Expected: "<a lineage of /v1/keys>.pem", Got: quoted(file), Fix: "see /v1/keys",
		}
	}
	w.Header().Set("Content-Type", "application/x-pem-file")
	_, _ = io.WriteString(w, out.String()) // the client is gone: nobody is left to tell
	return nil
}
