package keeper_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
)

func TestCosigned(t *testing.T) {
	story(t, func(t *testing.T) {
		w := newWorld(t, 3)
		k := w.start()
		stop := w.work(k)
		defer stop()
		w.shelf.add(5, "entry")
		if c := w.cover(k, 6, 3); len(c.Witnesses) != 3 {
			t.Errorf("got %v", c.Witnesses)
		}
		if c, ok, _ := w.shelf.LatestCheckpoint(t.Context(), origin); !ok || len(c.Witnesses) != 3 {
			t.Errorf("on record: %+v", c)
		}
		for range 20 {
			w.shelf.add(1, "entry")
			w.cover(k, w.shelf.size(), 2)
		}
	})
}

// One that hangs delays nobody but those who ask for it, and is told by name.
func TestWitnessThatHangs(t *testing.T) {
	story(t, func(t *testing.T) {
		w := newWorld(t, 2)
		k := w.start()
		stop := w.work(k)
		defer stop()
		w.witnesses[1].set(func() { w.witnesses[1].hang = true })
		w.shelf.add(5, "entry")
		began := time.Now()
		w.cover(k, 6, 1)
		if d := time.Since(began); d > time.Second {
			t.Errorf("one of two answers: took %v", d)
		}
		_, err := k.Covering(t.Context(), 6, 2)
		if !isCode(err, gate.CodeWitnesses) || !strings.Contains(err.Error(), "w2.example") || strings.Contains(err.Error(), "w1.example") {
			t.Errorf("got %v", err)
		}
		if d := time.Since(began); d < 10*time.Second || d > 12*time.Second {
			t.Errorf("expected to wait for the ten seconds' patience, took %v", d)
		}
	})
}

// One that was away cosigns the newest when it is back, without anything new.
func TestWitnessThatComesBack(t *testing.T) {
	story(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.witnesses[0].err = errors.New("connection refused")
		k := w.start()
		stop := w.work(k)
		defer stop()
		w.shelf.add(5, "entry")
		_, err := k.Covering(t.Context(), 6, 1)
		if !isCode(err, gate.CodeWitnesses) || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("got %v", err)
		}
		time.Sleep(time.Hour)
		w.witnesses[0].set(func() {
			if w.witnesses[0].asked > 90 {
				t.Errorf("asked %d times in an hour", w.witnesses[0].asked)
			}
			w.witnesses[0].err = nil
		})
		time.Sleep(2 * time.Minute)
		w.cover(k, 6, 1)
	})
}

// A ledger at rest is cosigned again: who looks at it sees that nothing newer is withheld.
func TestLedgerAtRest(t *testing.T) {
	story(t, func(t *testing.T) {
		w := newWorld(t, 2)
		k := w.start()
		stop := w.work(k)
		defer stop()
		w.shelf.add(5, "entry")
		w.cover(k, 6, 2)
		before := w.notary.count()
		time.Sleep(5 * time.Hour)
		c, _, _ := w.shelf.LatestCheckpoint(t.Context(), origin)
		_, by, err := ledger.Open(c.Note, w.notary.key, w.witnesses[0].key, w.witnesses[1].key)
		if err != nil || len(by) != 2 {
			t.Fatalf("got %v, %v", by, err)
		}
		for _, x := range by {
			if age := time.Since(x.At); age > 2*time.Hour {
				t.Errorf("%s cosigned %v ago", x.Witness, age)
			}
		}
		if n := len(w.shelf.checkpoints); n > 20 || w.notary.count() != before {
			t.Errorf("%d checkpoints on record, %d signed", n, w.notary.count()-before)
		}
	})
}

func TestMoreWitnessesThanThereAre(t *testing.T) {
	w := newWorld(t, 1)
	if _, err := w.start().Covering(t.Context(), 1, 2); !isCode(err, gate.CodeWitnesses) || !strings.Contains(err.Error(), "1 witnesses configured") {
		t.Errorf("got %v", err)
	}
}

// Whoever holds the host may rewrite database, record and guard, and has the log key sign: what
// a witness saw, they cannot take back. The hand-out stops (Covering), and so does signing.
func TestForkBehindAWitness(t *testing.T) {
	story(t, func(t *testing.T) {
		w, copied := published(t, 1)
		forked := newWorld(t, 0)
		forked.notary, forked.shelf = w.notary, copied
		k := forked.start()
		copied.add(15, "another entry")
		forked.cover(k, 25, 0)
		w.shelf, w.guard = forked.shelf, forked.guard
		k = w.start()
		if _, err := k.Covering(t.Context(), 25, 1); !isCode(err, gate.CodeLedgerBehind) || !strings.Contains(err.Error(), "w1.example") {
			t.Errorf("got %v", err)
		}
		refusesToSign(t, w, k, gate.CodeLedgerBehind, "the tree that witness w1.example cosigned")
	})
}

// Two replicas over one database share the witness's word.
func TestReplicasAndAWitness(t *testing.T) {
	story(t, func(t *testing.T) {
		w := newWorld(t, 2)
		one := w.start()
		defer w.work(one)()
		w.guard.Path += "2"
		two := w.start()
		defer w.work(two)()
		time.Sleep(5 * time.Second) // it has no guard of its own yet: a witness's word makes it one
		for range 20 {
			w.shelf.add(3, "entry")
			w.cover(one, w.shelf.size(), 1)
			w.shelf.add(2, "entry")
			w.cover(two, w.shelf.size(), 2)
		}
		time.Sleep(2 * time.Second)
		if c, _, _ := w.shelf.LatestCheckpoint(t.Context(), origin); len(c.Witnesses) != 2 {
			t.Errorf("on record: %+v", c)
		}
	})
}
