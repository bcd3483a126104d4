package store_test

import (
	"database/sql"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/store"
)

// raw opens the database past the store.
func (w *world) raw() *sql.DB {
	w.Helper()
	driver, dsn := "pgx", w.config.DSN
	if w.config.Engine == store.SQLite {
		driver, dsn = "sqlite", rawSQLite(w.config)
	}
	db, err := sql.Open(driver, dsn)
	w.must(err)
	w.Cleanup(func() {
		if err := db.Close(); err != nil {
			w.Error(err)
		}
	})
	return db
}

func rawSQLite(c store.Config) string {
	return (&url.URL{Scheme: "file", Path: c.Path, RawQuery: "_pragma=foreign_keys(1)&_pragma=busy_timeout(5000)"}).String()
}

func delivery(id, thread string) gate.Delivery {
	return gate.Delivery{
		Forge: "github", ID: id, Event: "issue_comment", Thread: thread, Body: []byte(`{"id":"` + id + `"}`),
		Received: time.Now().UTC().Truncate(time.Microsecond),
	}
}

func (w *world) accepted(ds ...gate.Delivery) {
	w.Helper()
	for _, d := range ds {
		fresh, err := w.s.Accept(w.ctx, d)
		w.must(err)
		if !fresh {
			w.Fatalf("expected delivery %s to be fresh", d.ID)
		}
	}
}

// delivered claims the next delivery, which has to be id ("" for none).
func (w *world) delivered(id string, lease time.Duration) gate.Delivery {
	w.Helper()
	d, ok, err := w.s.ClaimDelivery(w.ctx, "worker", lease)
	w.must(err)
	if ok != (id != "") || d.ID != id {
		w.Fatalf("expected delivery %q, got %q, %t", id, d.ID, ok)
	}
	return d
}

// heard lets a delivery lead to something.
func (w *world) heard(h gate.Heard) {
	w.Helper()
	d := delivery(newID(), "")
	w.accepted(d)
	w.must(w.s.FinishDelivery(w.ctx, w.delivered(d.ID, minute), h))
}

func TestDeliveryComesBackAsItCame(t *testing.T) {
	onBoth(t, func(w *world) {
		d := delivery("1", "t")
		d.Tenant = "github:1296269"
		w.accepted(d)
		if diff := cmp.Diff(d, w.delivered("1", minute)); diff != "" {
			w.Error(diff)
		}
		empty := delivery("2", "")
		empty.Body = nil
		w.accepted(empty)
		w.delivered("2", minute)
	})
}

// Attack 59: a replayed delivery is one delivery, before and after it was worked off.
func TestAttack59ReplayedDelivery(t *testing.T) {
	onBoth(t, func(w *world) {
		d := delivery("1", "t")
		w.accepted(d)
		replay := func() {
			w.Helper()
			if fresh, err := w.s.Accept(w.ctx, d); fresh || err != nil {
				w.Errorf("expected a replay to be known, got fresh=%t, %v", fresh, err)
			}
		}
		replay()
		w.must(w.s.FinishDelivery(w.ctx, w.delivered("1", minute), gate.Heard{}))
		replay()
		w.delivered("", minute)
		elsewhere := d
		elsewhere.Forge = "gitlab" // ids are the forge's own
		w.accepted(elsewhere)
	})
}

// Attack 59: an approval never overtakes the denial before it, on any replica.
func TestAttack59OneThreadInOrder(t *testing.T) {
	onBoth(t, func(w *world) {
		other := w.open()
		w.accepted(delivery("denial", "t"), delivery("approval", "t"), delivery("elsewhere", "u"), delivery("loose", ""))
		denial := w.delivered("denial", minute)
		for _, want := range []string{"elsewhere", "loose", ""} {
			d, ok, err := other.ClaimDelivery(w.ctx, "other", minute)
			w.must(err)
			if d.ID != want || ok != (want != "") {
				w.Errorf("expected %q, got %q", want, d.ID)
			}
		}
		w.must(w.s.DeferDelivery(w.ctx, denial, time.Now().Add(time.Hour), "the forge \x00 is down \xff"))
		w.delivered("", minute) // the thread waits with its first
		w.must(w.s.DeferDelivery(w.ctx, denial, time.Now().Add(-time.Second), "the forge is up"))
		w.must(w.s.FinishDelivery(w.ctx, w.delivered("denial", minute), gate.Heard{}))
		w.delivered("approval", minute)
	})
}

// However the replicas race, within a thread each delivery begins after the one before it ended.
func TestThreadOrderUnderLoad(t *testing.T) {
	onBoth(t, func(w *world) {
		const threads, each, workers = 5, 8, 6
		for n := range each {
			for thread := range threads {
				w.accepted(delivery(fmt.Sprintf("%d/%d", thread, n), fmt.Sprint("thread ", thread)))
			}
		}
		stores := []*store.Store{w.s, w.open()}
		order := make(chan string, threads*each)
		ended := make(chan error)
		for n := range workers {
			go func() { ended <- workOff(w, stores[n%2], order) }()
		}
		for range workers {
			w.must(<-ended)
		}
		close(order)
		next := map[int]int{}
		for id := range order {
			var thread, n int
			_, err := fmt.Sscanf(id, "%d/%d", &thread, &n)
			w.must(err)
			if n != next[thread] {
				w.Errorf("thread %d: expected delivery %d, got %d", thread, next[thread], n)
			}
			next[thread] = n + 1
		}
		for thread := range threads {
			if next[thread] != each {
				w.Errorf("thread %d: expected %d deliveries, got %d", thread, each, next[thread])
			}
		}
	})
}

// workOff claims and finishes until everything is done.
func workOff(w *world, s *store.Store, order chan<- string) error {
	for len(order) < cap(order) {
		d, ok, err := s.ClaimDelivery(w.ctx, "worker", minute)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		order <- d.ID // while it is claimed: before the next of its thread can be
		if err := s.FinishDelivery(w.ctx, d, gate.Heard{}); err != nil {
			return err
		}
	}
	return nil
}

func TestLeaseOfADeadWorkerRunsOut(t *testing.T) {
	onBoth(t, func(w *world) {
		w.accepted(delivery("1", "t"))
		w.delivered("1", over)
		d := w.delivered("1", minute)
		w.must(w.s.FinishDelivery(w.ctx, d, gate.Heard{}))
		// The dead worker wakes: what it heard was heard by another.
		rec := w.opened("a")
		err := w.s.FinishDelivery(w.ctx, d, gate.Heard{Approvals: []gate.Approval{approval(rec, 5, gate.VerbApprove)}})
		w.refused(gate.CodeTransition, err)
		w.refused(gate.CodeTransition, w.s.DeferDelivery(w.ctx, d, time.Now(), ""))
		w.leaves(ledger.RequestOpened)
	})
}

func TestDeliveriesThatCannotBeKept(t *testing.T) {
	onBoth(t, func(w *world) {
		for name, d := range map[string]gate.Delivery{
			"no forge":     {ID: "1"},
			"no id":        {Forge: "github"},
			"a NUL":        {Forge: "github", ID: "a\x00"},
			"broken event": {Forge: "github", ID: "1", Event: "\xff"},
		} {
			if fresh, err := w.s.Accept(w.ctx, d); fresh || gate.CodeOf(err) != gate.CodeDeliveryMalformed {
				w.Errorf("%s: expected %s, got fresh=%t, %v", name, gate.CodeDeliveryMalformed, fresh, err)
			}
		}
		w.delivered("", minute)
	})
}

// approval is a statement of comment n.
func approval(rec gate.Record, n int64, verb gate.Verb) gate.Approval {
	r := rec.Request
	return gate.Approval{
		ID: newID(), Request: r.ID, Verb: verb, By: person(2, "bo"), Commit: r.Commit,
		Source:   gate.CommentRef{Repository: r.Repository, Thread: gate.Thread{Number: 3}, ID: n},
		BodyHash: gate.SHA256([]byte("body")), Created: time.Now().UTC().Truncate(time.Microsecond),
		ManifestDigest: r.Manifest.Digest(), PolicyDigest: r.PolicyDigest,
	}
}

func TestApprovalIsHeardOnce(t *testing.T) {
	onBoth(t, func(w *world) {
		rec := w.judged(w.claimed(w.opened("a").Request.ID, minute), gate.StateWaiting)
		w.nothingDue()
		first := approval(rec, 5, gate.VerbApprove)
		again := first
		again.ID = newID() // the same comment, heard through another delivery
		w.heard(gate.Heard{Approvals: []gate.Approval{first}, DueRequests: []string{rec.Request.ID}})
		w.heard(gate.Heard{Approvals: []gate.Approval{again}})
		second := approval(rec, 6, gate.VerbDeny)
		w.heard(gate.Heard{Approvals: []gate.Approval{second}})
		got, err := w.s.Approvals(w.ctx, rec.Request.ID)
		w.must(err)
		if diff := cmp.Diff([]gate.Approval{first, second}, got); diff != "" {
			w.Error(diff)
		}
		w.claimed(rec.Request.ID, minute)
		w.leaves(ledger.RequestOpened, ledger.Decision, ledger.Approval, ledger.Approval)
	})
}

// Attack 57: an approval is one request's.
func TestAttack57ApprovalServesOneRequest(t *testing.T) {
	onBoth(t, func(w *world) {
		a, b := w.opened("a"), w.opened("b")
		w.heard(gate.Heard{Approvals: []gate.Approval{approval(a, 5, gate.VerbApprove)}})
		got, err := w.s.Approvals(w.ctx, b.Request.ID)
		w.must(err)
		if len(got) != 0 {
			w.Errorf("expected no approvals of the other request, got %d", len(got))
		}
	})
}

// An acknowledged denial is never overtaken: neither by a decision nor by a signing
// that did not know of it.
func TestDenialUndoesWhatIsUnderWay(t *testing.T) {
	onBoth(t, func(w *world) {
		rec := w.claimed(w.opened("a").Request.ID, minute)
		w.heard(gate.Heard{Approvals: []gate.Approval{approval(rec, 5, gate.VerbDeny)}})
		_, err := w.s.RecordDecision(w.ctx, judgement(rec, gate.StateGranted))
		w.refused(gate.CodeTransition, err)

		rec = w.judged(w.claimed(rec.Request.ID, minute), gate.StateGranted)
		w.heard(gate.Heard{Approvals: []gate.Approval{approval(rec, 6, gate.VerbDeny)}})
		_, err = w.s.BeginSigning(w.ctx, rec, intents(rec), "worker", minute)
		w.refused(gate.CodeTransition, err)
		w.judged(w.claimed(rec.Request.ID, minute), gate.StateDenied)
	})
}

func TestDeliveryIsAllOrNothing(t *testing.T) {
	onBoth(t, func(w *world) {
		rec := w.opened("a")
		stray := approval(rec, 6, gate.VerbApprove)
		stray.Request = newID()
		w.accepted(delivery("1", "t"))
		d := w.delivered("1", minute)
		err := w.s.FinishDelivery(w.ctx, d, gate.Heard{
			Approvals: []gate.Approval{approval(rec, 5, gate.VerbApprove), stray},
			Posts:     []gate.Post{check(rec.Request.ID, gate.PostPending)},
		})
		w.refused(gate.CodeRequestUnknown, err)
		got, err := w.s.Approvals(w.ctx, rec.Request.ID)
		w.must(err)
		if len(got) != 0 || w.request(rec.Request.ID).Version != rec.Version {
			w.Errorf("expected nothing of the delivery, got %d approvals", len(got))
		}
		w.leaves(ledger.RequestOpened)
		w.must(w.s.FinishDelivery(w.ctx, d, gate.Heard{DueRequests: []string{newID(), rec.Request.ID}}))
	})
}

func TestLateStatementIsOnRecordWithoutEffect(t *testing.T) {
	onBoth(t, func(w *world) {
		rec := w.judged(w.opened("a"), gate.StateExpired)
		w.heard(gate.Heard{
			Approvals: []gate.Approval{approval(rec, 5, gate.VerbApprove)}, DueRequests: []string{rec.Request.ID},
			DueRepositories: []gate.RepositoryID{repository()},
		})
		w.nothingDue()
		if got := w.request(rec.Request.ID); got.Version != rec.Version {
			w.Errorf("expected version %d, got %d", rec.Version, got.Version)
		}
		w.leaves(ledger.RequestOpened, ledger.Decision, ledger.Approval)
	})
}
