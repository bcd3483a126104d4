package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/countersign/countersign/gate/policy"
)

func TestPolicySchema(t *testing.T) {
	golden(t, "policy.v1.json", string(policy.Schema()))
	w := newWorld(t)
	got := w.call(t, http.MethodGet, "/schema/policy.v1.json", "")
	if got.Code != http.StatusOK || got.Body.String() != string(policy.Schema()) ||
		!strings.HasSuffix(got.Header().Get("Content-Type"), "json") {
		t.Errorf("expected the schema as JSON, got %d %s: %.200s", got.Code, got.Header().Get("Content-Type"), got.Body)
	}
	again := w.call(t, http.MethodGet, "/schema/policy.v1.json", "", "If-None-Match: "+got.Header().Get("ETag"))
	if again.Code != http.StatusNotModified {
		t.Errorf("expected 304 for the same schema, got %d", again.Code)
	}
	if got := w.call(t, http.MethodGet, "/schema/policy.v2.json", ""); got.Code != http.StatusNotFound {
		t.Errorf("expected 404 for a schema that is not there, got %d", got.Code)
	}
}
