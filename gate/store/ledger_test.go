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
			{
				"waits for its seal is in the ledger",
				`UPDATE requests SET released_at = 1`, `UPDATE requests SET released_at = 0`,
			},
			{
				"was denied and has no verdict",
				`UPDATE requests SET unsaid = 1`, `UPDATE requests SET unsaid = 0`,
			},
			{
				"each of 3 leaves is found by its hash",
				`UPDATE leaf_keys SET word = word + 1`, `UPDATE leaf_keys SET word = word - 1`,
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

// What the database refuses to change cannot be mended either: each row is broken in a
// database of its own.
func TestCheckerSeesWrongEvidence(t *testing.T) {
	for want, breaks := range map[string]string{
		"the hashes and the root of its leaves": `DROP TRIGGER tiles_no_update; UPDATE tiles SET root = (SELECT root FROM tiles WHERE idx = 1) WHERE idx = 0`,
		"a checkpoint that covers entry": `INSERT INTO seals SELECT request_id, '{"request":"' || request_id || '","checkpoint":{"size":1}}', 1
			FROM signatures GROUP BY request_id`,
		"checkpoint of 9000 leaves":       `INSERT INTO checkpoints (origin, size, witnesses, document, kept_at) VALUES ('o', 9000, 0, '{"size":9000}', 1)`,
		"checkpoint of 2 leaves":          `INSERT INTO checkpoints (origin, size, witnesses, document, kept_at) VALUES ('o', 2, 0, '{"size":2}', 1)`,
		"every epoch has its leaf":        `INSERT INTO epochs (number, origin, document, begun_at) VALUES (1, 'o', '{}', 1)`,
		"every trusted root has its leaf": `INSERT INTO trusted_roots VALUES (1, X'7B7D', 1)`,
		"every certificate has its leaf":  `INSERT INTO certificates (name, der, not_before, not_after, kept_at) SELECT 'n', hashes, 1, 1, 1 FROM tiles`,
		"the signature of intent":         `UPDATE signatures SET signature = X'00'`,
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, store.SQLite)
			w.grown(2*ledger.TileWidth + 1)
			w.kept("a", minute)
			w.must(storetest.CheckInvariants(w.ctx, w.config, nil))
			_, err := w.raw().ExecContext(w.ctx, breaks)
			w.must(err)
			if err := storetest.CheckInvariants(w.ctx, w.config, nil); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("expected that this breaks, got %v", err)
			}
		})
	}
}
