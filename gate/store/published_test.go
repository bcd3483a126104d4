package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/store"
)

const origin = "log.example"

// checkpointAt is one of the ledger's first size leaves.
func (w *world) checkpointAt(size int64, witnesses ...string) gate.Checkpoint {
	w.Helper()
	root, err := w.s.Hashes(w.ctx, size).Root(size)
	w.must(err)
	return gate.Checkpoint{
		Origin: origin, Size: size, Root: gate.Digest(root), Note: []byte("note"), LogID: []byte("id"), Witnesses: witnesses,
		At: time.Unix(size, 0).UTC(),
	}
}

func (w *world) certificate(name, der string, until int64) gate.Certificate {
	return gate.Certificate{Name: name, DER: []byte(der), NotBefore: time.Unix(1, 0).UTC(), NotAfter: time.Unix(until, 0).UTC()}
}

// published leaves one of each thing that is published.
func (w *world) published() {
	w.Helper()
	w.must(w.s.BeginEpoch(w.ctx, gate.Epoch{Number: 1, Origin: origin, SPKI: []byte("spki"), Begun: time.Unix(1, 0).UTC()}))
	w.must(w.s.KeepCheckpoint(w.ctx, w.checkpointAt(1)))
	_, err := w.s.KeepCertificate(w.ctx, w.certificate("ca/acme/1", "der", 100), nil)
	w.must(err)
	_, err = w.s.KeepTrustedRoot(w.ctx, []byte("{}\n"))
	w.must(err)
}

func TestCheckpointsOnlyGrow(t *testing.T) {
	onBoth(t, func(w *world) {
		if _, ok, err := w.s.LatestCheckpoint(w.ctx, origin); ok || err != nil {
			w.Fatalf("expected none yet, got one, %v", err)
		}
		w.grown(20)
		w.must(w.s.KeepCheckpoint(w.ctx, w.checkpointAt(0)))
		w.must(w.s.KeepCheckpoint(w.ctx, w.checkpointAt(5, "w1")))
		w.must(w.s.KeepCheckpoint(w.ctx, w.checkpointAt(9)))
		cosigned := w.checkpointAt(9, "w1", "w2")
		w.must(w.s.KeepCheckpoint(w.ctx, cosigned))
		w.must(w.s.KeepCheckpoint(w.ctx, w.checkpointAt(9))) // of a replica that came late
		got, ok, err := w.s.LatestCheckpoint(w.ctx, origin)
		w.must(err)
		if diff := cmp.Diff(cosigned, got); !ok || diff != "" {
			w.Errorf("expected the cosigned one, got %t, %s", ok, diff)
		}
		later, fewer := cosigned, w.checkpointAt(9, "w1")
		later.At, fewer.At = cosigned.At.Add(time.Hour), cosigned.At.Add(time.Hour)
		w.must(w.s.KeepCheckpoint(w.ctx, cosigned))
		w.must(w.s.KeepCheckpoint(w.ctx, fewer))
		if got, _, err := w.s.LatestCheckpoint(w.ctx, origin); err != nil || !got.At.Equal(cosigned.At) {
			w.Errorf("what says nothing new is left aside: got %v, %v", got, err)
		}
		w.must(w.s.KeepCheckpoint(w.ctx, later))
		if got, _, err := w.s.LatestCheckpoint(w.ctx, origin); err != nil || !got.At.Equal(later.At) || len(got.Witnesses) != 2 {
			w.Errorf("cosigned anew: got %v, %v", got, err)
		}
		w.must(w.s.KeepCheckpoint(w.ctx, w.checkpointAt(12)))
		for _, row := range []struct{ atLeast, size int64 }{{0, 0}, {1, 5}, {5, 5}, {6, 9}, {10, 12}} {
			if got, ok, err := w.s.CheckpointOf(w.ctx, origin, row.atLeast); err != nil || !ok || got.Size != row.size {
				w.Errorf("first of at least %d: expected %d, got %d, %t, %v", row.atLeast, row.size, got.Size, ok, err)
			}
		}
		if _, ok, err := w.s.CheckpointOf(w.ctx, origin, 13); ok || err != nil {
			w.Errorf("expected none that covers 13, got one, %v", err)
		}
		for _, row := range []struct {
			atLeast   int64
			witnesses int
			size      int64
		}{{1, 0, 12}, {1, 1, 9}, {9, 2, 9}, {10, 1, 0}, {1, 3, 0}} {
			got, ok, err := w.s.CoveringCheckpoint(w.ctx, origin, row.atLeast, row.witnesses)
			if err != nil || ok != (row.size > 0) || got.Size != row.size {
				w.Errorf("of at least %d by %d witnesses: expected %d, got %d, %t, %v", row.atLeast, row.witnesses, row.size, got.Size, ok, err)
			}
		}
		if _, ok, err := w.s.LatestCheckpoint(w.ctx, "other.example"); ok || err != nil {
			w.Errorf("another origin: expected none, got one, %v", err)
		}
		w.refused(gate.CodeTransition, w.s.KeepCheckpoint(w.ctx, w.checkpointAt(11)))
		ahead := w.checkpointAt(20)
		ahead.Size = 21
		w.refused(gate.CodeLedgerBehind, w.s.KeepCheckpoint(w.ctx, ahead))
		forked := w.checkpointAt(15)
		forked.Root[0] ^= 1
		w.refused(gate.CodeLedgerBehind, w.s.KeepCheckpoint(w.ctx, forked))
	})
}

func TestEpochsFollowEachOther(t *testing.T) {
	onBoth(t, func(w *world) {
		if all, err := w.s.Epochs(w.ctx); err != nil || len(all) != 0 {
			w.Fatalf("expected none yet, got %v, %v", all, err)
		}
		first := gate.Epoch{Number: 1, Origin: origin, SPKI: []byte("one"), Begun: time.Unix(1, 0).UTC()}
		second := gate.Epoch{Number: 2, Origin: "two.example", SPKI: []byte("two"), Document: []byte("signed"), Begun: time.Unix(2, 0).UTC()}
		w.refused(gate.CodeTransition, w.s.BeginEpoch(w.ctx, second))
		w.must(w.s.BeginEpoch(w.ctx, first))
		w.refused(gate.CodeTransition, w.s.BeginEpoch(w.ctx, first))
		again := second
		again.Origin = origin
		w.refused(gate.CodeEpoch, w.s.BeginEpoch(w.ctx, again))
		w.must(w.s.BeginEpoch(w.ctx, second))
		all, err := w.s.Epochs(w.ctx)
		w.must(err)
		if diff := cmp.Diff([]gate.Epoch{first, second}, all); diff != "" {
			w.Error(diff)
		}
		w.leaves(ledger.EpochBegun, ledger.EpochBegun)
	})
}

// Two replicas begin the same epoch: one of them does.
func TestOneReplicaBeginsTheEpoch(t *testing.T) {
	onBoth(t, func(w *world) {
		other := w.open()
		errs := make(chan error)
		for n := range 8 {
			s := []*store.Store{w.s, other}[n%2]
			go func() {
				errs <- s.BeginEpoch(w.ctx, gate.Epoch{Number: 1, Origin: origin, SPKI: []byte{byte(n)}, Begun: time.Unix(1, 0)})
			}()
		}
		won := 0
		for range 8 {
			if err := <-errs; err == nil {
				won++
			} else if gate.CodeOf(err) != gate.CodeTransition {
				w.Error(err)
			}
		}
		if won != 1 {
			w.Errorf("expected one winner, got %d", won)
		}
	})
}

func TestCertificatesAreReplacedByWhoKnowsTheLast(t *testing.T) {
	onBoth(t, func(w *world) {
		const name = "release/acme/1/https://github.com/acme/secret"
		if _, ok, err := w.s.Certificate(w.ctx, name); ok || err != nil {
			w.Fatalf("expected none yet, got one, %v", err)
		}
		one, two := w.certificate(name, "one", 100), w.certificate(name, "two", 50) // of a shorter life
		for _, step := range []struct {
			keep     gate.Certificate
			replaces string
			want     gate.Certificate
		}{{one, "", one}, {two, "", one}, {two, "else", one}, {two, "one", two}, {one, "one", two}} {
			var replaces []byte
			if step.replaces != "" {
				replaces = []byte(step.replaces)
			}
			got, err := w.s.KeepCertificate(w.ctx, step.keep, replaces)
			w.must(err)
			if diff := cmp.Diff(step.want, got); diff != "" {
				w.Error(diff)
			}
		}
		got, ok, err := w.s.Certificate(w.ctx, name)
		w.must(err)
		if diff := cmp.Diff(two, got); !ok || diff != "" {
			w.Errorf("expected the second, got %t, %s", ok, diff)
		}
		all, err := w.s.Certificates(w.ctx)
		w.must(err)
		if diff := cmp.Diff([]gate.Certificate{one, two}, all); diff != "" {
			w.Error(diff)
		}
		for _, l := range w.leaves(ledger.CertificateIssued, ledger.CertificateIssued) {
			if l.ID != "server" {
				w.Errorf("expected that the public leaf names no repository, got %q", l.ID)
			}
		}
		for what, c := range map[string]gate.Certificate{
			"without a name": w.certificate("", "x", 9), "without bytes": w.certificate("n", "", 9), "that never holds": w.certificate("n", "x", 1),
		} {
			if _, err := w.s.KeepCertificate(w.ctx, c, nil); gate.CodeOf(err) != gate.CodeInternal {
				w.Errorf("one %s: expected %s, got %v", what, gate.CodeInternal, err)
			}
		}
	})
}

func TestTrustedRootsAreVersioned(t *testing.T) {
	onBoth(t, func(w *world) {
		if _, _, ok, err := w.s.TrustedRoot(w.ctx); ok || err != nil {
			w.Fatalf("expected none yet, got one, %v", err)
		}
		for _, step := range []struct {
			doc  string
			want int
		}{{"a\n", 1}, {"a\n", 1}, {"b\n", 2}, {"a\n", 3}} {
			if got, err := w.s.KeepTrustedRoot(w.ctx, []byte(step.doc)); err != nil || got != step.want {
				w.Errorf("%q: expected version %d, got %d, %v", step.doc, step.want, got, err)
			}
		}
		doc, version, ok, err := w.s.TrustedRoot(w.ctx)
		if err != nil || !ok || version != 3 || string(doc) != "a\n" {
			w.Errorf("expected version 3, got %d %q, %t, %v", version, doc, ok, err)
		}
		if doc, ok, err := w.s.TrustedRootVersion(w.ctx, 2); err != nil || !ok || string(doc) != "b\n" {
			w.Errorf("expected version 2, got %q, %t, %v", doc, ok, err)
		}
		if _, ok, err := w.s.TrustedRootVersion(w.ctx, 4); err != nil || ok {
			w.Errorf("expected no version 4, got one, %v", err)
		}
		w.leaves(ledger.TrustedRoot, ledger.TrustedRoot, ledger.TrustedRoot)
	})
}
