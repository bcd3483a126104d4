package web_test

import (
	"net/http"
	"testing"

	"github.com/countersign/countersign/gate"
)

func TestManual(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/docs", "/docs/"} {
		says(t, w.look(t, path).Body.String(), "<h1>Manual</h1>", `href="/docs/policy"`, "The policy file", `href="/docs/errors"`)
	}
	says(t, w.look(t, "/docs/errors").Body.String(), "<h1>Error codes</h1>", `<h3 id="cs-1001">`, `href="#identity"`)
	says(t, w.look(t, "/docs/errors.md").Body.String(), "<h1>Error codes</h1>")
	says(t, w.look(t, "/docs/predicates/decision-v1").Body.String(), "<h1>The decision statement</h1>",
		`href="/docs/predicates/approval-v1#where-it-was-said"`, `href="/docs/predicates/decision-v1.json"`)
	schema := w.call(t, http.MethodGet, "/docs/predicates/decision-v1.json", "")
	if got := schema.Header().Get("Content-Type"); got != "application/schema+json" {
		t.Errorf("the schema is served as %q", got)
	}
	says(t, schema.Body.String(), `"$id": "https://countersign.example/decision/v1.json"`)
	refuses(t, w.call(t, http.MethodGet, "/docs/predicates/nothing.json", ""), http.StatusNotFound, gate.CodePathUnknown)
	refuses(t, w.call(t, http.MethodGet, "/docs/predicates/..%2fdocs.json", ""), http.StatusNotFound, gate.CodePathUnknown)
	refuses(t, w.call(t, http.MethodGet, "/docs/nothing", ""), http.StatusNotFound, gate.CodePathUnknown)
	refuses(t, w.call(t, http.MethodGet, "/docs/docs.go", ""), http.StatusNotFound, gate.CodePathUnknown)
}
