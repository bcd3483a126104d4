package e2e_test

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/countersign/countersign/e2e/stage"
	"github.com/countersign/countersign/gate/store"
	"github.com/countersign/countersign/gate/store/storetest"
	"github.com/countersign/countersign/hsm/hsmtest"
)

// bin holds the real binaries, built once for all stories.
var bin string //nolint:gochecknoglobals // set once by TestMain, before any test

func TestMain(m *testing.M) {
	os.Exit(func() int {
		flag.Parse()
		if flag.Lookup("test.parallel").Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
			// Stories mostly wait: for the forge, for people, for one another's seconds.
			if err := flag.Set("test.parallel", strconv.Itoa(4*runtime.GOMAXPROCS(0))); err != nil {
				fmt.Fprintln(os.Stderr, err)
				return 1
			}
		}
		dir, err := os.MkdirTemp("", "countersign-bin")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _ = os.RemoveAll(dir) }()
		for _, b := range []struct {
			name, cgo string
			race      bool
		}{{"countersignd", "1", raced}, {"countersign", "0", false}} {
			cmd := exec.Command("go", "build", "-race="+strconv.FormatBool(b.race), noCheckPtr, "-o", filepath.Join(dir, b.name), "../cmd/"+b.name)
			cmd.Env = append(os.Environ(), "CGO_ENABLED="+b.cgo)
			if out, err := cmd.CombinedOutput(); err != nil {
				fmt.Fprintf(os.Stderr, "build %s: %v\n%s", b.name, err, out)
				return 1
			}
		}
		bin = dir
		return m.Run()
	}())
}

// noCheckPtr leaves out the pointer checks, which come with the race detector, of the
// SQLite that was translated from C: they cost a quarter of the tests' time.
const noCheckPtr = "-gcflags=modernc.org/...=-d=checkptr=0"

// Every story runs on both forges: what it says of one holds for the other.
func TestStories(t *testing.T) {
	t.Parallel()
	for _, forge := range forges() {
		t.Run(forge, func(t *testing.T) {
			t.Parallel()
			testscript.Run(t, testscript.Params{
				Dir:       "testdata/stories",
				Setup:     func(env *testscript.Env) error { return begin(env, forge, store.Config{Engine: store.SQLite}) },
				Cmds:      storyCommands(),
				Condition: isForge(forge),
			})
		})
	}
}

// The database makes no difference to what happens, nor to what survives a crash.
func TestStoriesOnPostgres(t *testing.T) {
	t.Parallel()
	server, err := storetest.StartPostgres(t.Context(), storetest.WithoutSync())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	for _, forge := range forges() {
		t.Run(forge, func(t *testing.T) {
			t.Parallel()
			dsn, err := databases(t.Context(), server, 2)
			if err != nil {
				t.Fatal(err)
			}
			testscript.Run(t, testscript.Params{
				Files: []string{"testdata/stories/happy.txtar", "testdata/stories/killed.txtar"},
				Setup: func(env *testscript.Env) error {
					return begin(env, forge, store.Config{Engine: store.Postgres, DSN: <-dsn})
				},
				Cmds:      storyCommands(),
				Condition: isForge(forge),
			})
		})
	}
}

// databases are n new ones, each for one story.
func databases(ctx context.Context, server *storetest.Postgres, n int) (<-chan string, error) {
	out := make(chan string, n)
	for range n {
		dsn, err := server.Database(ctx)
		if err != nil {
			return nil, err
		}
		out <- dsn
	}
	return out, nil
}

func forges() []string { return []string{"github", "gitlab"} }

func isForge(forge string) func(string) (bool, error) {
	return func(cond string) (bool, error) {
		if !slices.Contains(forges(), cond) {
			return false, fmt.Errorf("condition %q: expected github or gitlab", cond)
		}
		return cond == forge, nil
	}
}

// begin sets a stage with one team of one forge up, its policy adopted, the daemon running.
func begin(env *testscript.Env, forge string, db store.Config) error {
	ctx := context.Background() // the script's end closes the stage
	st, err := prepare(env, forge, db)
	if err != nil {
		return err
	}
	if err := st.Adopt(ctx, st.team); err != nil {
		return err
	}
	if err := st.Start(ctx); err != nil {
		return fmt.Errorf("%w\n%s", err, st.tail())
	}
	return nil
}

// prepare sets the stage up and configures the daemon. At the script's end everything
// that must hold of any database and any log is looked at.
func prepare(env *testscript.Env, forge string, db store.Config) (*story, error) {
	ctx := context.Background()
	scratch, err := os.MkdirTemp("", "countersign-story")
	if err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(scratch, "daemon.log"))
	if err != nil {
		return nil, err
	}
	s, err := stage.New(ctx, stage.Options{Dir: filepath.Join(scratch, "stage"), Bin: bin, Log: log, Postgres: db.DSN})
	if err != nil {
		return nil, err
	}
	tb := env.T().(testing.TB) //nolint:forcetypeassert // testscript.Run was given a testing.T
	fault := hsmtest.NewFault(tb, s.Token)
	s.Module, s.Env = fault.Path, fault.Env
	st := &story{
		Stage: s, fault: fault, tb: tb, log: log.Name(), db: db,
		changes: map[string]change{}, comments: map[string]spoken{},
	}
	st.db.Path = s.Database()
	env.Defer(func() {
		s.Close()
		st.holds(tb)
		_ = log.Close()
		_ = os.RemoveAll(scratch)
	})
	st.team = stage.Gather(s.Worlds[forge])
	key, err := s.CreateKey(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.Configure(key, st.team.Owner()); err != nil {
		return nil, err
	}
	print, err := hex.DecodeString(strings.TrimPrefix(key.Fingerprint, "SHA256:"))
	if err != nil {
		return nil, err
	}
	env.Setenv("RELEASE_KEY", "SHA256:"+base64.RawStdEncoding.EncodeToString(print))
	env.Values[storyKey{}] = st
	env.Setenv("FORGE", forge)
	env.Setenv("URL", s.URL)
	env.Setenv("DIR", s.Dir)
	for name, p := range st.team.People {
		env.Setenv("EMAIL_"+name, p.Email)
		env.Setenv("PERSON_"+name, fmt.Sprintf("%s:%d", forge, p.ID))
	}
	env.Setenv("CONFIG", st.Config())
	env.Setenv("REPOSITORY", st.team.ID())
	env.Setenv("TOKEN", st.Token.TokenLabel)
	env.Setenv("MODULE", st.Module)
	env.Setenv("PIN_FILE", st.Token.PINFile)
	return st, nil
}

// holds checks what no story may break, however it went: the database's invariants,
// no data race, no panic, and no secret in the log.
func (s *story) holds(tb testing.TB) {
	b, err := os.ReadFile(s.log)
	if err != nil {
		tb.Error(err)
	}
	if _, err := os.Stat(s.db.Path); s.db.Engine == store.Postgres || err == nil {
		if err := storetest.CheckInvariants(context.Background(), s.db, nil); err != nil {
			tb.Errorf("the database: %v", err)
		}
		s.counted(tb, strings.Count(string(b), "signing worker ready"))
	}
	for _, bad := range []string{"DATA RACE", "panic:", "goroutine "} {
		if _, trace, found := strings.Cut(string(b), bad); found {
			tb.Errorf("the daemon's log holds %s%.4000s", bad, trace)
		}
	}
	if name, err := s.tells(string(b)); err != nil {
		tb.Error(err)
	} else if name != "" {
		tb.Errorf("the daemon's log tells the secret of %s", name)
	}
}

// counted holds the module's own count of signatures with the release key against the
// intents (I4): beside those there is one self-test of the key for each worker.
func (s *story) counted(tb testing.TB, workers int) {
	if s.fault == nil {
		return
	}
	driver, dsn := "sqlite", "file:"+s.db.Path+"?mode=ro"
	if s.db.Engine == store.Postgres {
		driver, dsn = "pgx", s.db.DSN
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		tb.Error(err)
		return
	}
	defer func() { _ = db.Close() }() // it was only read
	var intents int
	if err := db.QueryRowContext(context.Background(), `SELECT COUNT(*) FROM intents`).Scan(&intents); err != nil {
		tb.Errorf("count the intents: %v", err)
	}
	if signed := s.fault.Calls(tb, "C_Sign:"+stage.ReleaseKey); signed > intents+s.forgotten+workers || workers > 0 && signed == 0 {
		tb.Errorf("the release key signed %d times for %d intents and %d self-tests", signed, intents+s.forgotten, workers)
	}
}
