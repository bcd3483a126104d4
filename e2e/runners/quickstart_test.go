package runners_test

import (
	"path/filepath"
	"testing"
)

// The two files that a newcomer adds are all that it takes.
func TestQuickStartOnGitHub(t *testing.T) {
	t.Parallel()
	a := onActions(begin(t, "github", "", func(url string) map[string][]byte {
		return map[string][]byte{
			".countersign.yaml":             quickStart(t, "quickstart-github.md", "- workflow: release.yml", url),
			".github/workflows/release.yml": quickStart(t, "quickstart-github.md", "\njobs:\n", url),
		}
	}))
	job := a.tagged()
	approved := a.approveLater()
	out, err := a.act(job, "push", "release.yml", pushed(job, false))
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	approved()
	a.verified(filepath.Join(a.artifacts, "dist"), "widget", "notes.txt")
}

func TestQuickStartOnGitLab(t *testing.T) {
	t.Parallel()
	w := begin(t, "gitlab", "", func(url string) map[string][]byte {
		return map[string][]byte{
			".countersign.yaml": quickStart(t, "quickstart-gitlab.md", "- job: release", url),
			".gitlab-ci.yml":    quickStart(t, "quickstart-gitlab.md", "id_tokens:\n", url),
		}
	})
	job := w.tagged()
	p := onGitLab(w, job)
	p.path = bin
	approved := w.approveLater()
	out, err := p.jobs(job)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	approved()
	p.verified(filepath.Join(p.tree, "dist"), "widget", "notes.txt")
}
