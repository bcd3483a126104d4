package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/policy"
)

func TestExplain(t *testing.T) {
	var all strings.Builder
	for _, x := range []struct {
		what string
		file string
		kind gate.ForgeKind
	}{
		{"minimal, GitHub", policy.Minimal(gate.GitHub), gate.GitHub},
		{"minimal, GitLab", policy.Minimal(gate.GitLab), gate.GitLab},
		{"everything", everything, gate.GitHub},
	} {
		p, streams, err := policy.Explain([]byte(x.file), origin(x.kind))
		if err != nil {
			t.Fatalf("%s: %v", x.what, err)
		}
		fmt.Fprintf(&all, "## %s: %s\n", x.what, p.Mode)
		for _, s := range streams {
			fmt.Fprintf(&all, "%s\n", s.Name)
			for _, v := range s.Values {
				fmt.Fprintf(&all, "  %-20s written %-5t line %-2d %s\n", v.Field, v.Written, v.Line, v.Value)
			}
		}
	}
	golden(t, "explained.golden", all.String())
}

// Every field of a release is explained, whole or by its parts.
func TestExplainMissesNoField(t *testing.T) {
	_, github, err := policy.Explain([]byte(policy.Minimal(gate.GitHub)), origin(gate.GitHub))
	if err != nil {
		t.Fatal(err)
	}
	explained := []string{"job"} // on GitLab
	for _, v := range github[0].Values {
		explained = append(explained, v.Field)
	}
	for _, f := range policy.Fields() {
		name, ok := strings.CutPrefix(f.Path, "releases[].")
		if !ok || f.Type == "a group of fields" {
			continue
		}
		whole, _, _ := strings.Cut(strings.ReplaceAll(name, "[]", ""), ".")
		if !slices.Contains(explained, name) && !slices.Contains(explained, whole) {
			t.Errorf("%s is not explained", f.Path)
		}
	}
}

func TestExplainRefuses(t *testing.T) {
	if _, _, err := policy.Explain([]byte("version: 2\n"), origin(gate.GitHub)); gate.CodeOf(err) != gate.CodePolicyInvalid {
		t.Errorf("expected the reader's refusal, got %v", err)
	}
}
