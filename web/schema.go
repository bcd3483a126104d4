package web

import (
	"bytes"
	_ "embed" // the schema
	"net/http"
	"time"

	"github.com/countersign/countersign/gate"
)

// policySchema is gate/policy's schema of the policy file, kept here as a copy so that this
// room needs nothing of the file's reader; a test holds the two together.
//
//go:embed policy.v1.json
var policySchema []byte

// schema serves the policy file's schema to editors, which ask whether it is still the same.
func (s *server) schema(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Content-Type", "application/schema+json")
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("ETag", `"`+gate.SHA256(policySchema).String()+`"`)
	http.ServeContent(w, r, "policy.v1.json", time.Time{}, bytes.NewReader(policySchema))
	return nil
}
