package keeper_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/keeper"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/witness"
	"github.com/countersign/countersign/gate/witness/witnesstest"
)

// foreign gives a world a witness that other people wrote, which knows the log.
func (w *world) foreign(t *testing.T) (*witnesstest.Witness, func() *keeper.Keeper) {
	t.Helper()
	running, err := witnesstest.Start(t.Context(), t.TempDir(), "litewitness.example")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := running.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := running.Know(t.Context(), origin, w.notary.key.String()); err != nil {
		t.Fatal(err)
	}
	client, err := witness.New(running.URL, running.Key, nil)
	if err != nil {
		t.Fatal(err)
	}
	return running, func() *keeper.Keeper {
		c := w.config()
		c.Witnesses = []keeper.Witness{client}
		k, err := keeper.New(c)
		if err != nil {
			t.Fatal(err)
		}
		if err := k.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(w.work(k))
		return k
	}
}

// The story of a log that is forked behind a witness's back: whoever rewrites the database,
// its record and the guard still gets nothing handed out that asks for the witness's word.
func TestForkBehindALitewitness(t *testing.T) {
	w := newWorld(t, 0)
	_, start := w.foreign(t)
	k := start()
	w.shelf.add(9, "entry")
	if c, err := k.Covering(t.Context(), 10, 1); err != nil || len(c.Witnesses) != 1 {
		t.Fatalf("got %+v, %v", c, err)
	}
	copied := w.shelf.copy()
	w.shelf.add(10, "entry")
	if _, err := k.Covering(t.Context(), 20, 1); err != nil {
		t.Fatal(err)
	}

	// The thief's copy of the server has the log's key, and no witness.
	thief := newWorld(t, 0)
	thief.notary, thief.shelf = w.notary, copied
	copied.add(20, "another entry")
	if _, err := thief.start().Covering(t.Context(), 30, 0); err != nil {
		t.Fatal(err)
	}
	forked := newWorld(t, 0)
	forked.notary, forked.shelf, forked.guard = w.notary, copied, thief.guard
	w.shelf, w.guard = forked.shelf, forked.guard
	k = start()
	if c, err := k.Covering(t.Context(), 30, 1); !isCode(err, gate.CodeLedgerBehind) || !strings.Contains(err.Error(), "litewitness.example") {
		t.Errorf("got %+v, %v", c, err)
	}
	if err := k.Fit(t.Context()); !isCode(err, gate.CodeLedgerBehind) {
		t.Errorf("fit: got %v", err)
	}
}

// A database that was restored without its guard is found out by the witness alone.
func TestRestoredBeforeALitewitness(t *testing.T) {
	w := newWorld(t, 0)
	_, start := w.foreign(t)
	k := start()
	w.shelf.add(9, "entry")
	if _, err := k.Covering(t.Context(), 10, 1); err != nil {
		t.Fatal(err)
	}
	copied := w.shelf.copy()
	w.shelf.add(10, "entry")
	if _, err := k.Covering(t.Context(), 20, 1); err != nil {
		t.Fatal(err)
	}
	newest := w.shelf
	w.shelf = copied
	w.guard = keeper.File{Path: filepath.Join(t.TempDir(), "published")}
	before := w.notary.count()
	k = start()
	if err := k.Fit(t.Context()); !isCode(err, gate.CodeLedgerBehind) || !strings.Contains(err.Error(), "20 published entries") {
		t.Errorf("got %v", err)
	}
	if n := w.notary.count(); n != before {
		t.Errorf("signed %d heads", n-before)
	}
	w.shelf = newest
	if err := start().Fit(t.Context()); err != nil {
		t.Errorf("the newest copy: got %v", err)
	}
	if m, ok, err := w.guard.Read(); err != nil || !ok || !strings.Contains(string(m.Note), "\n20\n") {
		t.Errorf("guard: %+v, %v, %v", m, ok, err)
	}
}

// While the witness is away, what asks for no witness goes on, and the rest waits.
func TestLitewitnessThatIsAway(t *testing.T) {
	w := newWorld(t, 0)
	running, start := w.foreign(t)
	k := start()
	w.shelf.add(1, "entry")
	if _, err := k.Covering(t.Context(), 2, 1); err != nil {
		t.Fatal(err)
	}
	if err := running.Stop(); err != nil {
		t.Fatal(err)
	}
	w.shelf.add(1, "entry")
	if _, err := k.Covering(t.Context(), 3, 0); err != nil {
		t.Error(err)
	}
	if err := running.Go(t.Context()); err != nil {
		t.Fatal(err)
	}
	for {
		c, err := k.Covering(t.Context(), 3, 1)
		if err == nil {
			if _, by, err := ledger.Open(c.Note, w.notary.key, witnessKey(t, running.Key)); err != nil || len(by) != 1 {
				t.Errorf("got %v, %v", by, err)
			}
			return
		}
		if !isCode(err, gate.CodeWitnesses) {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func witnessKey(t *testing.T, vkey string) *ledger.WitnessKey {
	t.Helper()
	key, err := ledger.ParseWitnessKey(vkey)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// The real witness finds its state again under a guard that was deleted, as an operator does
// who moves a server.
func TestMovedServer(t *testing.T) {
	w := newWorld(t, 0)
	_, start := w.foreign(t)
	k := start()
	w.shelf.add(9, "entry")
	if _, err := k.Covering(t.Context(), 10, 1); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(w.guard.Path); err != nil {
		t.Fatal(err)
	}
	k = start()
	if err := k.Fit(t.Context()); err != nil {
		t.Errorf("the witness confirms the database: got %v", err)
	}
	w.shelf.add(1, "entry")
	if _, err := k.Covering(t.Context(), 11, 1); err != nil {
		t.Error(err)
	}
}

// The story of a restored database, to its end: the witness holds it up, two administrators
// sign for a new epoch, the witness is told of the new log, and cosigns it.
func TestNewEpochBeforeALitewitness(t *testing.T) {
	w := newWorld(t, 0)
	running, start := w.foreign(t)
	k := start()
	w.shelf.add(9, "entry")
	if _, err := k.Covering(t.Context(), 10, 1); err != nil {
		t.Fatal(err)
	}
	copied := w.shelf.copy()
	w.shelf.add(10, "entry")
	last, err := k.Covering(t.Context(), 20, 1)
	if err != nil {
		t.Fatal(err)
	}
	w.shelf = copied
	w.guard = keeper.File{Path: filepath.Join(t.TempDir(), "published")}
	if err := start().Fit(t.Context()); !isCode(err, gate.CodeLedgerBehind) {
		t.Fatalf("got %v", err)
	}

	next := newNotary(t, "log2.example", 2)
	s := keeper.Succession{Shelf: w.shelf, Guard: w.guard, Now: time.Now}
	document, d, err := s.Draft(t.Context(), keeper.Proposal{
		Origin: next.key.Name(), LogKey: keeper.Fingerprint(next.key.SPKI()), Reason: reason, Published: last.Note,
	})
	if err != nil || d.Lost != (keeper.Span{From: 10, To: 20}) {
		t.Fatalf("got %+v, %v", d, err)
	}
	ana, bo := newPerson(t, 1), newPerson(t, 2)
	if _, err := s.Begin(t.Context(), keeper.Beginning{
		Document: document, Key: next.key, Voters: voters(t, []person{ana, bo}),
		Signatures: [][]byte{ana.sign(t, document, keeper.EpochNamespace), bo.sign(t, document, keeper.EpochNamespace)},
	}); err != nil {
		t.Fatal(err)
	}
	w.notary = next
	if err := running.Know(t.Context(), next.key.Name(), next.key.String()); err != nil {
		t.Fatal(err)
	}
	k = start()
	if err := k.Fit(t.Context()); err != nil {
		t.Fatal(err)
	}
	c, err := k.Covering(t.Context(), 11, 1)
	if err != nil || c.Origin != "log2.example" || len(c.Witnesses) != 1 {
		t.Errorf("got %+v, %v", c, err)
	}
}
