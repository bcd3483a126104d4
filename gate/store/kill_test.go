package store_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/store"
	"github.com/countersign/countersign/gate/store/storetest"
)

// The child's environment.
const (
	childEngine = "COUNTERSIGN_STORE_CHILD_ENGINE"
	childPath   = "COUNTERSIGN_STORE_CHILD_PATH"
	childDSN    = "COUNTERSIGN_STORE_CHILD_DSN"
	childHSM    = "COUNTERSIGN_STORE_CHILD_HSM"
	childLease  = "COUNTERSIGN_STORE_CHILD_LEASE"
)

const (
	kills = 60
	// A child lives for so many steps at most, and a moment more: a slow machine takes
	// longer for them, but gets as far.
	longestLife = 16
	longestPast = 5 * time.Millisecond
)

// leases take turns: under the short one, which is over before some of the child's own
// steps, its workers overtake each other; under the long one they finish.
func leaseOf(n int) time.Duration {
	if n%2 == 0 {
		return 3 * time.Millisecond
	}
	return time.Second
}

// TestKilledWhileSigning kills a signing process at random moments, again and again, and
// holds the invariants over what it leaves: no use of the HSM without an intent before
// it, no signature without its leaves, nothing half-written.
func TestKilledWhileSigning(t *testing.T) {
	durable, err := storetest.StartPostgres(t.Context()) // with fsync on
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := durable.Stop(); err != nil {
			t.Error(err)
		}
	})
	for _, engine := range []store.Engine{store.SQLite, store.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			w := &world{T: t, ctx: t.Context(), config: configOn(t, engine, durable)}
			w.s = w.open()
			hsm := filepath.Join(t.TempDir(), "hsm")
			for n := range kills {
				killOne(w, hsm, leaseOf(n))
				if n%10 == 9 {
					w.must(storetest.CheckInvariants(w.ctx, w.config, hsmUses(w, hsm)))
				}
			}
			uses := hsmUses(w, hsm)
			w.must(storetest.CheckInvariants(w.ctx, w.config, uses))
			checkLooks(w)
			counts := intentCounts(w)
			t.Logf("%d kills: %d HSM uses, intents %v", kills, len(uses), counts)
			if len(uses) > counts["done"]+counts["orphaned"]+counts["open"] {
				t.Errorf("expected at most as many HSM uses as intents, got %d of %v", len(uses), counts)
			}
			if counts["done"] == 0 || counts["orphaned"] == 0 {
				t.Errorf("expected that the kills hit signings and let some through, got %v", counts)
			}
		})
	}
}

// killOne starts a child, lets it work for a random number of steps, and kills it a
// random moment later.
func killOne(w *world, hsm string, lease time.Duration) {
	w.Helper()
	self, err := os.Executable()
	w.must(err)
	cmd := exec.CommandContext(w.ctx, self)
	cmd.Env = append(os.Environ(), childEngine+"="+string(w.config.Engine), childPath+"="+w.config.Path,
		childDSN+"="+w.config.DSN, childHSM+"="+hsm, childLease+"="+lease.String())
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	w.must(err)
	w.must(cmd.Start())
	steps := bufio.NewReader(out)
	for range 1 + rand.IntN(longestLife) {
		if line, err := steps.ReadString('\n'); line != "step\n" {
			w.Fatalf("expected a working child, got %q, %v", line, err)
		}
	}
	time.Sleep(time.Duration(rand.Int64N(int64(longestPast)))) // the random moment, not a wait for anything
	w.must(cmd.Process.Kill())
	if err := cmd.Wait(); err == nil || cmd.ProcessState.Exited() {
		w.Fatalf("expected a killed child, got one that ended by itself: %v", err)
	}
}

// hsmUses reads the fake HSM's own record: one line per use, written before it answers.
func hsmUses(w *world, path string) []storetest.Use {
	w.Helper()
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	w.must(err)
	var uses []storetest.Use
	for line := range strings.Lines(string(b)) {
		intent, digest, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		u := storetest.Use{Intent: intent}
		if !ok || u.Digest.UnmarshalText([]byte(digest)) != nil {
			w.Fatalf("expected an intent and a digest, got %q", line)
		}
		uses = append(uses, u)
	}
	return uses
}

func intentCounts(w *world) map[string]int {
	w.Helper()
	rows, err := w.raw().QueryContext(w.ctx, `SELECT state, COUNT(*) FROM intents GROUP BY state`)
	w.must(err)
	defer func() { w.must(rows.Close()) }()
	out := map[string]int{}
	for rows.Next() {
		var state string
		var n int
		w.must(rows.Scan(&state, &n))
		out[state] = n
	}
	w.must(rows.Err())
	return out
}

// checkLooks holds every change that a child heard of against the looks at it: each is
// still to come, or was stored after the last time it rang.
func checkLooks(w *world) {
	w.Helper()
	var heard, looked, lost int
	w.must(w.raw().QueryRowContext(w.ctx, `
		SELECT COUNT(*), COUNT(l.seq), COUNT(CASE WHEN l.seq IS NULL AND NOT EXISTS (
			SELECT 1 FROM policy_changes AS c WHERE 'heard ' || CAST(c.number AS TEXT) = h.post_key) THEN 1 END)
		FROM (SELECT post_key, MAX(seq) AS seq FROM posts WHERE target = 'check' AND post_key LIKE 'heard %' GROUP BY post_key) AS h
		LEFT JOIN (SELECT post_key, MAX(seq) AS seq FROM posts WHERE target = 'status' GROUP BY post_key) AS l
			ON l.post_key = h.post_key AND l.seq > h.seq`).Scan(&heard, &looked, &lost))
	w.Logf("%d changes heard of, %d looked at, %d lost", heard, looked, lost)
	if heard == 0 || looked == 0 || lost > 0 {
		w.Errorf("expected that changes were heard of, and none was lost; got %d, %d looked at, %d lost", heard, looked, lost)
	}
}

// runChild signs releases until it is killed.
func runChild() int {
	if err := child(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
	}
	return 1
}

func child(ctx context.Context) error {
	s, err := store.Open(ctx, store.Config{
		Engine: store.Engine(os.Getenv(childEngine)), Path: os.Getenv(childPath), DSN: os.Getenv(childDSN), Now: time.Now,
	})
	if err != nil {
		return err
	}
	hsm, err := os.OpenFile(os.Getenv(childHSM), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	lease, err := time.ParseDuration(os.Getenv(childLease))
	if err != nil {
		return err
	}
	const workers = 3
	ended := make(chan error, workers)
	for range workers {
		go func() {
			for {
				if err := childStep(ctx, s, hsm, lease); err != nil && gate.CodeOf(err) != gate.CodeTransition {
					ended <- err
					return
				}
				fmt.Println("step")
			}
		}()
	}
	return <-ended
}

// childStep takes up what is due, or opens a request where nothing is.
func childStep(ctx context.Context, s *store.Store, hsm *os.File, lease time.Duration) error {
	switch rand.IntN(6) {
	case 0:
		return childLook(ctx, s, lease)
	case 1, 2:
		return childPost(ctx, s, lease)
	}
	return childSign(ctx, s, hsm, lease)
}

func childPost(ctx context.Context, s *store.Store, lease time.Duration) error {
	p, ok, err := s.ClaimPost(ctx, "child", lease)
	if err != nil || !ok {
		return err
	}
	return s.Posted(ctx, p, "1")
}

func childSign(ctx context.Context, s *store.Store, hsm *os.File, lease time.Duration) error {
	rec, ok, err := s.ClaimDue(ctx, "child", lease)
	if err != nil {
		return err
	}
	if !ok {
		_, _, err := s.OpenRequest(ctx, opening(newID()))
		return err
	}
	if rec.Sealing {
		return childSeal(ctx, s, rec)
	}
	if rec.State == gate.StateSigning {
		_, err := s.OrphanSigning(ctx, rec)
		return err
	}
	j := judgement(rec, gate.StateGranted)
	j.Snapshots = []gate.Snapshot{childSnapshot()}
	if rec, err = s.RecordDecision(ctx, j); err != nil {
		return err
	}
	is := intents(rec)
	if rec, err = s.BeginSigning(ctx, rec, is, "child", lease); err != nil {
		return err
	}
	for _, i := range is {
		if _, err := fmt.Fprintf(hsm, "%s %s\n", i.ID, i.Digest); err != nil {
			return err
		}
	}
	if rec, err = s.KeepSignatures(ctx, rec, signatures(is), []byte("certificate"), lease); err != nil {
		return err
	}
	return childSeal(ctx, s, rec)
}

// childSeal seals a release, or puts that off.
func childSeal(ctx context.Context, s *store.Store, rec gate.Record) error {
	if rand.IntN(4) == 0 {
		return s.DeferSealing(ctx, rec, time.Now().Add(time.Millisecond), "a witness is away")
	}
	d := gate.Deployment{Repository: repository(), RunID: 1 + rand.Int64N(5), Environment: "production", Requested: time.Now()}
	if err := s.Hear(ctx, gate.Heard{Deployments: []gate.Deployment{d}}); err != nil {
		return err
	}
	seal, err := sealOf(ctx, s, rec)
	if err != nil {
		return err
	}
	seal.At = time.Now().UTC()
	_, err = s.CompleteSealing(ctx, rec, seal, []gate.Post{
		check(rec.Request.ID, gate.PostSuccess), answer(rec, d, gate.LeaveGiven),
	})
	return err
}

// childLook hears of a change, and looks at one.
func childLook(ctx context.Context, s *store.Store, lease time.Duration) error {
	number := 1 + rand.Int64N(6)
	p := check("", gate.PostPending)
	p.Key = fmt.Sprint("heard ", number)
	if err := s.Hear(ctx, gate.Heard{Changes: []gate.ChangeRef{change(number)}, Posts: []gate.Post{p}}); err != nil {
		return err
	}
	c, ok, err := s.ClaimChange(ctx, "child", lease)
	if err != nil || !ok {
		return err
	}
	looked := post("", gate.PostStatus, fmt.Sprint("heard ", c.Number))
	return s.FinishChange(ctx, c, []gate.Post{looked})
}

// childSnapshot is a protection that somebody switches off and on.
func childSnapshot() gate.Snapshot {
	if rand.IntN(2) == 0 {
		return snapshot(time.Now(), gate.Absent[gate.Protection]("not protected"))
	}
	return snapshot(time.Now(), gate.Known(full()))
}
