package store_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/store"
)

// happened compares a request's history without its times.
func (w *world) happened(id string, want ...gate.Happening) {
	w.Helper()
	got, err := w.s.History(w.ctx, id)
	w.must(err)
	for i := range got {
		if got[i].At.IsZero() {
			w.Errorf("entry %d: expected a time, got none", i)
		}
		got[i].At = time.Time{}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		w.Error(diff)
	}
}

// reasoned is a decision with checks.
func (w *world) reasoned(rec gate.Record, to gate.State, checks ...gate.Check) gate.Record {
	w.Helper()
	j := judgement(rec, to)
	j.Decision.Checks = checks
	rec, err := w.s.RecordDecision(w.ctx, j)
	w.must(err)
	return rec
}

func TestHistoryOfARelease(t *testing.T) {
	onBoth(t, func(w *world) {
		other := w.opened("other") // whose leaves lie in between
		o := opening("a")
		o.Request.Workload.Actor = person(1, "ana")
		rec := w.openedAs(o)
		join := opening("a", person(7, "gus"))
		join.Request.Workload.Actor = person(7, "gus")
		_, _, err := w.s.OpenRequest(w.ctx, join)
		w.must(err)
		id := rec.Request.ID
		w.reasoned(w.request(id), gate.StateWaiting,
			gate.Check{Outcome: gate.Granted, Reason: "fine"}, gate.Check{Outcome: gate.Waiting, Reason: "needs somebody"},
			gate.Check{Outcome: gate.Waiting, Reason: "needs a test"})
		w.judged(other, gate.StateDenied)
		said, hold := approval(rec, 0, gate.VerbApprove), approval(rec, 5, gate.VerbHold)
		said.Page = true
		w.must(w.s.Hear(w.ctx, gate.Heard{Approvals: []gate.Approval{said}}))
		w.heard(gate.Heard{Approvals: []gate.Approval{hold}})
		w.begun(w.judged(w.request(id), gate.StateGranted), over)
		rec, err = w.s.OrphanSigning(w.ctx, w.claimed(id, minute))
		w.must(err)
		rec, is := w.begun(w.judged(rec, gate.StateGranted), minute)
		rec, err = w.complete(rec, signatures(is), []gate.Post{check(id, gate.PostSuccess)})
		w.must(err)
		w.must(w.s.Posted(w.ctx, w.postDue(gate.PostCheck), "1"))

		key := gate.KeyVersion{Lineage: "acme-release", Version: 1}
		w.happened(id,
			gate.Happening{What: gate.HappenedAsked, Leaf: 1, By: person(1, "ana")},
			gate.Happening{What: gate.HappenedAsked, Leaf: 2, By: person(7, "gus")},
			gate.Happening{What: gate.HappenedJudged, Leaf: 3, Outcome: gate.Waiting, State: gate.StateWaiting, Why: "needs somebody"},
			gate.Happening{What: gate.HappenedSaid, Leaf: 5, By: said.By, Statement: &said},
			gate.Happening{What: gate.HappenedSaid, Leaf: 6, By: hold.By, Statement: &hold},
			gate.Happening{What: gate.HappenedJudged, Leaf: 7, Outcome: gate.Granted, State: gate.StateGranted},
			gate.Happening{What: gate.HappenedSigning, Leaf: 8, Attempt: 1, Count: 2, Key: key},
			gate.Happening{What: gate.HappenedOrphaned, Leaf: 9, Attempt: 1, Count: 2, Key: key},
			gate.Happening{What: gate.HappenedJudged, Leaf: 11, Outcome: gate.Granted, State: gate.StateGranted},
			gate.Happening{What: gate.HappenedSigning, Leaf: 12, Attempt: 2, Count: 2, Key: key},
			gate.Happening{What: gate.HappenedSigned, Leaf: 13, Attempt: 2, Count: 2, Key: key},
			gate.Happening{What: gate.HappenedPublished, Leaf: 15})
	})
}

// What ended a release says why, and what came too late is told.
func TestHistoryOfAFailure(t *testing.T) {
	onBoth(t, func(w *world) {
		rec, is := w.signing("a", minute)
		_, err := w.s.FailSigning(w.ctx, rec, "the HSM refuses the key", nil)
		w.must(err)
		_, err = w.complete(rec, signatures(is), nil)
		w.refused(gate.CodeTransition, err)
		key := gate.KeyVersion{Lineage: "acme-release", Version: 1}
		w.happened(rec.Request.ID,
			gate.Happening{What: gate.HappenedAsked, By: person(1, "ana")},
			gate.Happening{What: gate.HappenedJudged, Leaf: 1, Outcome: gate.Granted, State: gate.StateGranted},
			gate.Happening{What: gate.HappenedSigning, Leaf: 2, Attempt: 1, Count: 2, Key: key},
			gate.Happening{What: gate.HappenedOrphaned, Leaf: 3, Attempt: 1, Count: 2, Key: key},
			gate.Happening{What: gate.HappenedFailed, Leaf: 5, Attempt: 1, Why: "the HSM refuses the key"},
			gate.Happening{What: gate.HappenedLate, Leaf: 6, Attempt: 1, Count: 2})

		rec = w.opened("b")
		w.reasoned(rec, gate.StateDenied, gate.Check{Outcome: gate.Waiting, Reason: "first \x00 of all"},
			gate.Check{Outcome: gate.Denied, Reason: "ana \x00 said no \\u0000"}, gate.Check{Reason: "and more"})
		w.happened(rec.Request.ID,
			gate.Happening{What: gate.HappenedAsked, Leaf: 7, By: person(1, "ana")},
			gate.Happening{What: gate.HappenedJudged, Leaf: 8, State: gate.StateDenied, Why: `ana  said no \u0000`})
		_, err = w.s.History(w.ctx, "nobody's")
		w.refused(gate.CodeRequestUnknown, err)
		_, err = w.s.History(w.ctx, "\x00")
		w.refused(gate.CodeRequestUnknown, err)
	})
}

// Documents may be erased: what is left of the history is told.
func TestHistoryWithoutDocuments(t *testing.T) {
	w := newWorld(t, store.SQLite)
	w.opened("a")
	join := opening("a", person(7, "gus"))
	join.Request.Workload.Actor = person(7, "gus")
	rec, _, err := w.s.OpenRequest(w.ctx, join)
	w.must(err)
	_, err = w.raw().ExecContext(w.ctx, "DELETE FROM documents")
	w.must(err)
	w.happened(rec.Request.ID, gate.Happening{What: gate.HappenedAsked, By: person(1, "ana")},
		gate.Happening{What: gate.HappenedAsked, Leaf: 1})
}

// Whatever happens in whatever order, each entry's leaf comes after the one before, and
// every leaf about the request is told once.
func TestHistoryIsInLedgerOrder(t *testing.T) {
	onBoth(t, func(w *world) {
		n := 0
		rapid.Check(w.T, func(t *rapid.T) {
			n++
			acts := rapid.SliceOfN(rapid.SampledFrom([]string{
				"join", "wait", "grant", "approve", "page", "sign", "orphan", "complete", "fail",
			}), 0, 14).Draw(t, "acts")
			id := w.opened(fmt.Sprint("artifact ", n)).Request.ID
			begun := w.opened(fmt.Sprint("beside ", n))
			for i, act := range acts {
				if begun.State == gate.StateWaiting && i%3 == 0 {
					begun = w.judged(begun, gate.StateWaiting)
				}
				w.act(fmt.Sprint("artifact ", n), id, act, int64(i+1))
			}
			w.orderly(t, id)
		})
	})
}

// act does something to a request, if its state allows.
func (w *world) act(artifact, id, act string, n int64) {
	rec := w.request(id)
	decidable := rec.State == gate.StateWaiting || rec.State == gate.StateGranted
	signing := rec.State == gate.StateSigning
	switch {
	case act == "join" && !rec.State.Ended():
		_, _, err := w.s.OpenRequest(w.ctx, opening(artifact, person(10+n, "gus")))
		w.must(err)
	case act == "approve":
		w.must(w.s.Hear(w.ctx, gate.Heard{Approvals: []gate.Approval{approval(rec, 0, gate.VerbApprove)}}))
	case act == "page":
		said := approval(rec, 0, gate.VerbHold)
		said.Page = true
		w.must(w.s.Hear(w.ctx, gate.Heard{Approvals: []gate.Approval{said}}))
	case act == "wait" && decidable:
		w.judged(rec, gate.StateWaiting)
	case act == "grant" && decidable:
		w.judged(rec, gate.StateGranted)
	case act == "sign" && rec.State == gate.StateGranted:
		w.begun(rec, over)
	case act == "orphan" && signing:
		_, err := w.s.OrphanSigning(w.ctx, rec)
		w.must(err)
	case act == "fail" && signing:
		_, err := w.s.FailSigning(w.ctx, rec, "no", nil)
		w.must(err)
	case act == "complete" && signing:
		var sigs []gate.Signature
		for _, i := range w.column("SELECT id FROM intents WHERE state = 'open' AND request_id = '" + id + "'") {
			sigs = append(sigs, gate.Signature{Intent: i, Bytes: []byte("x"), At: time.Now()})
		}
		_, err := w.complete(rec, sigs, nil)
		w.must(err)
	}
}

func (w *world) orderly(t *rapid.T, id string) {
	got, err := w.s.History(w.ctx, id)
	w.must(err)
	leaves := 0
	for i, x := range got {
		if i > 0 && x.Leaf <= got[i-1].Leaf {
			t.Errorf("entry %d: expected a leaf after %d, got %d", i, got[i-1].Leaf, x.Leaf)
		}
		leaves++
		if x.What == gate.HappenedSigned || x.What == gate.HappenedOrphaned {
			leaves += x.Count - 1
		}
	}
	want := 0
	for _, l := range w.leavesAbout(id) {
		if l {
			want++
		}
	}
	if leaves != want {
		t.Errorf("expected that %d leaves are told, got %d", want, leaves)
	}
}

// leavesAbout tells of every leaf whether its document names the request.
func (w *world) leavesAbout(id string) []bool {
	var out []bool
	for from := int64(0); ; from += 1000 {
		all, err := w.s.Leaves(w.ctx, from, 1000)
		w.must(err)
		for _, l := range all {
			var doc any
			w.must(json.Unmarshal(l.Document, &doc))
			out = append(out, about(doc, id))
		}
		if len(all) < 1000 {
			return out
		}
	}
}

// about looks for the id at the places where documents name their request.
func about(doc any, id string) bool {
	m, ok := doc.(map[string]any)
	if !ok {
		return false
	}
	return m["request"] == id || m["id"] == id || about(m["request"], id) || about(m["approval"], id)
}
