package runners_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
)

// pipeline is a GitLab runner's surroundings.
type pipeline struct {
	*world

	release string // folder of what was published
	tree    string // the work tree of the pipeline, with the artifacts of its jobs
	path    string // a folder of commands that the runner's image has
}

// publish stands in for whatever puts the files onto the release.
const publish = "#!/bin/sh\ncp \"$@\" \"$RELEASE_FOLDER/\"\n"

// pipelines are the manual's of one way to wait. gitlab-ci-local takes a component from the
// work tree only by its file.
func pipelines(t *testing.T, way string) func(url string) map[string][]byte {
	return func(url string) map[string][]byte {
		files := shown(t, "component.md", url, way)
		const component = "component: $CI_SERVER_FQDN/OWNER/countersign/sign@1"
		pipeline := string(files[".gitlab-ci.yml"])
		if !strings.Contains(pipeline, component) {
			t.Fatalf("docs/component.md, %s: expected it to include %s", way, component)
		}
		files[".gitlab-ci.yml"] = []byte(strings.ReplaceAll(pipeline, component, "local: /templates/sign.yml"))
		template, err := os.ReadFile("../../component/templates/sign.yml")
		if err != nil {
			t.Fatal(err)
		}
		files["templates/sign.yml"], files["publish.sh"] = template, []byte(publish)
		return files
	}
}

func onGitLab(w *world, job forgetest.Job) *pipeline {
	w.t.Helper()
	p := &pipeline{world: w, release: filepath.Join(w.t.TempDir(), "release"), tree: w.clone(job)}
	w.must(os.Mkdir(p.release, 0o700))
	if err := os.Chmod(filepath.Join(p.tree, "publish.sh"), 0o700); err != nil && !os.IsNotExist(err) { //nolint:gosec // it is run
		w.t.Fatal(err)
	}
	return p
}

// jobs runs jobs of the pipeline, with the ID token of the given job of the double's.
func (p *pipeline) jobs(job forgetest.Job, names ...string) (string, error) {
	p.t.Helper()
	cache, err := os.UserCacheDir()
	p.must(err)
	args := append([]string{
		"--force-shell-executor", "--variable", "RELEASE_FOLDER=" + p.release,
	}, names...)
	for _, kv := range p.team.World.JobEnv(job, p.URL) {
		args = append(args, "--variable", kv)
	}
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(cache, "countersign", "tools", "gitlab-ci-local-4.65.0", "node_modules", ".bin", "gitlab-ci-local"), args...)
	cmd.Dir = p.tree
	cmd.Env = []string{"PATH=" + p.path + ":" + os.Getenv("PATH"), "HOME=" + p.t.TempDir()}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	return out.String(), err
}

func TestComponentWaits(t *testing.T) {
	t.Parallel()
	w := begin(t, "gitlab", "", pipelines(t, "wait"))
	job := w.tagged()
	p := onGitLab(w, job)
	asked := make(chan error, 1)
	go func() { asked <- w.approve(t.Context()) }()
	out, err := p.jobs(job)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	w.must(<-asked)
	p.verified(p.release, "widget", "notes.txt")
}

// The pipeline stops at a manual job, which the gate plays, and which collects.
func TestComponentIsResumed(t *testing.T) {
	t.Parallel()
	const job = "countersign-collect"
	w := begin(t, "gitlab", "    finish: "+job+"\n", pipelines(t, "resume"))
	double := w.team.World.(*gitlabtest.Server) //nolint:forcetypeassert // GitLab's is this one
	asks := w.tagged()
	double.AddManualJob(asks, job)
	p := onGitLab(w, asks)
	out, err := p.jobs(asks, "build", "release")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	double.FinishJob(asks)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	w.must(w.approve(ctx))
	collect := w.played(ctx, double, asks, job)
	if out, err = p.jobs(collect, job); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err = p.jobs(collect, "publish"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	p.verified(p.release, "widget", "notes.txt")
}

// played is the manual job once the gate played it and a runner took it.
func (w *world) played(ctx context.Context, double *gitlabtest.Server, asks forgetest.Job, name string) forgetest.Job {
	w.t.Helper()
	for ctx.Err() == nil {
		jobs := double.JobsNamed(asks, name)
		if newest := jobs[len(jobs)-1]; double.JobState(newest) == "pending" {
			double.SetJobState(newest, "running")
			return newest
		}
		time.Sleep(100 * time.Millisecond)
	}
	w.t.Fatalf("nobody played %s: %v", name, ctx.Err())
	return forgetest.Job{}
}

// Inputs are values, whatever stands in them, and of more than one line too.
func TestComponentTakesInputsAsTheyAre(t *testing.T) {
	t.Parallel()
	w := begin(t, "gitlab", "", func(url string) map[string][]byte {
		files := pipelines(t, "wait")(url)
		const plain = "      subject-path: dist/*\n"
		pipeline := strings.Replace(string(files[".gitlab-ci.yml"]), plain,
			"      subject-path: \"dist/*\\n!dist/$(touch pwned)*\\n!dist/${HOME}`touch pwned`*\"\n      output-directory: sig natures\n", 1)
		files[".gitlab-ci.yml"] = []byte(strings.ReplaceAll(pipeline, "signatures/*", "'sig natures/'*"))
		return files
	})
	job := w.tagged()
	p := onGitLab(w, job)
	approved := w.approveLater()
	out, err := p.jobs(job)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	approved()
	p.verified(p.release, "widget", "notes.txt")
	for _, path := range under(p.tree) {
		if filepath.Base(path) == "pwned" {
			t.Errorf("an input was evaluated: %s", path)
		}
	}
}

// A client that is not the one that the pipeline names is not run.
func TestComponentHoldsThePin(t *testing.T) {
	t.Parallel()
	w := begin(t, "gitlab", "", func(url string) map[string][]byte {
		files := pipelines(t, "wait")(url)
		files[".gitlab-ci.yml"] = []byte(strings.Replace(string(files[".gitlab-ci.yml"]), "      subject-path:",
			"      client-sha256: "+strings.Repeat("a", 64)+"\n      subject-path:", 1))
		return files
	})
	job := w.tagged()
	out, err := onGitLab(w, job).jobs(job)
	if err == nil || !strings.Contains(out, "client-sha256 says aaaa") || strings.Contains(out, "countersign version") {
		t.Errorf("expected the client not to be run, got %v\n%s", err, out)
	}
}
