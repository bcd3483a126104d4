package keeper_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/keeper"
)

// published is a world in which 20 entries were published and a copy was made at ten.
func published(t *testing.T, witnesses int) (w *world, copied *shelf) {
	t.Helper()
	w = newWorld(t, witnesses)
	k := w.start()
	stop := w.work(k)
	defer stop()
	w.shelf.add(9, "entry")
	w.cover(k, 10, witnesses)
	copied = w.shelf.copy()
	w.shelf.add(10, "entry")
	w.cover(k, 20, witnesses)
	return w, copied
}

// refusesToSign holds a keeper to an unfit ledger: it says why, and no head is signed.
func refusesToSign(t *testing.T, w *world, k *keeper.Keeper, code gate.Code, why ...string) {
	t.Helper()
	before := w.notary.count()
	err := k.Fit(t.Context())
	if !isCode(err, code) {
		t.Fatalf("fit: expected %v, got %v", code, err)
	}
	for _, part := range why {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("fit: expected %q in it, got %v", part, err)
		}
	}
	if c, err := k.Covering(t.Context(), 1, 0); !isCode(err, code) {
		t.Errorf("covering: expected %v, got %+v, %v", code, c, err)
	}
	stop := w.work(k)
	time.Sleep(time.Minute)
	stop()
	if n := w.notary.count(); n != before {
		t.Errorf("signed %d heads meanwhile", n-before)
	}
}

func story(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

func TestRestoredDatabase(t *testing.T) {
	story(t, func(t *testing.T) {
		w, copied := published(t, 0)
		newest := w.shelf.copy()
		w.shelf.become(copied)
		refusesToSign(t, w, w.start(), gate.CodeLedgerBehind, "20 entries", "10 entries in the database", "guard")
		// The newest copy mends it, without another word.
		w.shelf.become(newest)
		k := w.start()
		if err := k.Fit(t.Context()); err != nil {
			t.Error(err)
		}
		w.shelf.add(1, "entry")
		w.cover(k, 21, 0)
	})
}

func TestRestoredBelowARunningServer(t *testing.T) {
	story(t, func(t *testing.T) {
		w, copied := published(t, 0)
		k := w.start()
		w.cover(k, 20, 0)
		w.shelf.become(copied)
		refusesToSign(t, w, k, gate.CodeLedgerBehind, "20 entries")
	})
}

// Pages and readers go on, so a restored ledger grows: by its size alone it would pass.
func TestRestoredDatabaseThatGrew(t *testing.T) {
	for _, more := range []int{10, 30} {
		story(t, func(t *testing.T) {
			w, copied := published(t, 0)
			w.shelf.become(copied)
			w.shelf.add(more, "another entry")
			refusesToSign(t, w, w.start(), gate.CodeLedgerBehind, "20 entries with root", "of which the first 20 have root")
		})
	}
}

// The guard's file was lost with the disk; a witness remembers.
func TestRestoredOnAnotherMachine(t *testing.T) {
	for name, more := range map[string]int{"smaller": 0, "grown beyond": 30} {
		t.Run(name, func(t *testing.T) {
			story(t, func(t *testing.T) {
				w, copied := published(t, 1)
				w.shelf.become(copied)
				w.shelf.add(more, "another entry")
				if err := os.Remove(w.guard.Path); err != nil {
					t.Fatal(err)
				}
				refusesToSign(t, w, w.start(), gate.CodeLedgerBehind, "20 published entries, as witness w1.example says", "10 on record")
			})
		})
	}
}

// The guard's file was in the same backup as the database; a witness remembers.
func TestRestoredWithTheGuard(t *testing.T) {
	story(t, func(t *testing.T) {
		w := newWorld(t, 1)
		k := w.start()
		stop := w.work(k)
		w.shelf.add(9, "entry")
		w.cover(k, 10, 1)
		copied := w.shelf.copy()
		mark, _, err := w.guard.Read()
		if err != nil {
			t.Fatal(err)
		}
		w.shelf.add(10, "entry")
		w.cover(k, 20, 1)
		stop()
		w.shelf.become(copied)
		if err := w.guard.Keep(mark); err != nil {
			t.Fatal(err)
		}
		refusesToSign(t, w, w.start(), gate.CodeLedgerBehind, "20 published entries, as witness w1.example says")
	})
}

// Neither guard nor witness can be asked: nothing is signed until one can.
func TestNobodyRemembers(t *testing.T) {
	story(t, func(t *testing.T) {
		w, _ := published(t, 1)
		if err := os.Remove(w.guard.Path); err != nil {
			t.Fatal(err)
		}
		w.witnesses[0].set(func() { w.witnesses[0].err = errors.New("connection refused") })
		k := w.start()
		refusesToSign(t, w, k, gate.CodeLedgerBehind, "no witness has confirmed")
		if _, ok, _ := w.guard.Read(); ok {
			t.Error("the guard was made of what nobody confirmed")
		}
		w.witnesses[0].set(func() { w.witnesses[0].err = nil })
		stop := w.work(k)
		defer stop()
		time.Sleep(5 * time.Second)
		if err := k.Fit(t.Context()); err != nil {
			t.Errorf("after the witness's word: %v", err)
		}
		if _, ok, err := w.guard.Read(); !ok || err != nil {
			t.Errorf("guard: %v, %v", ok, err)
		}
		w.shelf.add(1, "entry")
		w.cover(k, 21, 1)
	})
}

// Without witnesses the database is all there is: it is taken, and the log says so.
func TestLostGuardWithoutWitnesses(t *testing.T) {
	story(t, func(t *testing.T) {
		w, _ := published(t, 0)
		if err := os.Remove(w.guard.Path); err != nil {
			t.Fatal(err)
		}
		k := w.start()
		if err := k.Fit(t.Context()); err != nil {
			t.Error(err)
		}
		if !strings.Contains(w.log.String(), "nothing here remembers what was published") {
			t.Errorf("log: %s", w.log)
		}
		w.shelf.add(1, "entry")
		w.cover(k, 21, 0)
	})
}

func TestGuardThatDoesNotRead(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, w *world){
		"cut off": func(t *testing.T, w *world) {
			if err := os.Truncate(w.guard.Path, 20); err != nil {
				t.Fatal(err)
			}
		},
		"of another log": func(t *testing.T, w *world) {
			other := newNotary(t, origin, 9)
			k, err := other.Checkpoint(t.Context(), w.notary.signed[0])
			if err != nil {
				t.Fatal(err)
			}
			if err := w.guard.Keep(keeper.Mark{Epoch: 1, Note: k}); err != nil {
				t.Fatal(err)
			}
		},
		"of a later epoch": func(t *testing.T, w *world) {
			m, _, _ := w.guard.Read()
			m.Epoch++
			if err := w.guard.Keep(m); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(t *testing.T) {
				w, _ := published(t, 0)
				spoil(t, w)
				refusesToSign(t, w, w.start(), gate.CodeLedgerBehind, "guard")
			})
		})
	}
}

// An empty database beside a guard that remembers is no new installation.
func TestEmptyDatabaseBesideAGuard(t *testing.T) {
	story(t, func(t *testing.T) {
		w, _ := published(t, 0)
		w.shelf.become(&shelf{})
		k := w.start()
		refusesToSign(t, w, k, gate.CodeLedgerBehind, "no ledger was begun")
		if len(w.shelf.epochs) != 0 {
			t.Error("an epoch was begun")
		}
	})
}

func TestAnotherOriginOrKey(t *testing.T) {
	for name, other := range map[string]struct {
		origin string
		seed   byte
	}{
		"another origin": {"other.example", 1},
		"another key":    {origin, 2},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(t *testing.T) {
				w, _ := published(t, 0)
				w.notary = newNotary(t, other.origin, other.seed)
				refusesToSign(t, w, w.start(), gate.CodeEpoch, "origin log.example and log key SHA256:", "as epoch 1 has")
			})
		})
	}
}

// What is on record as published has to verify, and to be of this tree.
func TestRecordThatWasChanged(t *testing.T) {
	for name, change := range map[string]func(c *gate.Checkpoint){
		"another size": func(c *gate.Checkpoint) { c.Size-- },
		"another root": func(c *gate.Checkpoint) { c.Root[0]++ },
		"another note": func(c *gate.Checkpoint) { c.Note = append(c.Note[:len(c.Note)-8:len(c.Note)-8], "AAAAAAA\n"...) },
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(t *testing.T) {
				w, _ := published(t, 0)
				change(&w.shelf.checkpoints[len(w.shelf.checkpoints)-1])
				refusesToSign(t, w, w.start(), gate.CodeLedgerBehind)
			})
		})
	}
}
