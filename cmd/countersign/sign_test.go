package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"

	main "github.com/countersign/countersign/cmd/countersign"
)

var collected = []string{
	"SHA256SUMS", "app.tar.gz.cert.sigstore.json", "app.tar.gz.sig", "app.tar.gz.sigstore.json",
	"app.zip.cert.sigstore.json", "app.zip.sig", "app.zip.sigstore.json",
	"countersign.pem", "trusted_root.json",
	"v1.4.0.approval-1.cert.sigstore.json", "v1.4.0.approval-1.dsse.json", "v1.4.0.approval-1.sigstore.json",
	"v1.4.0.decision.cert.sigstore.json", "v1.4.0.decision.dsse.json", "v1.4.0.decision.sigstore.json",
	"v1.4.0.release.cert.sigstore.json", "v1.4.0.release.dsse.json", "v1.4.0.release.sigstore.json",
	"v1.4.0.vsa.cert.sigstore.json", "v1.4.0.vsa.dsse.json", "v1.4.0.vsa.sigstore.json",
}

func TestSignOnGitHub(t *testing.T) {
	w := newWorld(t)
	w.states = []api.Release{w.at(gate.StateWaiting), w.at(gate.StateWaiting), w.at(gate.StateGranted), w.at(gate.StateSigned)}
	got := w.sign()
	w.expect(got, main.ExitOK, "not yet covered: 2222222 by @ana (#412): needs someone other than @ana", "can approve: bo",
		"cannot: ana (author of #412)", "code K7QM", w.server.URL+"/releases/"+requestID)
	if diff := cmp.Diff(collected, w.holds()); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	for token, n := range w.used {
		if n != 1 {
			t.Errorf("ID token %q was used %d times", token, n)
		}
	}
	// One line per change: granted, then signed; the second "waiting" says nothing new.
	if n := strings.Count(got.stderr, "\nrelease v1.4.0: "); n != 2 {
		t.Errorf("expected 2 lines of change, got %d:\n%s", n, got.stderr)
	}
	verify := append([]string{"verify", "--key", filepath.Join(w.dir, "countersign.pem"),
		"--server", w.server.URL}, w.artifacts()...)
	w.expect(w.run(verify...), main.ExitOK, "– log entry: ", "– timestamp: ")
}

func TestSignOnGitLab(t *testing.T) {
	w := newWorld(t).onGitLab()
	w.expect(w.sign(), main.ExitOK)
	if n := w.used["job-token"]; n != 3 {
		t.Errorf("the job's ID token: expected 3 uses (ask, poll, collect), got %d", n)
	}
}

func TestSignJSON(t *testing.T) {
	w := newWorld(t)
	got := w.sign("--json")
	w.expect(got, main.ExitOK)
	var out struct {
		Release api.Release
		Files   []string
	}
	if err := json.Unmarshal([]byte(got.stdout), &out); err != nil {
		t.Fatalf("standard output is no single JSON object: %v\n%s", err, got.stdout)
	}
	if out.Release.ID != requestID || len(out.Files) != len(collected) {
		t.Errorf("expected request %s and %d files, got %+v", requestID, len(collected), out)
	}
}

func TestRequestIsPending(t *testing.T) {
	w := newWorld(t)
	args := append([]string{"request", "--release", "stable"}, w.artifacts()...)
	w.expect(w.run(args...), main.ExitOK, requestID, "K7QM", "waiting", "1 of 2 changes not yet covered", "-> somebody else approves")
	if len(w.holds()) != 0 {
		t.Errorf("request wrote %v", w.holds())
	}
	if !strings.Contains(string(w.bodies[0]), `"stream":"stable"`) {
		t.Errorf("ask without its stream: %s", w.bodies[0])
	}
	var r api.Release
	got := w.run(append(args, "--json")...)
	if err := json.Unmarshal([]byte(got.stdout), &r); err != nil || r.ID != requestID {
		t.Errorf("--json: %v\n%s", err, got.stdout)
	}
}

func TestCollectAndStatus(t *testing.T) {
	w := newWorld(t)
	w.states = []api.Release{w.at(gate.StateWaiting)}
	w.expect(w.run("status", "--request-id", requestID), main.ExitOK, "waiting", "can approve: bo")
	w.expect(w.run("collect", "--request-id", requestID), main.ExitRetry, "not signed yet: it is waiting")
	w.states = []api.Release{w.at(gate.StatePublished)}
	w.expect(w.run("status", "--request-id", requestID, "--json"), main.ExitOK, `"state": "published"`)
	out := filepath.Join(w.dir, "out")
	w.expect(w.run("collect", "--request-id", requestID, "--output-directory", out), main.ExitOK, filepath.Join(out, "app.zip.sig"))
	w.expect(w.run(append([]string{"collect", "--request-id", requestID}, w.artifacts()...)...), main.ExitOK)
	want := append([]string{}, collected...)
	for _, name := range collected {
		want = append(want, "out/"+name)
	}
	if diff := cmp.Diff(len(want), len(w.holds())); diff != "" {
		t.Errorf("files: %v", w.holds())
	}
	w.expect(w.run("collect", "--request-id", requestID, w.artifacts()[0]), main.ExitUsage, "not those of the request")
}

func TestCollectHoldsThePinnedKey(t *testing.T) {
	w := newWorld(t)
	w.states = []api.Release{w.at(gate.StateSigned)}
	key := w.put("trusted.pem", string(w.release.File(t, "countersign.pem")))
	w.expect(w.run("collect", "--request-id", requestID, "-o", w.dir, "--key", key), main.ExitOK)
	other := w.put("other.pem", string(newWorld(t).release.File(t, "countersign.pem")))
	w.expect(w.run("collect", "--request-id", requestID, "-o", w.dir, "--key", other), main.ExitFailed, "does not verify", "--key is SHA256:")
	w.expect(w.run("collect", "--request-id", requestID, "-o", w.dir, "--key", filepath.Join(w.dir, "none")), main.ExitUsage)
}

func TestExistingFilesStay(t *testing.T) {
	w := newWorld(t)
	w.put("app.zip.sig", "something of the user")
	w.expect(w.sign(), main.ExitFailed, "app.zip.sig is there already with another content", "--force")
	if diff := cmp.Diff([]string{"app.zip.sig"}, w.holds()); diff != "" {
		t.Errorf("nothing was to be written (-want +got):\n%s", diff)
	}
	w.expect(w.sign("--force"), main.ExitOK)
	w.expect(w.sign(), main.ExitOK) // the same content again
	if b, err := os.ReadFile(filepath.Join(w.dir, "app.zip.sig")); err != nil || string(b) == "something of the user" {
		t.Errorf("--force: %q, %v", b, err)
	}
}

// Artifacts from several folders each get their files beside them.
func TestFilesGoBesideTheirArtifact(t *testing.T) {
	w := newWorld(t)
	zip := w.put("other/app.zip", built["app.zip"])
	t.Chdir(t.TempDir())
	w.expect(w.run("sign", "--poll", "1ms", filepath.Join(w.dir, "app.tar.gz"), zip), main.ExitOK)
	for _, path := range []string{
		filepath.Join(w.dir, "app.tar.gz.sig"), filepath.Join(w.dir, "other", "app.zip.sig"), "SHA256SUMS", "countersign.pem",
	} {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}

func TestSubjectsWithoutFiles(t *testing.T) {
	w := newWorld(t)
	sums := w.put("sums", strings.ReplaceAll(string(w.release.Manifest.Bytes()), "  app.tar.gz", " *./app.tar.gz")+"\r\n")
	w.expect(w.run("sign", "--poll", "1ms", "--subject-checksums", sums), main.ExitOK, filepath.Join(w.dir, "app.zip.sig"))
	digest := w.release.Manifest.Subjects[0].SHA256.String()
	// One subject is another manifest: the gate's answer is for two, and is refused.
	w.expect(w.run("request", "--subject-name", "app.tar.gz", "--subject-digest", "sha256:"+digest), main.ExitFailed, "answer does not read")
}

func TestJobSummary(t *testing.T) {
	w := newWorld(t)
	path := w.put("summary.md", "before\n")
	w.env["GITHUB_STEP_SUMMARY"] = path
	w.states[1].Checks[0].Reason = "<img src=x> [link](https://evil.example) `code`"
	w.expect(w.sign(), main.ExitOK)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for _, want := range []string{
		"before\n### Release v1\\.4\\.0: signed", "- [x] **Asked by the right workflow**", w.release.Manifest.Subjects[0].SHA256.String(),
		"countersign verify --trusted-root trusted_root.json --key countersign.pem app.tar.gz", "cosign verify-blob --key",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("summary: expected %q in\n%s", want, text)
		}
	}
	for _, bad := range []string{"<img", "](https://evil", "`code`"} {
		if strings.Contains(text, bad) {
			t.Errorf("summary: %q is not escaped in\n%s", bad, text)
		}
	}
	w.env["GITHUB_STEP_SUMMARY"] = w.dir // no file
	w.expect(w.sign("--force"), main.ExitFailed, "job summary")
}
