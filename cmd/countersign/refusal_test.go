package main_test

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/attest/attesttest"

	main "github.com/countersign/countersign/cmd/countersign"
)

// A gate that lies gets nothing written.
func TestWhatTheServerSendsIsNotTrusted(t *testing.T) {
	add := func(name string) func([]api.File) []api.File {
		return func(fs []api.File) []api.File { return append(fs, api.File{Name: name, Content: []byte("x")}) }
	}
	drop := func(name string) func([]api.File) []api.File {
		return func(fs []api.File) []api.File {
			return slices.DeleteFunc(fs, func(f api.File) bool { return f.Name == name })
		}
	}
	swap := func(a, b string) func([]api.File) []api.File {
		return func(fs []api.File) []api.File {
			i := slices.IndexFunc(fs, func(f api.File) bool { return f.Name == a })
			j := slices.IndexFunc(fs, func(f api.File) bool { return f.Name == b })
			fs[i].Content, fs[j].Content = fs[j].Content, fs[i].Content
			return fs
		}
	}
	for what, files := range map[string]func([]api.File) []api.File{
		"nothing":                     func([]api.File) []api.File { return nil },
		"a path out of the folder":    add("../evil"),
		"a path out, after a subject": add("app.zip.a/../../../evil"),
		"an absolute path":            add("/tmp/evil"),
		"a backslash":                 add(`app.zip.a\evil`),
		"a dot file":                  add(".bashrc"),
		"a workflow":                  add(".github/workflows/release.yml"),
		"a hidden VSA":                add(".vsa.sigstore.json"),
		"a VSA in a folder":           add("x/y.vsa.sigstore.json"),
		"an artifact itself":          add("app.zip"),
		"a suffix that is none":       add("app.zip."),
		"a suffix with two dots":      add("app.zip.a..b"),
		"a name of nobody":            add("Makefile"),
		"a file twice":                add("SHA256SUMS"),
		"a bundle twice":              add("app.zip.sigstore.json"),
		"no key":                      drop("countersign.pem"),
		"no sums":                     drop("SHA256SUMS"),
		"no bundle":                   drop("app.zip.sigstore.json"),
		"no statement":                drop("v1.4.0.vsa.sigstore.json"),
		"the bundle of another":       swap("app.zip.sigstore.json", "app.tar.gz.sigstore.json"),
		"a bundle for the statement":  swap("app.zip.sigstore.json", "v1.4.0.vsa.sigstore.json"),
	} {
		w := newWorld(t)
		w.files = files
		got := w.sign()
		if got.exit != main.ExitFailed || len(w.holds()) != 0 {
			t.Errorf("%s: expected exit %d and no file, got exit %d and %v\n%s", what, main.ExitFailed, got.exit, w.holds(), got.stderr)
		}
	}
}

// Another release's signatures verify, but not for this release.
func TestAnotherReleasesFiles(t *testing.T) {
	w, other := newWorld(t), newWorld(t)
	w.files = func([]api.File) []api.File { return other.sent() } // of another gate
	w.expect(w.sign(), main.ExitFailed, "does not verify", "server")
}

func TestAnswersAboutSomethingElse(t *testing.T) {
	for what, change := range map[string]func(*api.Release){
		"id":       func(r *api.Release) { r.ID = "../../../etc" },
		"manifest": func(r *api.Release) { r.ManifestDigest = gate.Digest{} },
		"commit":   func(r *api.Release) { r.Commit = strings.Repeat("9", 40) },
		"ref":      func(r *api.Release) { r.Ref = "refs/tags/v9" },
	} {
		w := newWorld(t)
		change(&w.states[0])
		got := w.sign()
		if got.exit != main.ExitFailed {
			t.Errorf("another %s: expected exit %d, got %d\n%s", what, main.ExitFailed, got.exit, got.stderr)
		}
	}
	w := newWorld(t)
	w.states[1].ID = "0197f3a0-0000-7000-8000-00000000ffff"
	w.expect(w.sign(), main.ExitFailed, "answer does not read")
}

func TestUsage(t *testing.T) {
	w := newWorld(t)
	file := w.artifacts()[0]
	twin := w.put("twin/app.tar.gz", "x")
	bad := w.put("bad.sums", "zzz  app\n")
	upper := w.put("upper.sums", strings.Repeat("A", 64)+"  app\n")
	empty := w.put("empty.sums", "")
	huge := w.put("huge.sums", strings.Repeat("\n", 2<<20))
	digest := strings.Repeat("a", 64)
	for _, args := range [][]string{
		{"nope"},
		{"sign", "--nope"},
		{"request"},
		{"request", file, "--subject-checksums", bad},
		{"request", file, "--subject-name", "x"},
		{"request", "--subject-name", "x"},
		{"request", "--subject-digest", digest},
		{"request", "--subject-name", "x", "--subject-digest", "sha1:aa"},
		{"request", "--subject-name", "../x", "--subject-digest", digest},
		{"request", "--subject-checksums", bad},
		{"request", "--subject-checksums", upper},
		{"request", "--subject-checksums", empty},
		{"request", "--subject-checksums", huge},
		{"request", "--subject-checksums", filepath.Join(w.dir, "none")},
		{"request", filepath.Join(w.dir, "none")},
		{"request", w.dir},
		{"request", file, twin},
		{"request", file, "--stream", "a", "--release", "b"},
		{"request", file, "--stream", "NOT OK"},
		{"request", file, "--ref", "main"},
		{"request", file, "--ref", "refs/pull/1/merge"},
		{"request", file, "--commit", "1111111"},
		{"request", file, "--server", ""},
		{"request", file, "--server", "gate.example"},
		{"request", file, "--server", "http://gate.example"},
		{"request", file, "--server", "https://u:p@gate.example"},
		{"request", file, "--server", w.server.URL + "/path"},
		{"request", file, "--server", w.server.URL + "?q=1"},
		{"request", file, "--retry-for", "0s"},
		{"sign", file, "--poll", "-1s"},
		{"sign", file, "--wait-timeout", "soon"},
		{"collect"},
		{"collect", "--request-id", "../x"},
		{"status", "--request-id", requestID, "more"},
		{"status"},
	} {
		if got := w.run(args...); got.exit != main.ExitUsage || !strings.Contains(got.stderr, "fix: ") {
			t.Errorf("%v: expected exit %d with a fix, got %d\n%s", args, main.ExitUsage, got.exit, got.stderr)
		}
	}
	if len(w.bodies) != 0 {
		t.Errorf("the gate was asked: %s", bytes.Join(w.bodies, []byte("\n")))
	}
}

func TestJobsThatCannotAsk(t *testing.T) {
	for _, row := range []struct {
		what string
		edit func(w *world)
		want main.Exit
		say  string
	}{
		{"no CI", func(w *world) { delete(w.env, "GITHUB_ACTIONS") }, main.ExitUsage, "this is no CI job"},
		{"no permission", func(w *world) { delete(w.env, "ACTIONS_ID_TOKEN_REQUEST_URL") }, main.ExitIdentity, "      id-token: write"},
		{"an endpoint in clear", func(w *world) { w.env["ACTIONS_ID_TOKEN_REQUEST_URL"] = "http://runner.example/" }, main.ExitIdentity, "no URL that a secret may go to"},
		{"no repository", func(w *world) { delete(w.env, "GITHUB_REPOSITORY_ID") }, main.ExitUsage, "GITHUB_REPOSITORY_ID"},
		{"a repository by name", func(w *world) { w.env["GITHUB_REPOSITORY_ID"] = "acme/app" }, main.ExitUsage, "numeric id"},
		{"an unknown forge", func(w *world) { w.env["GITHUB_SERVER_URL"] = "https://other.example" }, main.ExitUsage, "does not know this job's forge"},
		{"no forge at all", func(w *world) { w.forges = nil; delete(w.env, "GITHUB_SERVER_URL") }, main.ExitUsage, "does not know this job's forge"},
		{"a refused endpoint", func(w *world) { w.answers["GET /token"] = []answer{{http.StatusForbidden, nil, ""}} }, main.ExitIdentity, "403"},
		{"an endpoint of nonsense", func(w *world) { w.answers["GET /token"] = []answer{{http.StatusOK, nil, "{}"}} }, main.ExitIdentity, "no ID token"},
		{"GitLab without ID token", func(w *world) { w.onGitLab(); delete(w.env, "COUNTERSIGN_ID_TOKEN") }, main.ExitIdentity, "      COUNTERSIGN_ID_TOKEN:\n        aud: http://127.0.0.1"},
		{"GitLab without project", func(w *world) { w.onGitLab(); delete(w.env, "CI_PROJECT_ID") }, main.ExitUsage, "CI_PROJECT_ID"},
		{"a merge request pipeline", func(w *world) { w.onGitLab(); delete(w.env, "CI_COMMIT_TAG") }, main.ExitUsage, "no branch or tag"},
		{"a branch instead of the tag", func(w *world) { w.onGitLab(); delete(w.env, "CI_COMMIT_TAG"); w.env["CI_COMMIT_BRANCH"] = "main" }, main.ExitFailed, "refs/tags/v1.4.0"},
	} {
		w := newWorld(t)
		row.edit(w)
		got := w.sign()
		if got.exit != row.want || !strings.Contains(got.stderr, row.say) {
			t.Errorf("%s: expected exit %d and %q, got %d\n%s", row.what, row.want, row.say, got.exit, got.stderr)
		}
	}
}

// Ref and commit of the command line stand in for the job's.
func TestRefAndCommitCanBeGiven(t *testing.T) {
	w := newWorld(t)
	ref, commit := w.env["GITHUB_REF"], w.env["GITHUB_SHA"]
	w.env["GITHUB_REF"], w.env["GITHUB_SHA"] = "refs/heads/main", strings.Repeat("0", 40)
	w.expect(w.sign("--ref", ref, "--commit", commit), main.ExitOK)
}

// A link in the output folder leads nowhere outside it.
func TestLinksDoNotLeadOut(t *testing.T) {
	w, outside := newWorld(t), t.TempDir()
	w.release = attesttest.NewAt(t, w.server.URL, map[string]string{"linux/app": "for Linux"})
	w.states = []api.Release{w.at(gate.StateSigned)}
	out := filepath.Join(w.dir, "out")
	if err := os.MkdirAll(out, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(out, "linux")); err != nil {
		t.Fatal(err)
	}
	w.expect(w.run("collect", "--request-id", requestID, "-o", out), main.ExitFailed, "escapes")
	if left, err := os.ReadDir(outside); err != nil || len(left) != 0 {
		t.Errorf("outside: %v, %v", left, err)
	}
}
