package runners_test

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/e2e/stage"
	"github.com/countersign/countersign/forges/forgetest"
)

// patience bounds every wait; it is a limit, never a measure.
const patience = 2 * time.Minute

// bin holds the real binaries, built once; bin/clients is what the gate hands out.
var bin string //nolint:gochecknoglobals // set once by TestMain, before any test

func TestMain(m *testing.M) {
	os.Exit(func() int {
		if err := build(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _ = os.RemoveAll(bin) }()
		return m.Run()
	}())
}

func build() error {
	if out, err := exec.Command("../../scripts/fetch-runners.sh").CombinedOutput(); err != nil {
		return fmt.Errorf("scripts/fetch-runners.sh: %w\n%s", err, out)
	}
	var err error
	if bin, err = os.MkdirTemp("", "countersign-runners"); err != nil {
		return err
	}
	client := filepath.Join("clients", runtime.GOOS+"-"+runtime.GOARCH, "countersign")
	for name, to := range map[string]string{"countersignd": "countersignd", "countersign": client} {
		cmd := exec.Command("go", "build", "-o", filepath.Join(bin, to), "../../cmd/"+name)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", name, err, out)
		}
	}
	return os.Symlink(client, filepath.Join(bin, "countersign"))
}

// world is one forge with a repository that the manual's files are in, and a gate that
// serves it.
type world struct {
	*stage.Stage

	t      *testing.T
	team   *stage.Team
	change forgetest.Change
	dir    string
	log    string
}

// policies are those of the manual's workflows.
func policies(forge, more string) []byte { return []byte(stage.Policy(forge) + more) }

// begin sets everything up: files are what the repository holds beside its policy, whose
// entry goes on with more. Then somebody changes something, and somebody else merges it.
func begin(t *testing.T, forge, more string, files func(url string) map[string][]byte) *world {
	t.Helper()
	ctx := t.Context()
	w := &world{t: t, dir: t.TempDir()}
	w.log = filepath.Join(w.dir, "daemon.log")
	log, err := os.Create(w.log)
	if err != nil {
		t.Fatal(err)
	}
	if w.Stage, err = stage.New(ctx, stage.Options{Dir: filepath.Join(w.dir, "stage"), Bin: bin, Log: log}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.Close()
		_ = log.Close()
		if t.Failed() {
			t.Log(w.told())
		}
	})
	w.team = stage.Gather(w.Worlds[forge])
	key, err := w.CreateKey(ctx)
	w.must(err)
	w.must(w.Configure(key, w.team.Owner()))
	w.serveClients()
	all := map[string][]byte{".countersign.yaml": policies(forge, more), "Makefile": []byte(makefile), "widget.sh": []byte("#!/bin/sh\nseq 10\n")}
	maps.Copy(all, files(w.URL))
	w.merged("Set the release up", all)
	w.must(w.Adopt(ctx, w.team))
	w.must(w.Start(ctx))
	w.change = w.merged("Teach the widget to count", map[string][]byte{"widget.sh": []byte("#!/bin/sh\nseq \"${1:-10}\"\n")})
	return w
}

// makefile builds the same bytes each time.
const makefile = `dist:
	mkdir -p dist
	cp widget.sh dist/widget
	git log -1 --format=%s >dist/notes.txt
.PHONY: dist
`

// merged is a change by ana that bo merged.
func (w *world) merged(title string, files map[string][]byte) forgetest.Change {
	c := w.team.Open("ana", strings.ReplaceAll(strings.ToLower(title), " ", "-"), title, files)
	w.team.World.Merge(c, w.team.People["bo"], forgetest.MergeCommit)
	return c
}

// serveClients has the gate hand its clients out.
func (w *world) serveClients() {
	b, err := os.ReadFile(w.Config())
	w.must(err)
	text := strings.Replace(string(b), "server:\n", "server:\n  clients: "+filepath.Join(bin, "clients")+"\n", 1)
	w.must(os.WriteFile(w.Config(), []byte(text), 0o600))
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// told is the end of the daemon's log.
func (w *world) told() string {
	b, _ := os.ReadFile(w.log)
	lines := strings.Split(string(b), "\n")
	return "daemon's log:\n" + strings.Join(lines[max(0, len(lines)-15):], "\n")
}

// clone is a work tree of the job's repository at its ref, as a runner checks it out.
func (w *world) clone(job forgetest.Job) string {
	w.t.Helper()
	bare, tree := filepath.Join(w.t.TempDir(), "widget.git"), filepath.Join(w.t.TempDir(), "widget")
	w.must(w.team.World.Export(job.Repository, bare))
	_, short, _ := strings.Cut(strings.TrimPrefix(job.Spec.Ref, "refs/"), "/")
	w.run("", "git", "clone", "--quiet", bare, tree)
	w.run(tree, "git", "checkout", "--quiet", short)
	w.run(tree, "git", "remote", "set-url", "origin", "https://"+w.team.World.Name()+".com/"+job.Repository.FullName+".git")
	return tree
}

func (w *world) run(dir, name string, args ...string) string {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// approve has cy, who did none of it, approve once the gate asks in the change's thread.
func (w *world) approve(ctx context.Context) error {
	for ctx.Err() == nil {
		for _, c := range w.team.World.Comments(w.change) {
			if strings.Contains(c.Body, "/countersign approve") {
				w.team.World.AddComment(w.change, w.team.People["cy"], "/countersign approve")
				return nil
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("the gate asked nobody to approve: %w", ctx.Err())
}

// verified holds a folder of release files against the stock of what was built.
func (w *world) verified(folder string, artifacts ...string) {
	w.t.Helper()
	args := []string{"verify", "--key", "countersign.pem", "--server", w.URL}
	cmd := exec.CommandContext(w.t.Context(), filepath.Join(bin, "countersign"), append(args, artifacts...)...)
	cmd.Dir = folder
	if out, err := cmd.CombinedOutput(); err != nil {
		w.t.Errorf("%v in %s: %v\n%s\n%s", cmd.Args[1:], folder, err, out, strings.Join(under(folder), "\n"))
	}
	for _, a := range artifacts {
		cmd := exec.CommandContext(w.t.Context(), "openssl", "dgst", "-sha256", "-verify", "countersign.pem", "-signature", a+".sig", a)
		cmd.Dir = folder
		if out, err := cmd.CombinedOutput(); err != nil {
			w.t.Errorf("%v: %v\n%s", cmd.Args, err, out)
		}
	}
}

// under lists the files below a folder.
func under(folder string) []string {
	var out []string
	_ = filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, path)
		}
		return nil
	})
	return out
}
