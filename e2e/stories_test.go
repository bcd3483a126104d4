package e2e_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/countersign/countersign/e2e/stage"
	"github.com/countersign/countersign/hsm/hsmtest"
)

// bin holds the real binaries, built once for all stories.
var bin string //nolint:gochecknoglobals // set once by TestMain, before any test

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "countersign-bin")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _ = os.RemoveAll(dir) }()
		for name, cgo := range map[string]string{"countersignd": "1", "countersign": "0"} {
			cmd := exec.Command("go", "build", "-o", filepath.Join(dir, name), "../cmd/"+name)
			cmd.Env = append(os.Environ(), "CGO_ENABLED="+cgo)
			if out, err := cmd.CombinedOutput(); err != nil {
				fmt.Fprintf(os.Stderr, "build %s: %v\n%s", name, err, out)
				return 1
			}
		}
		bin = dir
		return m.Run()
	}())
}

// Every story runs on both forges: what it says of one holds for the other.
func TestStories(t *testing.T) {
	for _, forge := range []string{"github", "gitlab"} {
		t.Run(forge, func(t *testing.T) {
			t.Parallel()
			testscript.Run(t, testscript.Params{
				Dir:   "testdata/stories",
				Setup: func(env *testscript.Env) error { return begin(env, forge) },
				Cmds:  storyCommands(),
				Condition: func(cond string) (bool, error) {
					if cond != "github" && cond != "gitlab" {
						return false, fmt.Errorf("condition %q: expected github or gitlab", cond)
					}
					return cond == forge, nil
				},
			})
		})
	}
}

// begin sets a stage with one team of one forge up, its policy adopted, the daemon running.
func begin(env *testscript.Env, forge string) error {
	ctx := context.Background() // the script's end closes the stage
	scratch, err := os.MkdirTemp("", "countersign-story")
	if err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(scratch, "daemon.log"))
	if err != nil {
		return err
	}
	s, err := stage.New(ctx, stage.Options{Dir: filepath.Join(scratch, "stage"), Bin: bin, Log: log})
	if err != nil {
		return err
	}
	tb := env.T().(testing.TB) //nolint:forcetypeassert // testscript.Run was given a testing.T
	fault := hsmtest.NewFault(tb, s.Token)
	s.Module, s.Env = fault.Path, fault.Env
	st := &story{Stage: s, fault: fault, tb: tb, log: log.Name(), changes: map[string]change{}, comments: map[string]spoken{}}
	env.Defer(func() {
		s.Close()
		_ = log.Close()
		_ = os.RemoveAll(scratch)
	})
	st.team = stage.Gather(s.Worlds[forge])
	key, err := s.CreateKey(ctx)
	if err != nil {
		return err
	}
	if err := s.Configure(key, st.team.Owner()); err != nil {
		return err
	}
	if err := s.Adopt(ctx, st.team); err != nil {
		return err
	}
	env.Values[storyKey{}] = st
	env.Setenv("FORGE", forge)
	env.Setenv("URL", s.URL)
	if err := s.Start(ctx); err != nil {
		return fmt.Errorf("%w\n%s", err, st.tail())
	}
	return nil
}
