package action_test

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rhysd/actionlint"
)

// fence is a block of YAML in the manual.
var fence = regexp.MustCompile("(?s)```yaml\n(.*?)```") //nolint:gochecknoglobals // a pattern

// ours is how the manual names these actions.
var ours = regexp.MustCompile(`OWNER/countersign/(action/[a-z]+)@v1`) //nolint:gochecknoglobals // a pattern

// lint holds a workflow against actionlint, which knows these actions' inputs and outputs
// where they are local.
func lint(t *testing.T, workflow string) []*actionlint.Error {
	t.Helper()
	project, err := actionlint.NewProject("..")
	if err != nil {
		t.Fatal(err)
	}
	linter, err := actionlint.NewLinter(io.Discard, &actionlint.LinterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	found, err := linter.Lint("workflow.yml", []byte(workflow), project)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestWorkflowsOfTheManual(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join("..", "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	linted := 0
	for _, page := range pages {
		content, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range fence.FindAllStringSubmatch(string(content), -1) {
			if !strings.Contains(block[1], "\njobs:\n") {
				continue
			}
			linted++
			workflow := ours.ReplaceAllString(block[1], "./$1")
			for _, f := range lint(t, workflow) {
				t.Errorf("%s: %s", filepath.Base(page), f.Error())
			}
			if strings.Contains(workflow, "server-url:") && len(lint(t, strings.ReplaceAll(workflow, "server-url:", "server:"))) == 0 {
				t.Errorf("%s: expected an input that no action has to be found", filepath.Base(page))
			}
		}
	}
	if linted < 5 {
		t.Errorf("expected the manual's workflows, got %d", linted)
	}
}
