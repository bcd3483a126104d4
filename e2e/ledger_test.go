package e2e_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/countersign/countersign/gate/attest"
	"github.com/countersign/countersign/gate/store"
	"github.com/countersign/countersign/gate/witness/witnesstest"
)

// What becomes of the ledger: it is forked, tampered with, lost and gone on with. The forge
// makes no difference to it.
func TestLedger(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:       "testdata/ledger",
		Setup:     func(env *testscript.Env) error { return begin(env, "github", store.Config{Engine: store.SQLite}) },
		Cmds:      ledgerCommands(),
		Condition: isForge("github"),
	})
}

// ledgerCommands are the words of the ledger's stories: those of all stories and operators, and
//
//	database keep|restore NAME    copies the stopped daemon's database, or puts the copy back
//	sql STATEMENT                 changes the database by hand
//	verdict DIR                   until the refusal of $ID is there, whose signature is checked; its
//	                              statement goes to DIR/payload
//	witness start|know KEY|stop|go   litewitness, a witness of other people's making
func ledgerCommands() map[string]command {
	all := map[string]command{
		"database": cmdDatabase, "sql": cmdSQL, "witness": cmdWitness, "verdict": cmdVerdict,
	}
	for _, more := range []map[string]command{storyCommands(), operatorCommands()} {
		for name, c := range more {
			if name != "edit" { // people edit comments, operators files
				all[name] = c
			}
		}
	}
	all["edit"] = cmdRewrite
	return all
}

// cmdDatabase copies SQLite's files as they lie on the disk.
func cmdDatabase(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2)
	s := told(ts)
	if s.Running() {
		ts.Fatalf("database: expected that the daemon was stopped")
	}
	kept := filepath.Join(ts.MkAbs("."), args[1])
	switch args[0] {
	case "keep":
		ts.Check(copyDatabase(s.Database(), kept))
	case "restore":
		before := s.intents(ts)
		ts.Check(copyDatabase(kept, s.Database()))
		s.forgotten += before - s.intents(ts)
	default:
		ts.Fatalf("database %s: expected keep or restore", args[0])
	}
}

func copyDatabase(from, to string) error {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		b, err := os.ReadFile(from + suffix)
		if errors.Is(err, fs.ErrNotExist) {
			if err := os.Remove(to + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		if err := os.WriteFile(to+suffix, b, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// intents counts what the database says was to be signed.
func (s *story) intents(ts *testscript.TestScript) (n int) {
	ts.Check(s.onDisk(func(db *sql.DB) error {
		return db.QueryRowContext(context.Background(), `SELECT COUNT(*) FROM intents`).Scan(&n)
	}))
	return n
}

// onDisk opens SQLite's file beside the daemon.
func (s *story) onDisk(do func(*sql.DB) error) error {
	db, err := sql.Open("sqlite", "file:"+s.Database()+"?_pragma=busy_timeout(5000)")
	if err != nil {
		return err
	}
	return errors.Join(do(db), db.Close())
}

func cmdSQL(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1)
	statement := strings.Join(args, " ")
	ts.Check(told(ts).onDisk(func(db *sql.DB) error {
		if _, err := db.ExecContext(context.Background(), statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
		return nil
	}))
}

func cmdWitness(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1)
	s, ctx := told(ts), context.Background()
	switch args[0] {
	case "start":
		folder := ts.MkAbs("litewitness")
		ts.Check(os.Mkdir(folder, 0o700))
		w, err := witnesstest.Start(ctx, folder, "litewitness.example")
		ts.Check(err)
		ts.Defer(func() { ts.Check(w.Close()) })
		s.witness = w
		ts.Setenv("WITNESS_URL", w.URL)
		ts.Setenv("WITNESS_KEY", w.Key)
	case "know":
		want(ts, neg, args, 2)
		origin, _, _ := strings.Cut(args[1], "+")
		ts.Check(s.witness.Know(ctx, origin, args[1]))
	case "stop":
		ts.Check(s.witness.Stop())
	case "go":
		ts.Check(s.witness.Go(ctx))
	default:
		ts.Fatalf("witness %s: expected start, know, stop or go", args[0])
	}
}

func cmdFetch(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2)
	resp, err := http.Get(told(ts).URL + args[0])
	ts.Check(err)
	b, err := io.ReadAll(resp.Body)
	ts.Check(errors.Join(err, resp.Body.Close()))
	if resp.StatusCode != http.StatusOK {
		ts.Fatalf("fetch %s: %s\n%s", args[0], resp.Status, b)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), b, 0o600))
}

// cmdTampered changes one byte of each file, in turn. The key and the trusted root that lie
// beside a release are not believed by anybody: changing them changes nothing.
func cmdTampered(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2)
	s, folder := told(ts), ts.MkAbs(args[0])
	files, err := os.ReadDir(folder)
	ts.Check(err)
	if len(files) == 0 {
		ts.Fatalf("tampered %s: expected files, got none", args[0])
	}
	verify := append(append([]string{"verify"}, args[1:]...), args[0])
	for _, f := range files {
		code := 1
		if f.Name() == attest.KeyName || f.Name() == attest.TrustedRootName {
			code = 0
		}
		name := filepath.Join(folder, f.Name())
		was, err := os.ReadFile(name)
		ts.Check(err)
		ts.Check(os.WriteFile(name, spoiled(was), 0o600))
		if got, out := s.client(ts, verify...); got != code {
			ts.Fatalf("%s was changed: expected that verify ends with %d, got %d\n%s", f.Name(), code, got, out)
		}
		ts.Check(os.WriteFile(name, was, 0o600))
	}
}

// spoiled changes a letter of the signature that a file holds, else a byte in its middle: a
// bundle has parts that nobody signs, such as a time-stamp's own copy of its certificate.
func spoiled(was []byte) []byte {
	changed := bytes.Clone(was)
	signature := regexp.MustCompile(`"(sig|signature)":\s*"[A-Za-z0-9+/]{12}`).FindIndex(was)
	switch {
	case signature == nil:
		changed[len(changed)/2] ^= 1
	case was[signature[1]] == 'A':
		changed[signature[1]] = 'B'
	default:
		changed[signature[1]] = 'A'
	}
	return changed
}
