package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/store"
)

// together runs n calls at once and returns their errors.
func together(n int, call func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var done sync.WaitGroup
	for i := range n {
		done.Go(func() {
			<-start
			errs[i] = call(i)
		})
	}
	close(start)
	done.Wait()
	return errs
}

// sharing is how many leaves were stored in one transaction with another one's: those that
// have the same time.
func (w *world) sharing(kind ledger.Kind) int {
	w.Helper()
	return int(w.count(fmt.Sprintf(`SELECT COALESCE(SUM(n), 0) FROM (
		SELECT COUNT(*) AS n FROM leaves WHERE kind = '%s' GROUP BY made_at HAVING COUNT(*) > 1) AS shared`, kind)))
}

// Units that come at once share transactions, and each has its own outcome: one that fails
// takes nobody with it, and leaves nothing.
func TestUnitsOfAGroupHaveTheirOwnOutcome(t *testing.T) {
	onBoth(t, func(w *world) {
		const each, kinds = 40, 4
		recs := make([]gate.Record, each)
		for i := range recs {
			recs[i] = w.opened(fmt.Sprint("a", i))
		}
		stale := w.judged(w.opened("b"), gate.StateWaiting)
		w.judged(stale, gate.StateWaiting)
		gone, cancel := context.WithCancel(w.ctx)
		cancel()
		errs := together(each*kinds, func(i int) error {
			one := gate.Heard{Approvals: []gate.Approval{approval(recs[i/kinds], int64(100+i), gate.VerbStatus)}}
			switch i % kinds {
			case 1: // the second of its statements names no request
				one.Approvals = append(one.Approvals, approval(gate.Record{Request: gate.Request{ID: newID()}}, int64(100+i), gate.VerbStatus))
			case 2:
				_, err := w.s.RecordDecision(w.ctx, judgement(stale, gate.StateGranted))
				return err
			case 3:
				return w.s.Hear(gone, one)
			}
			return w.s.Hear(w.ctx, one)
		})
		for i, err := range errs {
			switch {
			case i%kinds == 0 && err != nil:
				w.Errorf("unit %d: %v", i, err)
			case i%kinds == 1 && err == nil, i%kinds == 2 && gate.CodeOf(err) != gate.CodeTransition, i%kinds == 3 && !errors.Is(err, context.Canceled):
				w.Errorf("unit %d: expected its own error, got %v", i, err)
			}
		}
		if n := w.count("SELECT COUNT(*) FROM approvals"); n != each {
			w.Errorf("expected %d statements, got %d", each, n)
		}
		if n := w.sharing(ledger.Approval); n < each/2 {
			w.Errorf("expected that most statements shared a transaction, got %d of %d", n, each)
		}
	})
}

// Replicas whose groups lock the same rows in different orders get out of each other's way.
func TestGroupsOfReplicasDoNotBlockEachOther(t *testing.T) {
	onBoth(t, func(w *world) {
		var recs []gate.Record
		for i := range 5 {
			recs = append(recs, w.opened(fmt.Sprint("a", i)))
		}
		replicas := []*store.Store{w.s, w.open(), w.open()}
		const n = 240
		errs := together(n, func(i int) error {
			rec := recs[i*7%len(recs)]
			return replicas[i%len(replicas)].Hear(w.ctx, gate.Heard{
				Approvals: []gate.Approval{approval(rec, int64(100+i), gate.VerbStatus)},
				Posts:     []gate.Post{check(recs[i*3%len(recs)].Request.ID, gate.PostPending)},
			})
		})
		if err := errors.Join(errs...); err != nil {
			w.Error(err)
		}
		if got := w.count("SELECT COUNT(*) FROM approvals"); got != n {
			w.Errorf("expected %d statements, got %d", n, got)
		}
	})
}

// What ends a whole transaction is told to all who shared it.
func TestGroupWithoutADatabase(t *testing.T) {
	onBoth(t, func(w *world) {
		rec := w.opened("a")
		other := w.open()
		w.must(other.Close())
		for i, err := range together(20, func(i int) error {
			return other.Hear(w.ctx, gate.Heard{Approvals: []gate.Approval{approval(rec, int64(i), gate.VerbStatus)}})
		}) {
			if gate.CodeOf(err) != gate.CodeStoreUnavailable {
				w.Errorf("unit %d: expected %s, got %v", i, gate.CodeStoreUnavailable, err)
			}
		}
	})
}

// A flood that comes at once is refused as one that comes by and by is, and takes nobody
// with it.
func TestGroupRefusesWhatIsTooMuch(t *testing.T) {
	onBoth(t, func(w *world) {
		const most, more, others = 200, 25, 25
		refused := 0
		for i, err := range together(most+more+others, func(i int) error {
			o := opening(fmt.Sprint("a", i))
			if i%10 == 9 { // 25 of them
				o.Request.Repository.ID++
			}
			_, _, err := w.s.OpenRequest(w.ctx, o)
			return err
		}) {
			switch {
			case gate.CodeOf(err) == gate.CodeRequestsFull && i%10 != 9:
				refused++
			case err != nil:
				w.Errorf("request %d: %v", i, err)
			}
		}
		if refused != more {
			w.Errorf("expected %d of %d refused, got %d", more, most+more, refused)
		}
	})
}
