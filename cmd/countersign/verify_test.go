package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/countersign/countersign/gate/attest/attesttest"
	"github.com/countersign/countersign/gate/verify"

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
	key := path("countersign.pem")
	other := w.put("other.pem", string(attesttest.NewKey(t).Public.PEM()))
	w.put("bad.pem", "no key")
	row := func(want main.Exit, say string, args ...string) {
		t.Helper()
		w.expect(w.run(append([]string{"verify"}, args...)...), want, say)
	}
	row(main.ExitOK, "✓ artifact app.zip", "--key", key, path("app.zip"))
	row(main.ExitOK, "✓ v1.4.0 of https://github.example/acme/app verifies", "--key", key, w.dir)
	row(main.ExitOK, "by @bo (github:102)", "--key", key, "--repository", "github:1296269", "--tag", "v1.4.0",
		"--commit", "1111111111111111111111111111111111111111", "--require-approvers", "1", path("app.zip"))
	row(main.ExitOK, "✓ signature", "-v", "--key", key, path("app.zip"))
	row(main.ExitFailed, "✗ hardware", "--key", key, "--hardware", path("app.zip"))
	row(main.ExitFailed, "✗ server", "--key", key, "--server", "https://other.example", path("app.zip"))
	row(main.ExitFailed, "✗ approvers", "--key", key, "--require-approvers", "2", path("app.zip"))
	row(main.ExitFailed, "✗ time", "--key", key, "--not-after", "2026-01-01", path("app.zip"))
	row(main.ExitFailed, "✗ key", "--key", other, path("app.zip"))
	row(main.ExitFailed, "none of the release's 2 artifacts", "--key", key, path("SHA256SUMS"))
	row(main.ExitUsage, "nobody is trusted yet", path("app.zip"))
	row(main.ExitUsage, "--key does not read", "--key", path("bad.pem"), path("app.zip"))
	row(main.ExitUsage, "--key does not read", "--key", "SHA256:short", path("app.zip"))
	row(main.ExitUsage, "--key cannot be read", "--key", path("none"), path("app.zip"))
	row(main.ExitUsage, "--trusted-root cannot be read", "--trusted-root", path("none"), path("app.zip"))
	row(main.ExitUsage, "--trusted-root does not read", "--trusted-root", path("bad.pem"), path("app.zip"))
	row(main.ExitUsage, "--revoked does not read", "--key", key, "--revoked", "x", path("app.zip"))
	row(main.ExitUsage, "--repository does not read", "--key", key, "--repository", "acme/app", path("app.zip"))
	row(main.ExitUsage, "--policy does not read", "--key", key, "--policy", "x", path("app.zip"))
	row(main.ExitUsage, "--not-before does not read", "--key", key, "--not-before", "yesterday", path("app.zip"))
	row(main.ExitUsage, "--require-witnesses does not fit", "--key", key, "--require-witnesses", "1", path("app.zip"))
	row(main.ExitUsage, "--witness does not read", "--key", key, "--witness", "x", path("app.zip"))
	row(main.ExitUsage, "the log cannot be checked", "--key", key, "--require-log", path("app.zip"))
	row(main.ExitUsage, "--tag and --ref differ", "--key", key, "--tag", "v1", "--ref", "refs/heads/main", path("app.zip"))
	row(main.ExitUsage, "nothing to verify", "--key", key)
	row(main.ExitUsage, "an artifact cannot be opened", "--key", key, path("none"))
	row(main.ExitUsage, "a folder is verified by itself", "--key", key, w.dir, path("app.zip"))
	outside := filepath.Join(t.TempDir(), "app.zip")
	if err := os.WriteFile(outside, []byte(built["app.zip"]), 0o600); err != nil {
		t.Fatal(err)
	}
	row(main.ExitOK, "✓ artifact app.zip", "--key", key, "--evidence", w.dir, outside)
	if err := os.WriteFile(outside, []byte("evil"), 0o600); err != nil {
		t.Fatal(err)
	}
	row(main.ExitFailed, "artifact app.zip, file: SHA-256", "--key", key, "--evidence", w.dir, outside) // though w.dir has a good one
	row(main.ExitUsage, "two artifacts have one name", "--key", key, "--evidence", t.TempDir(), path("app.zip"), outside)
	row(main.ExitUsage, "says nothing of that", "--key", key, "--bundle", path("app.zip.sigstore.json"), "--tag", "v1", path("app.zip"))
	row(main.ExitOK, "✓ signature", "--key", key, "--bundle", path("app.zip.sigstore.json"), path("app.zip"))
	row(main.ExitFailed, "✗ digest", "--key", key, "--bundle", path("app.zip.sigstore.json"), path("app.tar.gz"))

	w.put("app.zip", "the other archive!")
	row(main.ExitFailed, "artifact app.zip, file: SHA-256: expected", "--key", key, path("app.zip"))
	row(main.ExitFailed, "✗ artifact app.zip", "--key", key, w.dir)
}

// An artifact by itself, with its bundle and no statement, is checked as far as that goes.
func TestVerifyWithoutStatement(t *testing.T) {
	w := signedFolder(t)
	key := filepath.Join(w.dir, "countersign.pem")
	for _, name := range []string{"v1.4.0.vsa.sigstore.json", "v1.4.0.vsa.cert.sigstore.json", "v1.4.0.vsa.dsse.json"} {
		if err := os.Remove(filepath.Join(w.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	w.expect(w.run("verify", "--key", key, filepath.Join(w.dir, "app.zip")), main.ExitOK, "✓ artifact app.zip", "who approved them is not proved")
	w.expect(w.run("verify", "--key", key, "--require-approvers", "1", filepath.Join(w.dir, "app.zip")), main.ExitFailed, "✗ statement", "approvers")
	w.expect(w.run("verify", "--key", key, w.dir), main.ExitFailed, "expected the statement of one release in the folder")
}

func TestVerifyJSON(t *testing.T) {
	w := signedFolder(t)
	args := []string{"verify", "--json", "--key", filepath.Join(w.dir, "countersign.pem"), filepath.Join(w.dir, "app.zip")}
	for _, want := range []main.Exit{main.ExitOK, main.ExitFailed} {
		got := w.run(args...)
		w.expect(got, want)
		var out struct {
			OK      bool
			Result  verify.Result
			Release *verify.Facts
		}
		good := want == main.ExitOK
		if err := json.Unmarshal([]byte(got.stdout), &out); err != nil || out.OK != good || (out.Release != nil) != good || len(out.Result.Steps) == 0 {
			t.Errorf("exit %d: expected one JSON object (%v), got\n%s", want, err, got.stdout)
		}
		w.put("app.zip", "changed")
	}
}

// sealedFolder is a release of a whole gate, and its folder.
func sealedFolder(t *testing.T, artifacts map[string]string) (*world, attesttest.SealedRelease) {
	t.Helper()
	w := &world{t: t, dir: t.TempDir()}
	r := attesttest.Sealed(t, artifacts, attesttest.Options{})
	if err := r.Write(filepath.Join(w.dir, "dist")); err != nil {
		t.Fatal(err)
	}
	w.put("root.json", string(r.Sealed.TrustedRoot))
	w.put("key.pem", string(r.Key.Public.PEM()))
	return w, r
}

func TestVerifySealed(t *testing.T) {
	w, r := sealedFolder(t, built)
	root, key, dist := filepath.Join(w.dir, "root.json"), filepath.Join(w.dir, "key.pem"), filepath.Join(w.dir, "dist")
	whole := []string{"verify", "--trusted-root", root, "--repository", attesttest.Repository}
	w.expect(w.run(append(whole, dist)...), main.ExitOK, "✓ v1.4.0 of https://github.example/acme/app verifies", "in the log gate.example")
	w.expect(w.run("verify", "--trusted-root", root, "--key", key, dist), main.ExitOK, "signed     before")
	w.expect(w.run("verify", "--trusted-root", root, "--key", r.Key.Public.Hint(), dist), main.ExitOK, "✓ statement vsa")
	w.expect(w.run("verify", "--trusted-root", root, dist), main.ExitFailed, "nobody said whose release this must be",
		"fix:      if that is the repository that you mean, say so: --repository "+attesttest.Repository)
	w.expect(w.run(append(whole, "--revoked", r.Key.Public.Hint(), dist)...), main.ExitFailed, "✗ revocation")
	if err := os.Remove(filepath.Join(dist, "v1.4.0.approval-1.sigstore.json")); err != nil {
		t.Fatal(err)
	}
	w.expect(w.run(append(whole, dist)...), main.ExitOK) // the bundle by certificate is there
	if err := os.Remove(filepath.Join(dist, "v1.4.0.approval-1.cert.sigstore.json")); err != nil {
		t.Fatal(err)
	}
	w.expect(w.run(append(whole, dist)...), main.ExitFailed, "statement approval-1, bundle: expected")
}

// A release may hold folders: its artifacts are named by their paths from the statement.
func TestVerifyFolders(t *testing.T) {
	w, _ := sealedFolder(t, map[string]string{"linux/app": "for Linux", "darwin/app": "for macOS"})
	dist := filepath.Join(w.dir, "dist")
	by := []string{"verify", "--key", filepath.Join(w.dir, "key.pem")}
	w.expect(w.run(append(by, filepath.Join(dist, "linux", "app"), filepath.Join(dist, "darwin", "app"))...), main.ExitOK,
		"artifact linux/app", "artifact darwin/app")
	w.expect(w.run(append(by, filepath.Join(dist, "linux", "app"))...), main.ExitOK, "(1 others of the release were not looked at)")
	if err := os.Rename(filepath.Join(dist, "linux"), filepath.Join(dist, "windows")); err != nil {
		t.Fatal(err)
	}
	w.expect(w.run(append(by, filepath.Join(dist, "windows", "app"))...), main.ExitFailed, "none of the release's 2 artifacts")
}
