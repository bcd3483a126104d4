package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The Dockerfile's build steps work on nothing but what git holds, and its image
// runs as nobody in particular.
func TestDockerfile(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	stages := strings.Split(string(text), "\nFROM ")
	if len(stages) != 3 {
		t.Fatalf("expected a build and a final stage, got %d", len(stages)-1)
	}
	out := t.TempDir()
	for _, step := range runs(stages[1]) {
		cmd := exec.CommandContext(t.Context(), "sh", "-ec", strings.ReplaceAll(step, "/out", out))
		cmd.Dir = sources(t)
		cmd.Env = append(os.Environ(), "PLATFORMS=linux-amd64") // the other clients take minutes and show nothing more
		if b, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("RUN %s: %v\n%s", step, err, b)
		}
	}
	for _, name := range []string{"countersignd", "countersign", "clients/linux-amd64/countersign"} {
		b, err := exec.CommandContext(t.Context(), filepath.Join(out, name), "--help").CombinedOutput()
		if err != nil || !strings.Contains(string(b), filepath.Base(name)) {
			t.Errorf("%s --help: %v\n%s", name, err, b)
		}
		if copied, _, _ := strings.Cut(name, "/"); !strings.Contains(stages[2], "/out/"+copied) {
			t.Errorf("the final stage does not copy %s", name)
		}
	}
	if !strings.Contains(stages[2], "\nUSER 65532:65532\n") {
		t.Error("the final stage runs as root")
	}
}

// runs are a stage's RUN steps, continuation lines joined.
func runs(stage string) []string {
	var out []string
	for line := range strings.Lines(strings.ReplaceAll(stage, "\\\n", " ")) {
		if step, ok := strings.CutPrefix(line, "RUN "); ok {
			out = append(out, strings.TrimSpace(step))
		}
	}
	return out
}

// sources is a copy of what git tracks, as `COPY . .` takes it from a clean clone.
func sources(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "sh", "-ec", `git ls-files -z | tar --null -T - -cf - | tar -xf - -C "$0"`, dir)
	cmd.Dir = ".."
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("copy the sources: %v\n%s", err, b)
	}
	return dir
}
