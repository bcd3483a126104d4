package web

import (
	"cmp"
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

// keyPEM answers the public keys of a lineage, in the order of /v1/keys. Where a lineage has
// release keys it answers these alone: who verifies releases takes whatever is in the file.
func (s *server) keyPEM(w http.ResponseWriter, r *http.Request) error {
	file := chi.URLParam(r, "file")
	lineage, ok := strings.CutSuffix(file, ".pem")
	var releases, own string
	for _, k := range s.Keys {
		switch {
		case !ok || k.Lineage != lineage:
		case ownKey(k):
			own += k.PEM
		default:
			releases += k.PEM
		}
	}
	out := cmp.Or(releases, own)
	if out == "" {
		return &gate.Error{
			Kind: gate.NotFound, Code: gate.CodeKeyUnknown, Text: "no key of this lineage",
			Expected: "<a lineage of /v1/keys>.pem", Got: quoted(file), Fix: "see /v1/keys",
		}
	}
	w.Header().Set("Content-Type", "application/x-pem-file")
	_, _ = io.WriteString(w, out) // the client is gone: nobody is left to tell
	return nil
}
