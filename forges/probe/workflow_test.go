package probe_test

import (
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/countersign/countersign/forges/probe"
	"github.com/countersign/countersign/gate"
)

// The CI files parse, ask for the gate's own audience, and print no ID token.
func TestWorkflows(t *testing.T) {
	for kind, path := range map[gate.ForgeKind]string{gate.GitHub: ".github/workflows/countersign-probe.yml", gate.GitLab: ".gitlab-ci.yml"} {
		at, text := probe.Workflow(kind, server)
		var parsed map[string]any
		if err := yaml.Unmarshal([]byte(text), &parsed); err != nil || at != path {
			t.Errorf("%s: %s, %v", kind, at, err)
		}
		if !strings.Contains(text, `"`+probe.Audience(kind, server)+`"`) {
			t.Errorf("%s: expected the audience in\n%s", kind, text)
		}
	}
	if got, want := probe.Audience(gate.GitHub, server), "countersign:sign.example.org:ask:"+strings.Repeat("0", 64); got != want {
		t.Errorf("expected %s, got %s", want, got)
	}
}
