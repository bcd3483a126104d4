package main_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"

	main "github.com/countersign/countersign/cmd/countersign"
)

const annotatedPolicy = `version: 1
releases:
  - name: other
    workflow: other.yml
  - name: stable
    workflow: release.yml
    branch: {min_reviews: 2}
    window:
      days: [mon]
      tz: UTC
    approvals: [{from: [write], count: 2}]
`

// The annotation of a failure points to the line of the policy that it comes from.
func TestAnnotationsPointIntoThePolicy(t *testing.T) {
	denied := func(name gate.CheckName, expected string) func(*world) {
		return func(w *world) {
			end := w.ended(gate.StateDenied, name, "no")
			end.Checks[len(end.Checks)-1].Expected = expected
			w.states = []api.Release{end}
		}
	}
	refused := func(code gate.Code, title string) func(*world) {
		return func(w *world) {
			w.answers["POST /v1/releases"] = []answer{problem(http.StatusForbidden, code, title)}
		}
	}
	for _, row := range []struct {
		what string
		edit func(*world)
		want string
	}{
		{"window", denied(gate.CheckWindow, ""), "file=.countersign.yaml,line=8,title=countersign"},
		{"approvals", denied(gate.CheckApprovals, ""), "file=.countersign.yaml,line=11,title=countersign"},
		{"protection", denied(gate.CheckProtection, ""), "file=.countersign.yaml,line=7,title=countersign"},
		{"identity", denied(gate.CheckIdentity, ".github/workflows/release.yml"), "file=.countersign.yaml,line=6,title=countersign"},
		{"a default", denied(gate.CheckTime, ""), "file=.countersign.yaml,line=5,title=countersign"},
		{"nothing of the policy", denied(gate.CheckHold, ""), "::error title=countersign"},
		{"no stream fits", refused(gate.CodeStreamUnknown, "no stream fits"), "file=.countersign.yaml,line=4,title=countersign"},
		{"a fault", refused(gate.CodePolicyInvalid, ".countersign.yaml:12:3: unknown field"), "file=.countersign.yaml,line=12,title=countersign"},
		{"a fault elsewhere", refused(gate.CodePolicyInvalid, "x/.countersign.yaml:12:3: unknown field"), "::error title=countersign"},
		{"no file", func(w *world) { denied(gate.CheckWindow, "")(w); w.env["GITHUB_WORKSPACE"] = t.TempDir() }, "::error title=countersign"},
		{"another stream", func(w *world) {
			denied(gate.CheckWindow, "")(w)
			w.states[0].Stream = "gone"
		}, "::error title=countersign"},
	} {
		w := newWorld(t)
		w.env["GITHUB_WORKSPACE"] = t.TempDir()
		if err := os.WriteFile(filepath.Join(w.env["GITHUB_WORKSPACE"], ".countersign.yaml"), []byte(annotatedPolicy), 0o600); err != nil {
			t.Fatal(err)
		}
		row.edit(w)
		if got := w.sign(); !strings.Contains(got.stderr, row.want) {
			t.Errorf("%s: expected %q, got\n%s", row.what, row.want, got.stderr)
		}
	}
}

// Whatever stands in an annotation, it is one workflow command, and GitHub reads back what
// was meant (actions/runner, ActionCommand.cs: the command ends at the first "::" after it).
func FuzzAnnotated(f *testing.F) {
	f.Add(".countersign.yaml", "countersign", "two\nlines")
	f.Add("a,b:c", "x::y", "100% %0A ::add-mask::x\r\n##[error]")
	f.Fuzz(func(t *testing.T, file, title, message string) {
		got := main.Annotated(file, 7, title, message)
		if strings.ContainsAny(got, "\r\n") {
			t.Fatalf("more than one line: %q", got)
		}
		head, told, ok := strings.Cut(strings.TrimPrefix(got, "::error "), "::")
		if !ok {
			t.Fatalf("no command: %q", got)
		}
		read := strings.NewReplacer("%0D", "\r", "%0A", "\n", "%3A", ":", "%2C", ",", "%25", "%")
		properties := map[string]string{}
		for part := range strings.SplitSeq(head, ",") {
			name, value, _ := strings.Cut(part, "=")
			properties[name] = read.Replace(value)
		}
		if properties["file"] != file || properties["title"] != title || properties["line"] != "7" || len(properties) != 3 {
			t.Errorf("expected %q and %q, got %q", file, title, properties)
		}
		if back := strings.NewReplacer("%0D", "\r", "%0A", "\n", "%25", "%").Replace(told); back != message {
			t.Errorf("expected the message %q, got %q", message, back)
		}
	})
}
