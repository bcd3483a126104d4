package runners_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
)

// gh stands in for GitHub's own command: what it is told to put on a release it puts into a
// folder.
const gh = `#!/bin/sh
for a in "$@"; do if [ -f "$a" ]; then cp "$a" "$RELEASE_FOLDER/"; fi; done
echo "gh $*" >>"$RELEASE_FOLDER/gh.log"
`

// Composite actions stand in for the two that keep artifacts between jobs.
const (
	upload = `{name: upload, description: keeps files, inputs: {name: {}, path: {}}, runs: {using: composite, steps: [{shell: bash,
  run: 'mkdir -p "$ARTIFACTS/$NAME" && cp -r "$FROM/." "$ARTIFACTS/$NAME"',
  env: {NAME: "${{ inputs.name }}", FROM: "${{ inputs.path }}"}}]}}`
	download = `{name: download, description: gives files back, inputs: {name: {}, path: {}}, runs: {using: composite, steps: [{shell: bash,
  run: 'mkdir -p "$TO" && cp -r "$ARTIFACTS/$NAME/." "$TO"',
  env: {NAME: "${{ inputs.name }}", TO: "${{ inputs.path }}"}}]}}`
)

// actions is a GitHub runner's surroundings.
type actions struct {
	*world

	release   string // folder of what was put on the release
	artifacts string // folder of what was uploaded, by its name
	env       []string
	flags     []string
}

func onActions(w *world) *actions {
	w.t.Helper()
	root := w.t.TempDir()
	a := &actions{world: w, release: filepath.Join(root, "release"), artifacts: filepath.Join(root, "artifacts")}
	for name, content := range map[string]string{
		"bin/gh": gh, "upload/action.yml": upload, "download/action.yml": download, "release/.keep": "", "artifacts/.keep": "",
	} {
		path := filepath.Join(root, name)
		w.must(os.MkdirAll(filepath.Dir(path), 0o700))
		w.must(os.WriteFile(path, []byte(content), 0o700)) //nolint:gosec // some of them are run
	}
	w.must(os.CopyFS(filepath.Join(root, "owner", "action"), os.DirFS("../../action")))
	w.must(os.Remove(filepath.Join(a.release, ".keep")))
	a.env = []string{
		"PATH=" + filepath.Join(root, "bin") + ":" + os.Getenv("PATH"), "HOME=" + root, "XDG_CACHE_HOME=" + filepath.Join(root, "cache"),
		"RELEASE_FOLDER=" + a.release, "ARTIFACTS=" + a.artifacts, "RUNNER_TEMP=" + w.t.TempDir(),
	}
	for repository, folder := range map[string]string{
		"OWNER/countersign@v1": "owner", "actions/upload-artifact@v4": "upload", "actions/download-artifact@v4": "download",
	} {
		a.flags = append(a.flags, "--local-repository", repository+"="+filepath.Join(root, folder))
	}
	return a
}

// act runs one workflow, or one job of it, as the given job of the double's.
func (a *actions) act(job forgetest.Job, event, workflow string, payload []byte, more ...string) (string, error) {
	a.t.Helper()
	cache, err := os.UserCacheDir()
	a.must(err)
	tree := a.clone(job)
	file := filepath.Join(a.t.TempDir(), "event.json")
	a.must(os.WriteFile(file, payload, 0o600))
	args := append([]string{
		event, "-W", ".github/workflows/" + workflow, "-e", file, "-P", "ubuntu-latest=-self-hosted",
		"--env", "RUNNER_OS=Linux", "-s", "GITHUB_TOKEN=none", "--no-cache-server",
	}, a.flags...)
	for _, kv := range append(a.team.World.JobEnv(job, ""), a.env...) {
		if !strings.HasPrefix(kv, "PATH=") && !strings.HasPrefix(kv, "HOME=") {
			args = append(args, "--env", kv)
		}
	}
	ctx, cancel := context.WithTimeout(a.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(cache, "countersign", "tools", "act-v0.2.89", "act"), append(args, more...)...)
	cmd.Dir = tree
	cmd.Env = a.env
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	return out.String(), err
}

// pushed is the payload of a push, as far as act reads it.
func pushed(job forgetest.Job, fork bool) []byte {
	repository := map[string]any{"id": job.Repository.ID, "fork": fork, "default_branch": "main"}
	b, _ := json.Marshal(map[string]any{"ref": job.Spec.Ref, "repository": repository}) //nolint:errchkjson // plain values
	return b
}

// tagged has eve tag the release and its workflow start.
func (w *world) tagged() forgetest.Job { return w.team.Release("eve", "v1.0.0") }

// workflows are the manual's of one way to wait.
func workflows(t *testing.T, way string) func(url string) map[string][]byte {
	return func(url string) map[string][]byte { return shown(t, "action.md", url, way) }
}

func TestActionWaits(t *testing.T) {
	t.Parallel()
	a := onActions(begin(t, "github", "", workflows(t, "wait")))
	job := a.tagged()
	asked := make(chan error, 1)
	go func() { asked <- a.approve(t.Context()) }()
	out, err := a.act(job, "push", "release.yml", pushed(job, false))
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	a.must(<-asked)
	a.verified(a.release, "widget", "notes.txt")
	if !strings.Contains(out, "::notice title=countersign::") && !strings.Contains(out, "countersign: countersign version") {
		t.Errorf("log:\n%s", out)
	}
}

// recorded passes deliveries on to the daemon and keeps them.
type recorded struct {
	mu  sync.Mutex
	all map[string][][]byte // by event
}

func (a *world) record() *recorded {
	r := &recorded{all: map[string][][]byte{}}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		if err != nil {
			rw.WriteHeader(http.StatusBadRequest)
			return
		}
		r.mu.Lock()
		event := q.Header.Get("X-GitHub-Event")
		r.all[event] = append(r.all[event], body)
		r.mu.Unlock()
		on, err := http.NewRequestWithContext(q.Context(), q.Method, a.URL+q.URL.Path, bytes.NewReader(body))
		if err != nil {
			rw.WriteHeader(http.StatusBadRequest)
			return
		}
		maps.Copy(on.Header, q.Header)
		resp, err := http.DefaultClient.Do(on)
		if err != nil {
			rw.WriteHeader(http.StatusBadGateway)
			return
		}
		_ = resp.Body.Close()
		rw.WriteHeader(resp.StatusCode)
	}))
	a.t.Cleanup(server.Close)
	a.team.World.DeliverTo(server.URL+"/webhooks/github/github", a.WebhookSecret())
	return r
}

// finished is the payload of the gate's check run when it completed.
func (r *recorded) finished(ctx context.Context) []byte {
	for ctx.Err() == nil {
		r.mu.Lock()
		for _, body := range r.all["check_run"] {
			var e struct {
				Action   string
				CheckRun struct{ Name, Conclusion string } `json:"check_run"`
			}
			if json.Unmarshal(body, &e) == nil && e.Action == "completed" && strings.HasPrefix(e.CheckRun.Name, "countersign/") && e.CheckRun.Conclusion == "success" {
				r.mu.Unlock()
				return body
			}
		}
		r.mu.Unlock()
		time.Sleep(100 * time.Millisecond)
	}
	return nil
}

func TestActionIsHeldByAnEnvironment(t *testing.T) {
	t.Parallel()
	a := onActions(begin(t, "github", "", workflows(t, "environment")))
	double := a.team.World.(githubtest.DeployWorld) //nolint:forcetypeassert // GitHub's is one
	double.GuardEnvironment(a.team.Repo, "release")
	job := a.tagged()
	out, err := a.act(job, "push", "release.yml", pushed(job, false), "-j", "build")
	if err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	held := double.AddDeployJob(job, "release")
	if state := double.Deployment(held).State; state != "waiting" {
		t.Fatalf("the job is %q before anybody approved", state)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	a.must(a.approve(ctx))
	for double.Deployment(held).State == "waiting" && ctx.Err() == nil {
		time.Sleep(100 * time.Millisecond)
	}
	if state := double.Deployment(held).State; state != "approved" {
		t.Fatalf("expected the gate to let the job begin, it is %q", state)
	}
	// act runs the jobs before it again: asking again finds what is signed.
	if out, err = a.act(held, "push", "release.yml", pushed(job, false), "-j", "publish"); err != nil {
		t.Fatalf("publish: %v\n%s", err, out)
	}
	a.verified(a.release, "widget", "notes.txt")
}

func TestActionIsResumed(t *testing.T) {
	t.Parallel()
	a := onActions(begin(t, "github", "    finish: finish.yml\n", workflows(t, "resume")))
	deliveries := a.record()
	job := a.tagged()
	out, err := a.act(job, "push", "release.yml", pushed(job, false))
	if err != nil {
		t.Fatalf("release: %v\n%s", err, out)
	}
	a.team.World.FinishJob(job)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	a.must(a.approve(ctx))
	payload := deliveries.finished(ctx)
	if payload == nil {
		t.Fatal("the gate's check run did not complete")
	}
	finish := a.team.World.StartJob(a.team.Repo, forgetest.JobSpec{
		Ref: "refs/heads/main", Workflow: "finish.yml", Event: "check_run", Actor: a.team.People["eve"],
	})
	if out, err = a.act(finish, "check_run", "finish.yml", payload); err != nil {
		t.Fatalf("finish: %v\n%s", err, out)
	}
	a.verified(a.release, "widget", "notes.txt")
	calls, err := os.ReadFile(filepath.Join(a.release, "gh.log"))
	a.must(err)
	if !strings.Contains(string(calls), "gh release edit v1.0.0 ") {
		t.Errorf("the draft was not published:\n%s", calls)
	}
}

// A job that asks again once GitHub let it begin finds what is signed, without its id.
func TestActionAsksAgainWhereItWasHeld(t *testing.T) {
	t.Parallel()
	a := onActions(begin(t, "github", "", workflows(t, "wait")))
	double := a.team.World.(githubtest.DeployWorld) //nolint:forcetypeassert // GitHub's is one
	double.GuardEnvironment(a.team.Repo, "release")
	job := a.tagged()
	tree := a.clone(job)
	a.run(tree, "make", "dist")
	out, err := a.inJob(job, tree, []string{"COUNTERSIGN_SERVER=" + a.URL}, filepath.Join(bin, "countersign"), "request", "dist/widget", "dist/notes.txt")
	if err != nil || !strings.Contains(out, "can approve: bo, cy, eve") {
		t.Fatalf("%v\n%s", err, out)
	}
	held := double.AddDeployJob(job, "release")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	a.must(a.approve(ctx))
	for double.Deployment(held).State == "waiting" && ctx.Err() == nil {
		time.Sleep(100 * time.Millisecond)
	}
	if out, err = a.act(held, "push", "release.yml", pushed(held, false)); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if strings.Contains(out, "waiting for 1 person") {
		t.Errorf("somebody was asked to approve again:\n%s", out)
	}
	a.verified(a.release, "widget", "notes.txt")
}

// A fork runs the same workflow, and nobody installed the gate on it: nothing is signed, and
// nothing is red.
func TestActionOnAFork(t *testing.T) {
	t.Parallel()
	a := onActions(begin(t, "github", "", workflows(t, "wait")))
	double := a.team.World.(*githubtest.Server) //nolint:forcetypeassert // GitHub's is this one
	gus := a.team.People["gus"]
	fork := double.Fork(a.team.Repo, gus, "gus/widget")
	double.Push(fork, gus, "refs/tags/v1.0.0", double.Head(fork, "refs/heads/main"))
	job := double.StartJob(fork, forgetest.JobSpec{Ref: "refs/tags/v1.0.0", Workflow: "release.yml", Actor: gus})
	out, err := a.act(job, "push", "release.yml", pushed(job, true))
	if err != nil || !strings.Contains(out, "this is a fork") {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err = a.act(job, "push", "release.yml", pushed(job, false)); err == nil || !strings.Contains(out, "CS-1201") {
		t.Errorf("a repository that is no fork: expected a refusal, got %v\n%s", err, out)
	}
}
