package action_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
)

// recorder stands in for the client: it writes down its arguments, one a line.
const recorder = `#!/bin/sh
[ "$1" = --version ] && { echo "countersign version v1.2.3"; exit; }
for a in "$@"; do printf '%s\036' "$a"; done >"$ARGS"
`

// runner is one job's step.
type runner struct {
	t       *testing.T
	dir     string
	env     map[string]string
	clients map[string]string // by path at the gate
	served  atomic.Pointer[map[string]string]
}

func newRunner(t *testing.T) *runner {
	t.Helper()
	sum := sha256.Sum256([]byte(recorder))
	r := &runner{t: t, dir: t.TempDir(), clients: map[string]string{
		"/client/linux-amd64/countersign": recorder,
		"/client/SHA256SUMS":              fmt.Sprintf("%064d  linux-arm64/countersign\n%x  linux-amd64/countersign\n", 0, sum),
	}}
	gate := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		content, ok := (*r.served.Load())[q.URL.Path]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = w.Write([]byte(content))
	}))
	t.Cleanup(gate.Close)
	r.env = map[string]string{
		"RUNNER_OS": "Linux", "RUNNER_ARCH": "X64", "RUNNER_TEMP": r.dir, "HOME": r.dir, "PATH": r.tools(),
		"ARGS": filepath.Join(r.dir, "args"), "IN_SERVER_URL": gate.URL + "/",
	}
	return r
}

// tools is a PATH without any client.
func (r *runner) tools() string {
	dir := filepath.Join(r.t.TempDir(), "bin")
	if err := os.Mkdir(dir, 0o700); err != nil {
		r.t.Fatal(err)
	}
	for _, tool := range []string{"bash", "sh", "uname", "cut", "sha256sum", "curl", "awk", "mktemp", "chmod"} {
		path, err := exec.LookPath(tool)
		if err != nil {
			r.t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(dir, tool)); err != nil {
			r.t.Fatal(err)
		}
	}
	return dir
}

// run runs the script and returns its exit code, what it wrote, and the client's arguments.
func (r *runner) run(command string) (int, string, []string) {
	r.t.Helper()
	clients := maps.Clone(r.clients)
	r.served.Store(&clients)
	script, err := filepath.Abs("countersign.sh")
	if err != nil {
		r.t.Fatal(err)
	}
	bash, err := exec.LookPath("bash")
	if err != nil {
		r.t.Fatal(err)
	}
	cmd := exec.CommandContext(r.t.Context(), bash, script, command)
	cmd.Dir = r.dir
	cmd.Env = []string{}
	for name, value := range r.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	_ = cmd.Run() // its exit code tells
	args, err := os.ReadFile(r.env["ARGS"])
	if err != nil {
		return cmd.ProcessState.ExitCode(), out.String(), nil
	}
	return cmd.ProcessState.ExitCode(), out.String(), strings.Split(strings.TrimSuffix(string(args), "\x1e"), "\x1e")
}

func TestTheGatesClientIsRun(t *testing.T) {
	r := newRunner(t)
	r.env["IN_SUBJECT_PATH"] = "dist/*.tgz\n!dist/x.tgz"
	code, out, args := r.run("sign")
	want := []string{"sign", "--show-summary=true", "--server=" + r.env["IN_SERVER_URL"], "--subject-path=dist/*.tgz\n!dist/x.tgz"}
	if diff := cmp.Diff(want, args); code != 0 || diff != "" {
		t.Errorf("exit code %d, arguments (-want +got):\n%s\n%s", code, diff, out)
	}
	if !strings.Contains(out, "countersign: countersign version v1.2.3 ("+r.dir) {
		t.Errorf("expected the client's version and path, got\n%s", out)
	}
}

func TestTheClientOnPathComesFirst(t *testing.T) {
	r := newRunner(t)
	if err := os.WriteFile(filepath.Join(r.env["PATH"], "countersign"), []byte(recorder+"# own\n"), 0o700); err != nil { //nolint:gosec // it is run
		t.Fatal(err)
	}
	r.clients = nil // the gate is not asked
	if code, out, args := r.run("request"); code != 0 || args == nil {
		t.Errorf("exit code %d\n%s", code, out)
	}
	r.env["IN_CLIENT_SHA256"] = strings.Repeat("0", 64)
	if code, out, _ := r.run("request"); code != 1 || !strings.Contains(out, "client-sha256 says 000000") {
		t.Errorf("a pin holds for it too: exit code %d\n%s", code, out)
	}
}

func TestClientsThatAreNotRun(t *testing.T) {
	for _, row := range []struct {
		what string
		edit func(r *runner)
		say  string
	}{
		{"another content", func(r *runner) { r.clients["/client/linux-amd64/countersign"] += "evil" }, "nothing was run"},
		{"another pin", func(r *runner) { r.env["IN_CLIENT_SHA256"] = "sha256:" + strings.Repeat("a", 64) }, "client-sha256 says aaaa"},
		{"no sums", func(r *runner) { delete(r.clients, "/client/SHA256SUMS") }, "SHA256SUMS: check server-url"},
		{"no client", func(r *runner) { delete(r.clients, "/client/linux-amd64/countersign") }, "linux-amd64/countersign: check server-url"},
		{"none for this platform", func(r *runner) { r.env["RUNNER_OS"] = "macOS" }, "serves no client darwin-amd64/countersign"},
		{"no such system", func(r *runner) { r.env["RUNNER_OS"] = "Plan9" }, "no client for the operating system Plan9"},
		{"no such processor", func(r *runner) { r.env["RUNNER_ARCH"] = "X86" }, "no client for the processor X86"},
		{"no server", func(r *runner) { delete(r.env, "IN_SERVER_URL") }, "server-url is missing"},
		{"in clear", func(r *runner) { r.env["IN_SERVER_URL"] = "http://sign.example.org" }, "expected https://host"},
		{"a file", func(r *runner) { r.env["IN_SERVER_URL"] = "file:///etc" }, "expected https://host"},
		{"a host that looks like this machine", func(r *runner) { r.env["IN_SERVER_URL"] = "http://127.0.0.1.evil.example" }, "expected https://host"},
		{"another host behind a user", func(r *runner) { r.env["IN_SERVER_URL"] = "http://127.0.0.1:80@evil.example" }, "expected https://host"},
		{"a line of its own", func(r *runner) { r.env["IN_SERVER_URL"] = "x\n::add-mask::100%" }, "got 'x%0A::add-mask::100%25'"},
		{"an option", func(r *runner) { r.env["IN_SERVER_URL"] = "--config=/etc/passwd" }, "expected https://host"},
	} {
		r := newRunner(t)
		row.edit(r)
		code, out, args := r.run("sign")
		if code == 0 || args != nil || !strings.Contains(out, row.say) || !strings.Contains(out, "::error title=countersign::") {
			t.Errorf("%s: expected a refusal with %q, got exit code %d and arguments %q\n%s", row.what, row.say, code, args, out)
		}
	}
}

// An input is a value, whatever stands in it.
func TestInputsAreNeverEvaluated(t *testing.T) {
	evil := "$(touch pwned) `touch pwned` \"; touch pwned; ' ${IFS} --json\n::add-mask::x"
	names := []string{
		"SUBJECT_PATH", "SUBJECT_NAME", "SUBJECT_DIGEST", "SUBJECT_CHECKSUMS", "RELEASE", "MODE", "WAIT_TIMEOUT",
		"REQUEST_ID", "OUTPUT_DIRECTORY", "KEY", "SHOW_SUMMARY",
	}
	for _, name := range names {
		r := newRunner(t)
		r.env["IN_"+name] = evil
		_, out, args := r.run("sign")
		flag := "--" + strings.ToLower(strings.ReplaceAll(name, "_", "-")) + "=" + evil
		if !slices.Contains(args, flag) {
			t.Errorf("%s: expected it as it is, got %q\n%s", name, args, out)
		}
		if _, err := os.Stat(filepath.Join(r.dir, "pwned")); err == nil {
			t.Errorf("%s was evaluated", name)
		}
	}
	r := newRunner(t)
	r.env["IN_CLIENT_SHA256"] = evil
	if _, _, args := r.run("sign"); args != nil {
		t.Error("a pin that is none: expected nothing to be run")
	}
}

// metadata is an action.yml as far as it matters here. Source: docs.github.com, "Metadata
// syntax reference".
type metadata struct {
	Name, Description, Author string
	Branding                  map[string]string
	Inputs                    map[string]struct {
		Description, Default string
		Required             bool
	}
	Outputs map[string]struct{ Description, Value string }
	Runs    struct {
		Using string
		Steps []struct {
			ID, Shell, Run string
			Env            map[string]string
		}
	}
}

func TestMetadata(t *testing.T) {
	common := []string{"server-url", "mode", "wait-timeout", "subject-path", "subject-digest", "subject-name", "subject-checksums", "show-summary", "client-sha256"}
	for command, more := range map[string][]string{
		"request": {"release"}, "collect": {"request-id", "output-directory", "key"}, "sign": {"release", "output-directory", "key"},
	} {
		content, err := os.ReadFile(filepath.Join(command, "action.yml"))
		if err != nil {
			t.Fatal(err)
		}
		var m metadata
		if err := yaml.UnmarshalWithOptions(content, &m, yaml.Strict()); err != nil {
			t.Fatalf("%s: %v", command, err)
		}
		if m.Runs.Using != "composite" || len(m.Runs.Steps) != 1 {
			t.Fatalf("%s: expected one composite step, got %+v", command, m.Runs)
		}
		step := m.Runs.Steps[0]
		if want := `bash "$GITHUB_ACTION_PATH/../countersign.sh" ` + command; step.Run != want || step.Shell != "bash" {
			t.Errorf("%s runs %q", command, step.Run)
		}
		env := map[string]string{}
		for _, input := range append(more, common...) {
			if m.Inputs[input].Description == "" {
				t.Errorf("%s: input %s is missing, or nobody says what it is", command, input)
			}
			env["IN_"+strings.ToUpper(strings.ReplaceAll(input, "-", "_"))] = "${{ inputs." + input + " }}"
		}
		if diff := cmp.Diff(env, step.Env); diff != "" || len(env) != len(m.Inputs) {
			t.Errorf("%s: inputs and environment (-want +got):\n%s", command, diff)
		}
		for _, output := range []string{"request-id", "request-url", "status", "manifest-digest", "bundle-path", "attestation-url"} {
			want := "${{ steps." + step.ID + ".outputs." + output + " }}"
			late := command == "request" && (output == "bundle-path" || output == "attestation-url")
			if got := m.Outputs[output].Value; got != want && !late {
				t.Errorf("%s: output %s is %q, expected %q", command, output, got, want)
			}
		}
	}
}
