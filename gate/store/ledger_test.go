package store_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/store"
	"github.com/countersign/countersign/gate/store/storetest"
)

// leaves expects these kinds on the ledger, in this order.
func (w *world) leaves(want ...ledger.Kind) []store.Leaf {
	w.Helper()
	all, err := w.s.Leaves(w.ctx, 0, 1000)
	w.must(err)
	var got []ledger.Kind
	for i, l := range all {
		e, err := ledger.ParseEntry(l.Bytes)
		w.must(err)
		if l.Index != int64(i) || !json.Valid(l.Document) || l.At.IsZero() {
			w.Errorf("leaf %d does not hold: %+v", i, l)
		}
		if e.Leaf != nil && (e.Leaf.Commitment != ledger.Commit(l.Salt, l.Document) || e.Leaf.Kind != l.Kind || e.Leaf.ID != l.ID) {
			w.Errorf("leaf %d does not commit to its document: %+v", i, l)
		}
		got = append(got, l.Kind)
	}
	if !slices.Equal(got, want) {
		w.Fatalf("expected leaves %v, got %v", want, got)
	}
	return all
}

func TestLeavesArePaged(t *testing.T) {
	onBoth(t, func(w *world) {
		w.judged(w.opened("a"), gate.StateWaiting)
		page, err := w.s.Leaves(w.ctx, 1, 1)
		w.must(err)
		if len(page) != 1 || page[0].Index != 1 {
			w.Errorf("expected leaf 1 alone, got %+v", page)
		}
		if page, err = w.s.Leaves(w.ctx, 2, 1); err != nil || len(page) != 0 {
			w.Errorf("expected nothing beyond the head, got %+v, %v", page, err)
		}
	})
}

func TestSaltsDiffer(t *testing.T) {
	onBoth(t, func(w *world) {
		w.judged(w.opened("a"), gate.StateWaiting)
		all := w.leaves(ledger.RequestOpened, ledger.Decision)
		if len(all[0].Salt) != ledger.SaltSize || slices.Equal(all[0].Salt, all[1].Salt) {
			w.Errorf("expected salts of %d random bytes, got %x and %x", ledger.SaltSize, all[0].Salt, all[1].Salt)
		}
	})
}

// I10: the database itself refuses to change the ledger.
func TestLedgerIsAppendOnly(t *testing.T) {
	onBoth(t, func(w *world) {
		w.judged(w.opened("a"), gate.StateWaiting)
		deny := map[string]string{
			"update of a leaf":      `UPDATE leaves SET kind = 'other'`,
			"no-op update":          `UPDATE leaves SET kind = kind`,
			"delete of a leaf":      `DELETE FROM leaves WHERE idx = 1`,
			"insert at an index":    `INSERT INTO leaves SELECT * FROM leaves WHERE idx = 1`,
			"change of a document":  `UPDATE documents SET salt = document`,
			"a document of nothing": `INSERT INTO documents SELECT idx + 5, salt, document FROM documents`,
			"a second head":         `INSERT INTO ledger_head (id, size) VALUES (2, 0)`,
		}
		if w.config.Engine == store.Postgres {
			deny["truncate"] = `TRUNCATE leaves CASCADE`
		} else {
			deny["replace"] = `INSERT OR REPLACE INTO leaves SELECT * FROM leaves WHERE idx = 1`
		}
		db := w.raw()
		for name, q := range deny {
			if _, err := db.ExecContext(w.ctx, q); err == nil {
				w.Errorf("%s: expected a refusal, got none", name)
			} else if strings.Contains(q, "UPDATE") && !strings.Contains(err.Error(), "append-only") {
				w.Errorf("%s: expected that the error says why, got %v", name, err)
			}
		}
		w.leaves(ledger.RequestOpened, ledger.Decision)
	})
}

func TestCheckerSeesWhatIsWrong(t *testing.T) {
	onBoth(t, func(w *world) {
		rec, is := w.signing("a", minute)
		uses := []storetest.Use{{Intent: is[0].ID, Digest: is[0].Digest}}
		w.must(storetest.CheckInvariants(w.ctx, w.config, uses))
		for want, u := range map[string]storetest.Use{
			"without a durable intent": {Intent: newID(), Digest: is[0].Digest},
			"which is for":             {Intent: is[1].ID, Digest: is[0].Digest},
			"signed twice":             uses[0],
		} {
			err := storetest.CheckInvariants(w.ctx, w.config, append(slices.Clone(uses), u))
			if err == nil || !strings.Contains(err.Error(), want) {
				w.Errorf("expected that the HSM signed … %s, got %v", want, err)
			}
		}
		db := w.raw()
		for _, row := range []struct{ want, breaks, mends string }{
			{
				"a signed release has signatures",
				`UPDATE requests SET state = 'signed'`, `UPDATE requests SET state = 'signing'`,
			},
			{
				"an intent that is done has its signature",
				`UPDATE intents SET state = 'done'`, `UPDATE intents SET state = 'open'`,
			},
			{
				"every orphan has one leaf",
				`UPDATE intents SET state = 'orphaned'`, `UPDATE intents SET state = 'open'`,
			},
			{
				"the ledger is dense",
				`UPDATE ledger_head SET size = size + 1`, `UPDATE ledger_head SET size = size - 1`,
			},
		} {
			_, err := db.ExecContext(w.ctx, row.breaks)
			w.must(err)
			if err := storetest.CheckInvariants(w.ctx, w.config, nil); err == nil || !strings.Contains(err.Error(), row.want) {
				w.Errorf("expected that %q breaks, got %v", row.want, err)
			}
			_, err = db.ExecContext(w.ctx, row.mends)
			w.must(err)
		}
		_, err := w.complete(rec, signatures(is), nil)
		w.must(err)
	})
}
