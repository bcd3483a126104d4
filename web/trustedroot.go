package web

import (
	"bytes"
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest"
)

// Roots are the versions of the trusted root.
type Roots interface {
	// TrustedRoot is the newest, one line and a line feed; false where there is none yet.
	TrustedRoot(ctx context.Context) (doc []byte, version int, ok bool, err error)
	// TrustedRootVersion is one by its number, from 1; false where there is none.
	TrustedRootVersion(ctx context.Context, version int) (doc []byte, ok bool, err error)
}

// trustedRoot answers what stock verifiers trust this gate by. Whoever keeps it asks with its
// ETag whether it is still the newest.
func (s *server) trustedRoot(w http.ResponseWriter, r *http.Request) error {
	doc, version, ok, err := s.Roots.TrustedRoot(r.Context())
	switch {
	case err != nil:
		return err
	case !ok:
		return noRoot("none yet")
	}
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("Content-Location", "/v1/trusted_root/"+strconv.Itoa(version)+".json")
	serveRoot(w, r, doc)
	return nil
}

// trustedRootVersion answers one version, which never changes.
func (s *server) trustedRootVersion(w http.ResponseWriter, r *http.Request) error {
	file := chi.URLParam(r, "file")
	text, isJSON := strings.CutSuffix(file, ".json")
	version, err := strconv.Atoi(text)
	if !isJSON || err != nil || version < 1 || strconv.Itoa(version) != text {
		return noRoot(file)
	}
	doc, ok, err := s.Roots.TrustedRootVersion(r.Context(), version)
	switch {
	case err != nil:
		return err
	case !ok:
		return noRoot(file)
	}
	w.Header().Set("Cache-Control", keepForever)
	serveRoot(w, r, doc)
	return nil
}

func serveRoot(w http.ResponseWriter, r *http.Request, doc []byte) {
	w.Header().Set("Content-Type", attest.TrustedRootType)
	w.Header().Set("ETag", `"`+gate.SHA256(doc).String()+`"`)
	http.ServeContent(w, r, "trusted_root.json", time.Time{}, bytes.NewReader(doc))
}

func noRoot(got string) error {
	return &gate.Error{
		Kind: gate.NotFound, Code: gate.CodeLogRange, Text: "there is no such version of the trusted root",
		Expected: "/v1/trusted_root.json, or /v1/trusted_root/<version>.json with a version from 1", Got: quoted(got),
		Fix: "take the newest from /v1/trusted_root.json",
	}
}
