package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"

	main "github.com/countersign/countersign/cmd/countersign"
)

// steps makes the world's job one whose outputs and summary can be read.
func (w *world) steps() {
	dir := w.t.TempDir()
	w.env["GITHUB_OUTPUT"], w.env["GITHUB_STEP_SUMMARY"] = filepath.Join(dir, "output"), filepath.Join(dir, "summary")
}

// event gives the job's run an event.
func (w *world) event(payload string) {
	w.env["GITHUB_EVENT_PATH"] = filepath.Join(w.t.TempDir(), "event.json")
	if err := os.WriteFile(w.env["GITHUB_EVENT_PATH"], []byte(payload), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// outputs reads GITHUB_OUTPUT as the runner does.
func (w *world) outputs() map[string]string {
	w.t.Helper()
	b, err := os.ReadFile(w.env["GITHUB_OUTPUT"])
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[string]string{}
	lines := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		name, end, ok := strings.Cut(lines[i], "<<")
		if !ok || end == "" {
			w.t.Fatalf("line %q: expected name<<delimiter", lines[i])
		}
		var value []string
		for i++; lines[i] != end; i++ {
			value = append(value, lines[i])
		}
		out[name] = strings.Join(value, "\n")
	}
	return out
}

func (w *world) summary() string {
	b, err := os.ReadFile(w.env["GITHUB_STEP_SUMMARY"])
	if err != nil {
		return ""
	}
	return string(b)
}

func (w *world) hands(want map[string]string) {
	w.t.Helper()
	got := w.outputs()
	for name, value := range want {
		if got[name] != value {
			w.t.Errorf("output %s: expected %q, got %q", name, value, got[name])
		}
	}
}

func TestOutputsOfASignedRelease(t *testing.T) {
	w := newWorld(t)
	w.steps()
	w.expect(w.sign(), main.ExitOK)
	page := w.server.URL + "/releases/" + requestID
	want := map[string]string{
		"request-id": requestID, "request-url": page, "status": "signed", "attestation-url": page,
		"manifest-digest":  w.release.Manifest.Digest().String(),
		"bundle-path":      filepath.Join(w.dir, "app.tar.gz.sigstore.json") + "\n" + filepath.Join(w.dir, "app.zip.sigstore.json"),
		"attestation-path": filepath.Join(w.dir, "v1.4.0.vsa.sigstore.json"),
	}
	if diff := cmp.Diff(want, w.outputs()); diff != "" {
		t.Errorf("outputs (-want +got):\n%s", diff)
	}
	if !strings.Contains(w.summary(), "### Release v1\\.4\\.0: signed") {
		t.Errorf("summary:\n%s", w.summary())
	}
}

// Outputs tell also how it went where it did not go well.
func TestOutputsOfTheOthers(t *testing.T) {
	w := newWorld(t)
	w.steps()
	w.states = []api.Release{w.at(gate.StateWaiting), w.ended(gate.StateDenied, gate.CheckHold, "denied by bo")}
	w.expect(w.sign(), main.ExitPerson)
	w.hands(map[string]string{"status": "denied", "request-id": requestID, "attestation-url": "", "bundle-path": ""})

	w = newWorld(t)
	w.steps()
	w.answers["POST /v1/releases"] = []answer{problem(http.StatusForbidden, gate.CodePolicyMissing, "no policy")}
	w.expect(w.sign("--show-summary=false"), main.ExitPolicy)
	w.hands(map[string]string{"status": "failed", "request-id": ""})
	if w.summary() != "" {
		t.Errorf("--show-summary=false: expected none, got\n%s", w.summary())
	}

	w = newWorld(t)
	w.steps()
	w.states = []api.Release{w.at(gate.StateWaiting)}
	w.expect(w.sign("--wait-timeout", "20ms"), main.ExitTimeout)
	w.hands(map[string]string{"status": "pending", "request-id": requestID})
}

// What a server says cannot end a value and begin another.
func TestOutputsHoldWhatTheyAreGiven(t *testing.T) {
	w := newWorld(t)
	w.steps()
	evil := w.at(gate.StateWaiting)
	evil.URL = w.server.URL + "/\nstatus<<x\nsigned\nx"
	w.states = []api.Release{evil}
	w.expect(w.run(append([]string{"request"}, w.artifacts()...)...), main.ExitOK)
	w.hands(map[string]string{"status": "pending", "request-url": ""})
}

func TestOutputsOnGitLab(t *testing.T) {
	w := newWorld(t).onGitLab()
	file := filepath.Join(w.dir, "out", "countersign.env")
	w.put("out/keep", "")
	w.expect(w.run("request", "--output-env", file, w.artifacts()[0], w.artifacts()[1]), main.ExitOK)
	got, err := os.ReadFile(file)
	want := fmt.Sprintf("COUNTERSIGN_REQUEST_ID=%s\nCOUNTERSIGN_REQUEST_URL=%s/releases/%s\nCOUNTERSIGN_STATUS=pending\n"+
		"COUNTERSIGN_MANIFEST_DIGEST=%s\nCOUNTERSIGN_BUNDLE_PATH=\nCOUNTERSIGN_ATTESTATION_URL=\nCOUNTERSIGN_ATTESTATION_PATH=\n",
		requestID, w.server.URL, requestID, w.release.Manifest.Digest())
	if diff := cmp.Diff(want, string(got)); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	w.env["COUNTERSIGN_REQUEST_ID"] = requestID // as the dotenv report gives it to later jobs
	w.expect(w.run("collect", "--output-env", file, "-o", w.dir), main.ExitOK)
	got, err = os.ReadFile(file)
	if err != nil || !strings.Contains(string(got), "COUNTERSIGN_STATUS=signed\n") || strings.Contains(string(got), "app.zip") {
		t.Errorf("%v: expected signed and no list of bundles, got\n%s", err, got)
	}
	w.expect(w.run("collect", "--output-env", filepath.Join(w.dir, "none", "x"), "-o", w.dir), main.ExitFailed, "--output-env")
}

func TestModes(t *testing.T) {
	for _, row := range []struct {
		what, mode, environment string
		states                  func(w *world) []api.Release
		want                    main.Exit
		status                  string
		say                     []string
	}{
		{"auto waits", "auto", "", waitThenSign, main.ExitOK, "signed", []string{"::notice title=countersign::Release v1.4.0"}},
		{"auto in an environment that holds nothing", "auto", "release", waitThenSign, main.ExitOK, "signed", []string{"environment release does not hold its jobs"}},
		{"auto in an environment that held it", "auto", "release", signedAlready, main.ExitOK, "signed", nil},
		{"wait", "wait", "", waitThenSign, main.ExitOK, "signed", nil},
		{"environment that held it", "environment", "release", signedAlready, main.ExitOK, "signed", nil},
		{"environment, a moment early", "environment", "release", waitThenSign, main.ExitOK, "signed", nil},
		{"environment that holds nothing", "environment", "release", waitsForEver, main.ExitTimeout, "pending",
			[]string{`environment "release" did not hold this job`, "Deployment protection rules", "--mode wait works everywhere"}},
		{"no environment", "environment", "", waitsForEver, main.ExitUsage, "pending", []string{"    environment: release"}},
		{"resume", "resume", "", waitsForEver, main.ExitOK, "pending", []string{requestID}},
		{"resume, signed already", "resume", "", signedAlready, main.ExitOK, "signed", nil},
		{"none", "", "", waitThenSign, main.ExitOK, "signed", nil},
	} {
		w := newWorld(t)
		w.steps()
		w.environment = row.environment
		w.states = row.states(w)
		got := w.sign("--mode", row.mode, "--wait-timeout", "1s")
		if got.exit != row.want {
			t.Errorf("%s: expected exit %d, got %d\n%s", row.what, row.want, got.exit, got.stderr)
		}
		for _, say := range row.say {
			if !strings.Contains(got.stderr+got.stdout, say) {
				t.Errorf("%s: expected %q, got\n%s", row.what, say, got.stderr)
			}
		}
		w.hands(map[string]string{"status": row.status})
		if has := len(w.holds()) > 0; has != (row.status == "signed") {
			t.Errorf("%s: files %v", row.what, w.holds())
		}
	}
	w := newWorld(t)
	w.expect(w.sign("--mode", "sometimes"), main.ExitUsage, "auto, wait, environment or resume")
	w = newWorld(t).onGitLab()
	w.states = []api.Release{w.at(gate.StateWaiting)}
	w.expect(w.sign("--mode", "environment"), main.ExitUsage, "--mode environment is for GitHub")
}

func waitThenSign(w *world) []api.Release {
	return []api.Release{w.at(gate.StateWaiting), w.at(gate.StateSigned)}
}
func waitsForEver(w *world) []api.Release  { return []api.Release{w.at(gate.StateWaiting)} }
func signedAlready(w *world) []api.Release { return []api.Release{w.at(gate.StatePublished)} }

// Request and collect know the same modes.
func TestModesOfRequestAndCollect(t *testing.T) {
	w := newWorld(t)
	w.steps()
	w.expect(w.run(append([]string{"request", "--mode", "wait", "--poll", "1ms"}, w.artifacts()...)...), main.ExitOK, "signed")
	w.hands(map[string]string{"status": "signed", "bundle-path": ""})
	if len(w.holds()) != 0 {
		t.Errorf("request --mode wait: expected no files, got %v", w.holds())
	}

	w = newWorld(t)
	w.steps()
	w.states = waitsForEver(w)
	w.expect(w.run("collect", "--request-id", requestID), main.ExitRetry, "or give --mode wait")
	w.expect(w.run("collect", "--request-id", requestID, "--mode", "resume"), main.ExitOK, "waiting")
	w.states = waitThenSign(w)
	w.expect(w.run("collect", "--request-id", requestID, "--mode", "wait", "--poll", "1ms", "-o", w.dir), main.ExitOK, "app.zip.sig")
}

// The finishing workflow runs for the gate's check run, which names the request.
func TestCollectForACheckRun(t *testing.T) {
	w := newWorld(t)
	w.states = signedAlready(w)
	w.event(`{"action": "completed", "check_run": {"name": "countersign/stable", "external_id": "` + requestID + `"}}`)
	w.expect(w.run("collect", "-o", w.dir), main.ExitOK, "app.zip.sig")
	for payload, say := range map[string]string{
		`{"check_run": {"name": "lint", "external_id": "42"}}`: "startsWith(github.event.check_run.name, 'countersign/')",
		`{"check_run": {"external_id": "../../x"}}`:            "startsWith(github.event.check_run.name, 'countersign/')",
		`{}`:       "no request is named",
		`nonsense`: "no request is named",
	} {
		w.event(payload)
		w.expect(w.run("collect", "-o", w.dir), main.ExitUsage, say)
	}
}

// A fork on which nobody installed the gate goes on, unsigned; nothing else does.
func TestForks(t *testing.T) {
	unknown := problem(http.StatusNotFound, gate.CodeRepositoryUnknown, "no credential reaches it")
	const fork, pull = `{"repository": {"id": 1, "fork": true}}`, `{"repository": {"id": 1}, "pull_request": {"head": {"repo": {"id": 2}}}}`
	for _, row := range []struct {
		what, event string
		edit        func(w *world)
		want        main.Exit
	}{
		{"a fork without the app", fork, func(w *world) { w.answers["POST /v1/releases"] = []answer{unknown} }, main.ExitOK},
		{"a fork without ID tokens", fork, func(w *world) { delete(w.env, "ACTIONS_ID_TOKEN_REQUEST_URL") }, main.ExitOK},
		{"a pull request from a fork", pull, func(w *world) { delete(w.env, "ACTIONS_ID_TOKEN_REQUEST_URL") }, main.ExitOK},
		{"a fork that is refused", fork, func(w *world) {
			w.answers["POST /v1/releases"] = []answer{problem(http.StatusUnauthorized, gate.CodeAudience, "another audience")}
		}, main.ExitIdentity},
		{"no fork without the app", `{"repository": {"id": 1, "fork": false}}`, func(w *world) { w.answers["POST /v1/releases"] = []answer{unknown} }, main.ExitPolicy},
		{"no event", ``, func(w *world) { w.answers["POST /v1/releases"] = []answer{unknown} }, main.ExitPolicy},
		{"no fork without ID tokens", `{"repository": {"id": 1}}`, func(w *world) { delete(w.env, "ACTIONS_ID_TOKEN_REQUEST_URL") }, main.ExitIdentity},
	} {
		w := newWorld(t)
		w.steps()
		w.event(row.event)
		row.edit(w)
		got := w.sign("--json")
		if got.exit != row.want || json.Valid([]byte(got.stdout)) == false {
			t.Errorf("%s: expected exit %d, got %d\n%s%s", row.what, row.want, got.exit, got.stdout, got.stderr)
		}
		status := "failed"
		if row.want == main.ExitOK {
			status = "skipped"
			w.expect(got, main.ExitOK, "::notice title=countersign::nothing is signed: this is a fork")
			if !strings.Contains(w.summary(), "This is a fork") {
				t.Errorf("%s: summary:\n%s", row.what, w.summary())
			}
		}
		w.hands(map[string]string{"status": status})
	}
}

func TestSubjectPaths(t *testing.T) {
	w := newWorld(t)
	w.put("sub/deep/app.zip.txt", "notes")
	all := filepath.Join(w.dir, "*.tar.gz") + "\n\n" + filepath.Join(w.dir, "**", "*.zip") + "\n"
	w.expect(w.run("sign", "--poll", "1ms", "--subject-path", all), main.ExitOK)
	w.expect(w.run("sign", "--poll", "1ms", "--subject-path", filepath.Join(w.dir, "**")+"\n!"+filepath.Join(w.dir, "**", "*.{json,txt,pem,sig}")+
		"\n!"+filepath.Join(w.dir, "SHA256SUMS")), main.ExitOK)
	for _, row := range []struct{ path, say string }{
		{filepath.Join(w.dir, "*.exe"), "finds no file"},
		{filepath.Join(w.dir, "sub"), "finds no file"},
		{filepath.Join(w.dir, "[") + "\n", "cannot be looked for"},
		{"\n  \n", "names no file"},
		{filepath.Join(w.dir, "*.zip") + "\n!" + filepath.Join(w.dir, "**"), "names no file"},
	} {
		w.expect(w.run("sign", "--subject-path", row.path), main.ExitUsage, row.say, "fix: ")
	}
	w.expect(w.run("sign", "--subject-path", all, "--subject-checksums", "x"), main.ExitUsage, "what to sign is not clear")
}
