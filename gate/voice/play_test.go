package voice_test

import (
	"strings"
	"testing"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/voice"
)

// A job's name is whatever a policy says: in the thread it is text, and of nobody.
func TestPlayByHand(t *testing.T) {
	v := voice.View{
		Kind: gate.GitLab, State: gate.StateSigned, RepositoryURL: "https://gitlab.example/acme/widget",
		Request: gate.Request{Ref: "refs/tags/v1.4.0", Run: gate.RunFacts{RunID: 7001}},
	}
	got := voice.PlayByHand(v, "collect")
	for _, part := range []string{"v1.4.0 is signed", "the job collect waits", "https://gitlab.example/acme/widget/-/pipelines/7001"} {
		if !strings.Contains(got, part) {
			t.Errorf("expected %q in %q", part, got)
		}
	}
	for _, name := range []string{"@ana", "[x](https://evil.example)", "a\n/merge", "<!-- x", "<img src=x>", "`x`", "**x**"} {
		got := voice.PlayByHand(v, name)
		if strings.Contains(got, name) || strings.Contains(got, "\n") {
			t.Errorf("name %q stands as it is in %q", name, got)
		}
	}
	v.RepositoryURL = ""
	if got := voice.PlayByHand(v, "collect"); !strings.Contains(got, "plays it in its pipeline") {
		t.Errorf("without a page: %q", got)
	}
}
