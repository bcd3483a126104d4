package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest/attesttest"

	main "github.com/countersign/countersign/cmd/countersign"
)

// signedFolder is a job's folder after a release.
func signedFolder(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.expect(w.sign(), main.ExitOK)
	w.env = nil // verify needs none of it
	return w
}

func TestVerify(t *testing.T) {
	w := signedFolder(t)
	path := func(name string) string { return filepath.Join(w.dir, name) }
	key, vsa := path("countersign.pem"), path("v1.4.0.vsa.sigstore.json")
	other := w.put("other.pem", string(attesttest.NewKey(t).Public.PEM()))
	w.put("bad.pem", "no key")
	row := func(want main.Exit, say string, args ...string) {
		t.Helper()
		w.expect(w.run(append([]string{"verify"}, args...)...), want, say)
	}
	row(main.ExitOK, "passed      signature", "--key", key, path("app.zip"))
	row(main.ExitOK, "SHA-256", "--key", key, "--vsa", vsa, "--expect-repository", "github:1296269",
		"--expect-ref", "refs/tags/v1.4.0", "--expect-commit", "1111111111111111111111111111111111111111", path("app.zip"))
	row(main.ExitFailed, "failed      hardware", "--key", key, "--vsa", vsa, "--expect-hardware", path("app.zip"))
	row(main.ExitFailed, "failed      server", "--key", key, "--vsa", vsa, "--expect-server", "https://other.example", path("app.zip"))
	row(main.ExitFailed, "failed      key", "--key", other, path("app.zip"))
	row(main.ExitFailed, "a bundle cannot be read", "--key", key, path("SHA256SUMS"))
	row(main.ExitFailed, "a bundle cannot be read", "--key", key, "--vsa", path("none"), path("app.zip"))
	row(main.ExitUsage, "no key is named", path("app.zip"))
	row(main.ExitUsage, "--key does not read", "--key", path("bad.pem"), path("app.zip"))
	row(main.ExitUsage, "--key cannot be read", "--key", path("none"), path("app.zip"))
	row(main.ExitUsage, "nothing to verify", "--key", key)
	row(main.ExitUsage, "an artifact cannot be opened", "--key", key, path("none"))
	row(main.ExitUsage, "needs a statement", "--key", key, "--expect-ref", "refs/tags/v1", path("app.zip"))

	w.put("app.zip", "the other archive!")
	row(main.ExitFailed, "failed      digest", "--key", key, path("app.zip"))
	row(main.ExitFailed, "failed      subject app.zip", "--key", key, "--vsa", vsa, path("app.zip"))
}

func TestVerifyJSON(t *testing.T) {
	w := signedFolder(t)
	args := []string{"verify", "--json", "--key", filepath.Join(w.dir, "countersign.pem"), filepath.Join(w.dir, "app.zip")}
	for _, want := range []main.Exit{main.ExitOK, main.ExitFailed} {
		got := w.run(args...)
		w.expect(got, want)
		var out struct {
			OK      bool
			Results []struct {
				File string
				OK   bool
			}
		}
		if err := json.Unmarshal([]byte(got.stdout), &out); err != nil || len(out.Results) != 1 || out.OK != (want == main.ExitOK) {
			t.Errorf("exit %d: expected one JSON object (%v), got\n%s", want, err, got.stdout)
		}
		w.put("app.zip", "changed")
	}
}

// A release may hold folders: its artifacts are named by their paths from the statement.
func TestVerifyFolders(t *testing.T) {
	dir := t.TempDir()
	w := &world{t: t, dir: dir}
	files := map[string]string{"linux/app": "for Linux", "darwin/app": "for macOS"}
	r := attesttest.New(t, files)
	for name, content := range files {
		w.put(name, content)
	}
	for _, f := range r.Files {
		w.put(f.Name, string(f.Content))
	}
	w.expect(w.run("verify", "--key", filepath.Join(dir, "countersign.pem"), "--vsa", filepath.Join(dir, "v1.4.0.vsa.sigstore.json"),
		filepath.Join(dir, "linux", "app"), filepath.Join(dir, "darwin", "app")), main.ExitOK, "subject linux/app", "subject darwin/app")
	if err := os.Rename(filepath.Join(dir, "linux"), filepath.Join(dir, "windows")); err != nil {
		t.Fatal(err)
	}
	w.expect(w.run("verify", "--key", filepath.Join(dir, "countersign.pem"), "--vsa", filepath.Join(dir, "v1.4.0.vsa.sigstore.json"),
		filepath.Join(dir, "windows", "app")), main.ExitFailed, gate.SHA256([]byte("for Linux")).String())
}
