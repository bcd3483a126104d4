package runners_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign/countersign/forges/forgetest"
)

// recipe is what the manual shows of one recipe.
func recipe(t *testing.T, name string) func(url string) map[string][]byte {
	return func(url string) map[string][]byte { return shown(t, "recipes.md", url, name) }
}

// inJob runs a program in the job, in a folder.
func (w *world) inJob(job forgetest.Job, dir string, env []string, name string, args ...string) (string, error) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + w.t.TempDir()}, w.team.World.JobEnv(job, w.URL)...)
	cmd.Env = append(cmd.Env, env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

// approveLater approves as soon as the gate asks; what it returns waits for that.
func (w *world) approveLater() func() {
	asked := make(chan error, 1)
	go func() { asked <- w.approve(w.t.Context()) }()
	return func() {
		w.t.Helper()
		w.must(<-asked)
	}
}

func TestCurlRecipe(t *testing.T) {
	t.Parallel()
	for _, forge := range []string{"github", "gitlab"} {
		t.Run(forge, func(t *testing.T) {
			t.Parallel()
			w := begin(t, forge, "", recipe(t, "curl"))
			job := w.tagged()
			tree := w.clone(job)
			w.run(tree, "make", "dist")
			approved := w.approveLater()
			out, err := w.inJob(job, tree, nil, "sh", "countersign.sh", w.URL, "dist")
			if err != nil || !strings.Contains(out, "Waiting for approval: "+w.URL+"/releases/") {
				t.Fatalf("%v\n%s", err, out)
			}
			approved()
			w.verified(filepath.Join(tree, "dist"), "widget", "notes.txt")
			for _, secret := range w.team.World.JobEnv(job, w.URL) {
				if name, value, _ := strings.Cut(secret, "="); strings.HasSuffix(name, "TOKEN") && strings.Contains(out, value) {
					t.Errorf("the log holds %s", name)
				}
			}
		})
	}
}
