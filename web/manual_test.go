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
	refuses(t, w.call(t, http.MethodGet, "/docs/nothing", ""), http.StatusNotFound, gate.CodePathUnknown)
	refuses(t, w.call(t, http.MethodGet, "/docs/docs.go", ""), http.StatusNotFound, gate.CodePathUnknown)
}
