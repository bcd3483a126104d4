package keeper_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/keeper"
	"github.com/countersign/countersign/gate/ledger"
)

func TestCoveringPublishes(t *testing.T) {
	w := newWorld(t, 0)
	k := w.start()
	if len(w.shelf.epochs) != 1 || w.shelf.epochs[0].Origin != origin || w.shelf.epochs[0].Number != 1 {
		t.Fatalf("expected the first epoch, got %+v", w.shelf.epochs)
	}
	w.shelf.add(10, "entry")
	first := w.cover(k, 5, 0)
	if first.Size != 11 { // the epoch's own entry is one
		t.Errorf("expected all 11 entries, got %d", first.Size)
	}
	w.shelf.add(1, "entry")
	if again := w.cover(k, 11, 0); again.Size != 11 || w.notary.count() != 1 {
		t.Errorf("what is published covers it: got %d entries, %d signed", again.Size, w.notary.count())
	}
	if next := w.cover(k, 12, 0); next.Size != 12 {
		t.Errorf("got %d", next.Size)
	}
	info, err := os.Stat(w.guard.Path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("guard: %v, %v", info, err)
	}
	if m, ok, err := w.guard.Read(); err != nil || !ok || m.Epoch != 1 || !strings.Contains(string(m.Note), "\n12\n") {
		t.Errorf("guard: %+v, %v, %v", m, ok, err)
	}
	if _, err := k.Covering(t.Context(), 13, 0); !isCode(err, gate.CodeLedgerBehind) {
		t.Errorf("entries that are not there: got %v", err)
	}
	if _, err := k.Covering(t.Context(), -1, 0); err == nil {
		t.Error("expected a refusal")
	}
}

// Many who wait share what one publishes.
func TestCoveringIsShared(t *testing.T) {
	w := newWorld(t, 0)
	k := w.start()
	w.shelf.add(100, "entry")
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			if _, err := k.Covering(t.Context(), int64(50+i), 0); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := w.notary.count(); n != 1 {
		t.Errorf("expected one checkpoint, got %d", n)
	}
}

func TestProve(t *testing.T) {
	w := newWorld(t, 0)
	k := w.start()
	if _, err := k.Prove(t.Context(), 1, []int64{0}); gate.CodeOf(err) != gate.CodeLogRange {
		t.Errorf("nothing is published: got %v", err)
	}
	w.shelf.add(600, "entry")
	c := w.cover(k, 601, 0)
	w.shelf.add(100, "entry")
	for _, size := range []int64{1, 2, 256, 257, 600, 601} {
		indexes := []int64{0, size / 2, size - 1}
		proofs, err := k.Prove(t.Context(), size, indexes)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range indexes {
			var proof tlog.RecordProof
			for _, d := range proofs[i] {
				proof = append(proof, tlog.Hash(d))
			}
			if err := tlog.CheckRecord(proof, size, w.shelf.root(t, size), i, w.shelf.leaves[i]); err != nil {
				t.Errorf("entry %d in %d: %v", i, size, err)
			}
		}
	}
	for name, x := range map[string]struct {
		size    int64
		indexes []int64
	}{
		"beyond what is published": {c.Size + 1, []int64{0}},
		"no tree":                  {0, nil},
		"beyond the tree":          {10, []int64{10}},
		"below it":                 {10, []int64{-1}},
		"too many":                 {10, make([]int64, keeper.MaxProofs+1)},
	} {
		if _, err := k.Prove(t.Context(), x.size, x.indexes); gate.CodeOf(err) != gate.CodeLogRange || gate.KindOf(err) != gate.NotFound {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// A restart goes on from what is on record, and signs nothing anew.
func TestRestart(t *testing.T) {
	w := newWorld(t, 0)
	w.shelf.add(3, "entry")
	w.cover(w.start(), 3, 0)
	k := w.start()
	if c := w.cover(k, 4, 0); c.Size != 4 || w.notary.count() != 1 {
		t.Errorf("got %d entries, %d signed", c.Size, w.notary.count())
	}
	if _, err := k.Prove(t.Context(), 4, []int64{3}); err != nil {
		t.Error(err)
	}
}

// A crash between guard and database leaves the guard ahead of what is on record; the entries
// are there, so publication goes on.
func TestCrashAfterGuard(t *testing.T) {
	w := newWorld(t, 0)
	k := w.start()
	w.shelf.add(3, "entry")
	w.shelf.fail = errors.New("the database went away")
	if _, err := k.Covering(t.Context(), 4, 0); err == nil {
		t.Fatal("expected the database's error")
	}
	if m, ok, err := w.guard.Read(); err != nil || !ok || !strings.Contains(string(m.Note), "\n4\n") {
		t.Fatalf("guard: %+v, %v, %v", m, ok, err)
	}
	k = w.start()
	w.shelf.add(1, "entry")
	w.cover(k, 5, 0)
}

// What the notary returns is believed only where it verifies, and is never kept otherwise.
func TestNotaryThatLies(t *testing.T) {
	for name, twist := range map[string]func(ledger.Head) ledger.Head{
		"another size": func(h ledger.Head) ledger.Head { h.Size++; return h },
		"another root": func(h ledger.Head) ledger.Head { h.Root[0]++; return h },
	} {
		w := newWorld(t, 0)
		k := w.start()
		w.notary.twist = twist
		if c, err := k.Covering(t.Context(), 1, 0); err == nil {
			t.Errorf("%s: got %+v", name, c)
		}
		if _, ok, _ := w.guard.Read(); ok || len(w.shelf.checkpoints) != 0 {
			t.Errorf("%s: it was kept", name)
		}
	}
}

func TestGuardThatFails(t *testing.T) {
	w := newWorld(t, 0)
	w.guard.Path += "/no/folder"
	k := w.start()
	if c, err := k.Covering(t.Context(), 1, 0); err == nil || len(w.shelf.checkpoints) != 0 {
		t.Errorf("what cannot be remembered is not published: got %+v, %v", c, err)
	}
}

func TestWorkPublishes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 0)
		k := w.start()
		stop := w.work(k)
		defer stop()
		wait := func(d time.Duration) int64 {
			time.Sleep(d)
			synctest.Wait()
			c, _, _ := w.shelf.LatestCheckpoint(t.Context(), origin)
			return c.Size
		}
		if n := wait(0); n != 1 {
			t.Errorf("at once: expected 1 entry, got %d", n)
		}
		w.shelf.add(1, "entry")
		k.Wake()
		if n := wait(time.Second); n != 2 {
			t.Errorf("a second after it was stored: expected 2 entries, got %d", n)
		}
		w.shelf.add(1, "entry")
		if n := wait(59 * time.Minute); n != 2 {
			t.Errorf("without a wake: expected 2 entries still, got %d", n)
		}
		if n := wait(2 * time.Minute); n != 3 {
			t.Errorf("an hour later: expected 3 entries, got %d", n)
		}
		before := w.notary.count()
		for range 1000 {
			w.shelf.add(1, "entry")
			k.Wake()
			time.Sleep(10 * time.Millisecond)
		}
		wait(time.Second)
		if n := w.notary.count() - before; n > 12 {
			t.Errorf("1,000 entries in ten seconds: expected some ten checkpoints, got %d", n)
		}
	})
}

func TestNewRefusesNamesTwice(t *testing.T) {
	w := newWorld(t, 2)
	c := w.config()
	c.Witnesses = append(c.Witnesses, newWitness(t, "w1.example", 50))
	if _, err := keeper.New(c); err == nil {
		t.Error("two witnesses of one name: expected a refusal")
	}
	c.Witnesses = []keeper.Witness{newWitness(t, origin, 50)}
	if _, err := keeper.New(c); err == nil {
		t.Error("a witness of the log's name: expected a refusal")
	}
}

// Whatever replicas do, and however often they start again, the heads that were ever signed
// are heads of one tree that only grows.
func TestReplicasSignOneTree(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, 1)
		guards := []keeper.Guard{&memory{}, &memory{}}
		replicas := make([]*keeper.Keeper, 2)
		start := func(i int) {
			c := w.config()
			c.Guard = guards[i]
			var err error
			if replicas[i], err = keeper.New(c); err != nil {
				rt.Fatal(err)
			}
			if err := replicas[i].Start(t.Context()); err != nil {
				rt.Fatal(err)
			}
		}
		start(0)
		start(1)
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			i := rapid.IntRange(0, 1).Draw(rt, "replica")
			switch rapid.IntRange(0, 3).Draw(rt, "what") {
			case 0:
				w.shelf.add(rapid.IntRange(1, 5).Draw(rt, "entries"), "entry")
			case 1:
				start(i)
			case 2:
				w.shelf.fail = errors.New("the database went away")
				_, _ = replicas[i].Covering(t.Context(), w.shelf.size(), 0)
				w.shelf.fail = nil
			default:
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				size := rapid.Int64Range(0, w.shelf.size()).Draw(rt, "size")
				if _, err := replicas[i].Covering(ctx, size, 0); err != nil && !isCode(err, gate.CodeLedgerBehind) {
					rt.Errorf("replica %d: %v", i, err)
				}
				cancel()
			}
		}
		for _, h := range w.notary.signed {
			if root := w.shelf.root(t, h.Size); root != h.Root {
				rt.Errorf("signed %d entries with root %v, the tree has %v", h.Size, h.Root, root)
			}
		}
	})
}
