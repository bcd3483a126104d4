package forgetest_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
)

// What the graph holds is what git holds: git accepts every object and finds the
// same history and files.
func TestExportIsARealRepository(t *testing.T) {
	g := forgetest.NewGraph()
	ana := forgetest.Person{Login: "ana", Email: "ana@example.com"}
	spec := func(message string, files map[string][]byte, parents ...string) string {
		return g.Add(forgetest.CommitSpec{
			Author: ana, Message: message, Files: files, Parents: parents, When: time.Unix(1700000000, 0),
		}, false).SHA
	}
	root := spec("Start", map[string][]byte{"README.md": []byte("hi\n"), "a/b/c.txt": []byte("c\n"), "a.txt": []byte("a\n"), "a-b": nil})
	left := spec("Left", map[string][]byte{"left": []byte("l\n")}, root)
	right := spec("Right", map[string][]byte{"a/b/c.txt": nil, "a/d.txt": []byte("d\n")}, root)
	merge := spec("Merge\n\nCo-authored-by: Bo <bo@example.com>", map[string][]byte{"a/d.txt": []byte("d\n")}, left, right)

	dir := filepath.Join(t.TempDir(), "widget.git")
	if err := g.Export(dir, map[string]string{"refs/heads/main": merge, "refs/tags/v1": left}); err != nil {
		t.Fatal(err)
	}
	git := func(args ...string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), "git", append([]string{"--git-dir", dir}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return strings.TrimSpace(string(out))
	}
	git("fsck", "--strict")
	if got := git("rev-list", "--count", "main"); got != "4" {
		t.Errorf("expected 4 commits, got %s", got)
	}
	if got := git("rev-parse", "main", "v1"); got != merge+"\n"+left {
		t.Errorf("expected %s and %s, got %s", merge, left, got)
	}
	if got := git("show", "main:left"); got != "l" {
		t.Errorf("expected the left parent's file, got %q", got)
	}
	if got := git("show", "v1:a/b/c.txt"); got != "c" {
		t.Errorf("expected the nested file, got %q", got)
	}

	forced := g.Add(forgetest.CommitSpec{SHA: strings.Repeat("a", 40), Author: ana, Message: "forced"}, false).SHA
	if err := g.Export(t.TempDir(), map[string]string{"refs/heads/x": forced}); err == nil {
		t.Error("a commit with a SHA of its own: expected an error")
	}
}
