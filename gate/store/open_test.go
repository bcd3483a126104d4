package store_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/store"
)

func TestConfigIsRefused(t *testing.T) {
	deny := map[string]store.Config{
		"no engine":      {Now: time.Now},
		"another engine": {Engine: "mysql", Now: time.Now},
		"no path":        {Engine: store.SQLite, Now: time.Now},
		"no DSN":         {Engine: store.Postgres, Now: time.Now},
	}
	for name, c := range deny {
		if _, err := store.Open(t.Context(), c); gate.CodeOf(err) != gate.CodeConfig {
			t.Errorf("%s: expected %s, got %v", name, gate.CodeConfig, err)
		}
	}
	if _, err := store.Open(t.Context(), store.Config{Engine: store.SQLite, Path: "x"}); gate.CodeOf(err) != gate.CodeInternal {
		t.Errorf("no clock: expected %s, got %v", gate.CodeInternal, err)
	}
}

// I7: the password is in no error and in no print of the configuration.
func TestPasswordIsNotShown(t *testing.T) {
	for _, dsn := range []string{
		"postgres://gate:hunter2@127.0.0.1:1/gate?connect_timeout=1", "host=127.0.0.1 port=1 password=hunter2 connect_timeout=1",
		"postgres://gate:hunter2@127.0.0.1:port/gate", "password=hunter2 sslmode=maybe",
	} {
		c := store.Config{Engine: store.Postgres, DSN: dsn, Now: time.Now}
		_, err := store.Open(t.Context(), c)
		if gate.CodeOf(err) != gate.CodeStoreUnavailable || gate.KindOf(err) != gate.Unavailable {
			t.Errorf("expected %s, got %v", gate.CodeStoreUnavailable, err)
		}
		if shown := fmt.Sprintf("%v %+v %#v %v", c, c, c, err); strings.Contains(shown, "hunter2") {
			t.Errorf("expected no password, got %s", shown)
		}
	}
}

func TestUnusablePath(t *testing.T) {
	_, err := store.Open(t.Context(), store.Config{Engine: store.SQLite, Path: "/nonexistent/gate.db", Now: time.Now})
	if gate.CodeOf(err) != gate.CodeStoreUnavailable {
		t.Errorf("expected %s, got %v", gate.CodeStoreUnavailable, err)
	}
	broken := filepath.Join(t.TempDir(), "gate.db")
	if err := os.WriteFile(broken, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(t.Context(), store.Config{Engine: store.SQLite, Path: broken, Now: time.Now}); gate.CodeOf(err) != gate.CodeStoreUnavailable {
		t.Errorf("expected %s, got %v", gate.CodeStoreUnavailable, err)
	}
}

func TestDatabaseFileIsPrivate(t *testing.T) {
	w := newWorld(t, store.SQLite)
	w.opened("a")
	files, err := filepath.Glob(filepath.Join(filepath.Dir(w.config.Path), "*"))
	w.must(err)
	if len(files) < 3 {
		t.Errorf("expected the database, its WAL and its shared memory, got %v", files)
	}
	for _, f := range files {
		info, err := os.Stat(f)
		w.must(err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s: expected mode 0600, got %o", f, info.Mode().Perm())
		}
	}
}

// Who migrates is waited for, not overtaken; the wait ends with the context.
func TestMigrationUnderWayIsWaitedFor(t *testing.T) {
	c := newConfig(t, store.SQLite)
	f, err := os.Create(c.Path + ".migrate")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err = store.Open(ctx, c)
	if gate.CodeOf(err) != gate.CodeStoreUnavailable || !strings.Contains(err.Error(), "another process") {
		t.Errorf("expected %s and who is in the way, got %v", gate.CodeStoreUnavailable, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_UN); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestReplicasStartAtOnce(t *testing.T) {
	for _, engine := range []store.Engine{store.SQLite, store.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			c := newConfig(t, engine)
			errs := make(chan error)
			for range 6 {
				go func() {
					s, err := store.Open(t.Context(), c)
					if err == nil {
						err = s.Close()
					}
					errs <- err
				}()
			}
			for range 6 {
				if err := <-errs; err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestEverythingIsThereAfterARestart(t *testing.T) {
	onBoth(t, func(w *world) {
		rec := w.signed("a", check("", gate.PostSuccess))
		w.must(w.s.Close())
		w.s = w.open()
		if diff := cmp.Diff(rec, w.request(rec.Request.ID)); diff != "" {
			w.Error(diff)
		}
		w.postDue(gate.PostCheck)
	})
}

func TestNewerSchemaIsRefused(t *testing.T) {
	onBoth(t, func(w *world) {
		_, err := w.raw().ExecContext(w.ctx, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, `+
			map[store.Engine]string{store.SQLite: "1", store.Postgres: "true"}[w.config.Engine]+`)`)
		w.must(err)
		s, err := store.Open(w.ctx, w.config)
		if err == nil {
			w.must(s.Close())
		}
		w.refused(gate.CodeStoreUnavailable, err)
		if !strings.Contains(err.Error(), "newer") {
			w.Errorf("expected that the error says why, got %v", err)
		}
	})
}

func TestReadyAndClosed(t *testing.T) {
	onBoth(t, func(w *world) {
		w.must(w.s.Ready(w.ctx))
		s := w.open()
		w.must(s.Close())
		for name, err := range map[string]error{
			"ready": s.Ready(w.ctx),
			"adopt": s.Adopt(w.ctx, gate.Adoption{ID: newID(), Repository: repository()}),
		} {
			if gate.CodeOf(err) != gate.CodeStoreUnavailable || gate.KindOf(err) != gate.Unavailable {
				w.Errorf("%s: expected %s, got %v", name, gate.CodeStoreUnavailable, err)
			}
		}
	})
}

func TestCancelledCallChangesNothing(t *testing.T) {
	onBoth(t, func(w *world) {
		ctx, cancel := context.WithCancel(w.ctx)
		cancel()
		_, _, err := w.s.OpenRequest(ctx, opening("a"))
		w.refused(gate.CodeStoreUnavailable, err)
		w.leaves()
		w.opened("a")
	})
}

// Wake tells of this replica's changes and of the others'; of claims it does not.
func TestWake(t *testing.T) {
	onBoth(t, func(w *world) {
		other := w.s
		if w.config.Engine == store.Postgres {
			other = w.open()
		}
		// A listener rings once when it has begun to listen: wait for it.
		rings := func(change func()) {
			w.Helper()
			for {
				woken := w.s.Wake()
				change()
				select {
				case <-woken:
					return
				case <-w.ctx.Done():
					w.Fatal("expected to be woken")
				}
			}
		}
		rings(func() { w.opened(newID()) })
		rings(func() {
			_, _, err := other.OpenRequest(w.ctx, opening(newID()))
			w.must(err)
		})
		if w.config.Engine == store.Postgres {
			return // whether its listener has yet more to tell is a matter of time
		}
		woken := w.s.Wake()
		_, _, err := w.s.ClaimDue(w.ctx, "worker", minute)
		w.must(err)
		select {
		case <-woken:
			w.Error("expected that a claim wakes nobody")
		default:
		}
	})
}

func adoption(file string) gate.Adoption {
	return gate.Adoption{
		ID: newID(), Repository: repository(), Name: "acme/rocket", Owner: gate.AccountID{Forge: "github", ID: 9},
		File: []byte(file), Commit: "c", Baseline: "b", Digest: gate.SHA256([]byte(file)), By: "root",
		At: time.Now().UTC().Truncate(time.Microsecond),
	}
}

func TestPolicyInForce(t *testing.T) {
	onBoth(t, func(w *world) {
		_, err := w.s.InForce(w.ctx, repository())
		w.refused(gate.CodePolicyNotAdopted, err)
		for _, file := range []string{"version: 1\n", "version: 1\n# two\n"} {
			a := adoption(file)
			w.must(w.s.Adopt(w.ctx, a))
			got, err := w.s.InForce(w.ctx, repository())
			w.must(err)
			if diff := cmp.Diff(a, got); diff != "" {
				w.Error(diff)
			}
		}
		_, err = w.s.InForce(w.ctx, gate.RepositoryID{Forge: "gitlab", ID: 1296269})
		w.refused(gate.CodePolicyNotAdopted, err)
		w.leaves(ledger.PolicyAdopted, ledger.PolicyAdopted)
		w.refused(gate.CodeInternal, w.s.Adopt(w.ctx, gate.Adoption{}))
	})
}

// I8: no decision under the older policy is stored once a newer one is in force.
func TestAdoptionJudgesOpenRequestsAgain(t *testing.T) {
	onBoth(t, func(w *world) {
		rec := w.claimed(w.opened("a").Request.ID, minute)
		w.must(w.s.Adopt(w.ctx, adoption("version: 1\n")))
		_, err := w.s.RecordDecision(w.ctx, judgement(rec, gate.StateGranted))
		w.refused(gate.CodeTransition, err)
		w.claimed(rec.Request.ID, minute)
	})
}
