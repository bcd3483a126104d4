package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/gate/store"
)

// What operators do and get wrong. Most of it has nothing to do with a forge; what has
// is in scripts whose name starts with adopt, and runs on both.
func TestOperator(t *testing.T) {
	t.Parallel()
	for forge, scripts := range map[string]string{"github": "*.txtar", "gitlab": "adopt*.txtar"} {
		t.Run(forge, func(t *testing.T) {
			t.Parallel()
			files, err := filepath.Glob("testdata/operator/" + scripts)
			if err != nil || len(files) == 0 {
				t.Fatalf("testdata/operator/%s: %v, %v", scripts, files, err)
			}
			testscript.Run(t, testscript.Params{
				Files: files,
				Setup: func(env *testscript.Env) error {
					st, err := prepare(env, forge, store.Config{Engine: store.SQLite})
					if err != nil {
						return err
					}
					env.Setenv("HEAD", st.team.World.Head(st.team.Repo, "refs/heads/main"))
					return nil
				},
				Cmds:      operatorCommands(),
				Condition: isForge(forge),
			})
		})
	}
}

// operatorCommands are the words of the operators' stories:
//
//	countersignd [=CODE] ARGS...  runs it to its end, which must be with that exit code
//	stops CODE REGEXP...          serve ends with CODE after one line that all match
//	write FILE MODE TEXT...       a file
//	edit FILE REGEXP TEXT         what matches, once, becomes the text
//	occupy FILE REGEXP            somebody else listens on the address that group 1 finds
//	publish FILE|none             the repository's policy file becomes this one
//	calls FUNCTION COUNT          the PKCS#11 module was called so often
//	keep NAME REGEXP              group 1 of what the last command wrote becomes a variable
func operatorCommands() map[string]command {
	return map[string]command{
		"countersignd": cmdCountersignd, "stops": cmdStops, "write": cmdWrite, "edit": cmdRewrite,
		"occupy": cmdOccupy, "publish": cmdPublish, "calls": cmdCalls, "keep": cmdKeep,
	}
}

func cmdCountersignd(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 0)
	code := 0
	if len(args) > 0 && strings.HasPrefix(args[0], "=") {
		var err error
		code, err = strconv.Atoi(args[0][1:])
		ts.Check(err)
		args = args[1:]
	}
	got, stdout, stderr := told(ts).operate(ts, args...)
	_, _ = ts.Stdout().Write(stdout)
	_, _ = ts.Stderr().Write(stderr)
	if got != code {
		ts.Fatalf("countersignd %s: expected exit code %d, got %d\n%s", strings.Join(args, " "), code, got, stderr)
	}
}

// operate runs the daemon's program to its end, and holds whatever it does against
// what must hold of all of it.
func (s *story) operate(ts *testscript.TestScript, args ...string) (code int, stdout, stderr []byte) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "countersignd"), args...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.Dir}, s.Token.Env...), s.Env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		ts.Fatalf("countersignd %v: %v", args, err)
	}
	_, err = s.Log.Write(errs.Bytes())
	ts.Check(err)
	all := out.String() + errs.String()
	for _, trace := range []string{"goroutine ", "panic", ".go:", "%!", "DATA RACE"} {
		if strings.Contains(all, trace) {
			ts.Fatalf("countersignd %v shows its inside (%q):\n%s", args, trace, all)
		}
	}
	name, err := s.tells(all)
	ts.Check(err)
	if name != "" {
		ts.Fatalf("countersignd %v tells the secret of %s", args, name)
	}
	if !s.Running() { // whose workers hold the token
		s.until(ts, "the last worker's end", func() (bool, string) {
			left := s.workers()
			return len(left) == 0, strings.Join(left, "\n")
		})
	}
	return cmd.ProcessState.ExitCode(), out.Bytes(), errs.Bytes()
}

// workers are the processes that still hold the stage's token, where the system shows them.
func (s *story) workers() []string {
	var out []string
	environments, _ := filepath.Glob("/proc/[0-9]*/environ") // the pattern is well formed
	for _, file := range environments {
		env, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(env, []byte(s.Token.Env[0])) {
			continue // it ended meanwhile, or is somebody else's
		}
		line, err := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
		if err == nil && len(line) > 0 { // a zombie has none
			out = append(out, string(bytes.ReplaceAll(line, []byte{0}, []byte{' '})))
		}
	}
	return out
}

func cmdStops(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2)
	s := told(ts)
	code, stdout, stderr := s.operate(ts, "serve", "--config", s.Config())
	var lines []string
	for line := range strings.Lines(string(stderr)) {
		if !strings.HasPrefix(line, "{") { // what was logged until then
			lines = append(lines, line)
		}
	}
	said := strings.Join(lines, "")
	if strconv.Itoa(code) != args[0] || len(lines) != 1 || len(stdout) > 0 {
		ts.Fatalf("serve: expected exit code %s after one line, got %d after %d:\n%s%s", args[0], code, len(lines), stdout, said)
	}
	for _, re := range args[1:] {
		if !regexp.MustCompile(re).MatchString(said) {
			ts.Fatalf("serve does not say %q:\n%s", re, said)
		}
	}
	fmt.Fprint(ts.Stderr(), said)
}

func cmdWrite(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2)
	mode, err := strconv.ParseUint(args[1], 8, 32)
	ts.Check(err)
	name, text := ts.MkAbs(args[0]), ""
	if len(args) > 2 {
		text = strings.Join(args[2:], " ") + "\n"
	}
	ts.Check(os.WriteFile(name, []byte(text), 0o600))
	ts.Check(os.Chmod(name, os.FileMode(mode)))
}

func cmdRewrite(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 3)
	name := ts.MkAbs(args[0])
	b, err := os.ReadFile(name)
	ts.Check(err)
	re := regexp.MustCompile("(?m)" + args[1])
	if n := len(re.FindAllIndex(b, -1)); n != 1 {
		ts.Fatalf("edit %s: expected one place that matches %s, got %d", args[0], args[1], n)
	}
	ts.Check(os.WriteFile(name, re.ReplaceAllLiteral(b, []byte(strings.ReplaceAll(args[2], `\n`, "\n"))), 0o600))
}

func cmdOccupy(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2)
	b, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	address := regexp.MustCompile("(?m)" + args[1]).FindSubmatch(b)
	if address == nil {
		ts.Fatalf("occupy: nothing in %s matches %s", args[0], args[1])
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", string(address[1]))
	ts.Check(err)
	ts.Defer(func() { _ = l.Close() })
}

func cmdPublish(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1)
	s := told(ts)
	var content []byte // nil takes the file away
	if args[0] != "none" {
		content = []byte(ts.ReadFile(args[0]))
	}
	w, eve := s.team.World, s.team.People["eve"]
	sha := w.Commit(s.team.Repo, forgetest.CommitSpec{
		Parents: []string{w.Head(s.team.Repo, "refs/heads/main")}, Author: eve, Message: "Publish a policy",
		Files: map[string][]byte{".countersign.yaml": content}, When: time.Now(),
	})
	w.Push(s.team.Repo, eve, "refs/heads/main", sha)
	ts.Setenv("HEAD", sha)
}

func cmdCalls(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2)
	s := told(ts)
	if got := s.fault.Calls(s.tb, args[0]); strconv.Itoa(got) != args[1] {
		ts.Fatalf("%s: expected %s calls, got %d", args[0], args[1], got)
	}
}

func cmdKeep(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2)
	found := regexp.MustCompile("(?m)" + args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if found == nil {
		ts.Fatalf("keep %s: nothing matches %s", args[0], args[1])
	}
	ts.Setenv(args[0], found[1])
}
