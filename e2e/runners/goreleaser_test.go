package runners_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// goreleaser itself builds, archives, and calls the client as the recipe says. Only the
// forge is left out: it publishes nothing.
func TestGoreleaserRecipe(t *testing.T) {
	t.Parallel()
	w := begin(t, "github", "", func(url string) map[string][]byte {
		files := map[string][]byte{
			"go.mod": []byte("module example.com/widget\n\ngo 1.24\n"), "main.go": []byte("package main\n\nfunc main() { println(1) }\n"),
			".gitignore": []byte("dist/\n"),
		}
		maps.Copy(files, recipe(t, "goreleaser")(url))
		return files
	})
	job := w.tagged()
	tree := w.clone(job)
	cache, err := exec.CommandContext(t.Context(), "go", "env", "GOCACHE").Output()
	w.must(err)
	approved := w.approveLater()
	out, err := w.inJob(job, tree, []string{
		"PATH=" + bin + ":" + os.Getenv("PATH"), "COUNTERSIGN_SERVER=" + w.URL, "GOCACHE=" + string(cache[:len(cache)-1]),
	}, filepath.Join(tools(t, "goreleaser-v2.16.0"), "goreleaser"), "release", "--clean", "--skip=publish,announce")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	approved()
	archives, err := filepath.Glob(filepath.Join(tree, "dist", "*.tar.gz"))
	if err != nil || len(archives) != 2 {
		t.Fatalf("expected 2 archives, got %v (%v)\n%s", archives, err, out)
	}
	signatures := filepath.Join(tree, "dist", "signatures")
	var names []string
	for _, archive := range archives {
		names = append(names, filepath.Base(archive))
		w.run("", "cp", archive, signatures)
	}
	w.verified(signatures, names...)
}
