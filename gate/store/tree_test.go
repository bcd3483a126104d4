package store_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/store"
	"github.com/countersign/countersign/gate/store/storetest"
)

// grown has so many leaves: each statement is one.
func (w *world) grown(leaves int64) {
	w.Helper()
	rec := w.opened("tall")
	for have := int64(1); have < leaves; {
		n := min(97, leaves-have) // so that tiles end within a transaction
		var all []gate.Approval
		for i := range n {
			all = append(all, approval(rec, 1000+have+i, gate.VerbStatus))
		}
		w.must(w.s.Hear(w.ctx, gate.Heard{Approvals: all}))
		have += n
	}
	if size, err := w.s.LedgerSize(w.ctx); err != nil || size != leaves {
		w.Fatalf("expected %d leaves, got %d, %v", leaves, size, err)
	}
}

// tree is all leaves' hashes, to hold the store's against.
func (w *world) tree() (leaves [][]byte, hashes tlog.HashReader) {
	w.Helper()
	all, err := w.s.Leaves(w.ctx, 0, 1<<20)
	w.must(err)
	var stored []tlog.Hash
	hashes = tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			out[i] = stored[index]
		}
		return out, nil
	})
	for n, l := range all {
		more, err := tlog.StoredHashes(int64(n), l.Bytes, hashes)
		w.must(err)
		stored, leaves = append(stored, more...), append(leaves, l.Bytes)
	}
	return leaves, hashes
}

func TestTilesAndProofs(t *testing.T) {
	onBoth(t, func(w *world) {
		const size = 3*ledger.TileWidth + 40
		w.grown(size)
		leaves, hashes := w.tree()
		for _, of := range []ledger.Tile{
			{Level: 0, Index: 0, Width: 256}, {Level: 0, Index: 2, Width: 256}, {Level: 0, Index: 1, Width: 17},
			{Level: 0, Index: 3, Width: 40}, {Level: 0, Index: 3, Width: 1}, {Level: 1, Index: 0, Width: 3}, {Level: 1, Index: 0, Width: 1},
		} {
			want, err := tlog.ReadTileData(tlog.Tile{H: ledger.TileHeight, L: of.Level, N: of.Index, W: of.Width}, hashes)
			w.must(err)
			got, err := w.s.Tile(w.ctx, of)
			w.must(err)
			if !bytes.Equal(got, want) {
				w.Errorf("%s: expected other hashes", of.Path())
			}
		}
		for _, of := range []ledger.Tile{{Level: ledger.EntriesLevel, Index: 1, Width: 256}, {Level: ledger.EntriesLevel, Index: 3, Width: 40}} {
			got, err := w.s.Tile(w.ctx, of)
			w.must(err)
			entries, err := ledger.ParseEntries(got, of.Width)
			w.must(err)
			if !slices.EqualFunc(entries, leaves[of.Index*256:int(of.Index)*256+of.Width], bytes.Equal) {
				w.Errorf("%s: expected the leaves themselves", of.Path())
			}
		}
		deny := []ledger.Tile{
			{Level: 0, Index: 3, Width: 41}, {Level: 0, Index: 4, Width: 1}, {Level: 1, Index: 0, Width: 4}, {Level: 2, Index: 0, Width: 1},
			{Level: ledger.EntriesLevel, Index: 3, Width: 256}, {Level: 0, Index: -1, Width: 1}, {Level: 0, Index: 0}, {Level: -2, Index: 0, Width: 1},
			{Level: 0, Index: 1 << 60, Width: 1}, {Level: 0, Index: 0, Width: 257}, {Level: 9, Index: 0, Width: 1},
		}
		for _, of := range deny {
			if _, err := w.s.Tile(w.ctx, of); gate.CodeOf(err) != gate.CodeLogRange || gate.KindOf(err) != gate.NotFound {
				w.Errorf("%+v: expected %s, got %v", of, gate.CodeLogRange, err)
			}
		}
		for _, at := range []int64{1, 255, 256, 257, 700, size} {
			w.proves(at, leaves, hashes)
		}
	})
}

// proves checks proofs in the tree of size leaves.
func (w *world) proves(size int64, leaves [][]byte, hashes tlog.HashReader) {
	w.Helper()
	r := w.s.Hashes(w.ctx, size)
	root, err := r.Root(size)
	w.must(err)
	if want, err := tlog.TreeHash(size, hashes); err != nil || root != want {
		w.Fatalf("root of %d: expected %s, got %s, %v", size, want, root, err)
	}
	for _, index := range []int64{0, size / 2, size - 1} {
		proof, err := r.Inclusion(size, index)
		w.must(err)
		if err := tlog.CheckRecord(proof, size, root, index, tlog.RecordHash(leaves[index])); err != nil {
			w.Errorf("leaf %d of %d: %v", index, size, err)
		}
		if index == 0 {
			continue
		}
		old, err := tlog.TreeHash(index, hashes)
		w.must(err)
		tree, err := r.Consistency(size, index)
		w.must(err)
		if err := tlog.CheckTree(tree, size, root, index, old); err != nil {
			w.Errorf("%d leaves as the beginning of %d: %v", index, size, err)
		}
	}
}

// TestOlderLedgerGetsItsTree opens what an older version left: leaves, and no tree.
func TestOlderLedgerGetsItsTree(t *testing.T) {
	onBoth(t, func(w *world) {
		const size = 66*ledger.TileWidth + 9 // more than what one transaction completes
		w.opened("a")
		older := &world{T: w.T, ctx: w.ctx, config: newConfig(w.T, w.config.Engine)}
		w.copyTo(older, 4)
		older.moreLeaves(1, size)
		older.s = older.open()
		if n := older.count("SELECT COUNT(*) FROM tiles"); n != 66 {
			w.Errorf("expected 66 tiles, got %d", n)
		}
		older.opened("b")
		older.must(older.open().Ready(older.ctx)) // there is nothing left to do
		older.must(storetest.CheckInvariants(older.ctx, older.config, nil))
		leaves, hashes := older.tree()
		older.proves(size, leaves, hashes)
	})
}

// moreLeaves writes leaves that nothing is told about, as administrators' are.
func (w *world) moreLeaves(from, to int64) {
	w.Helper()
	db := w.raw()
	tx, err := db.BeginTx(w.ctx, nil)
	w.must(err)
	for idx := from; idx < to; idx++ {
		salt, doc := bytes.Repeat([]byte{byte(idx)}, ledger.SaltSize), fmt.Appendf(nil, `{"n":%d}`, idx)
		leaf, err := ledger.New(ledger.ServerMode, "server", salt, doc).Bytes()
		w.must(err)
		_, err = tx.ExecContext(w.ctx, `INSERT INTO leaves (idx, kind, leaf_id, leaf, made_at) VALUES ($1, 'server-mode', 'server', $2, 1)`, idx, leaf)
		w.must(err)
		_, err = tx.ExecContext(w.ctx, `INSERT INTO documents (idx, salt, document) VALUES ($1, $2, $3)`, idx, salt, doc)
		w.must(err)
	}
	_, err = tx.ExecContext(w.ctx, `UPDATE ledger_head SET size = $1`, to)
	w.must(err)
	w.must(tx.Commit())
}

func (w *world) count(query string) (n int64) {
	w.Helper()
	w.must(w.raw().QueryRowContext(w.ctx, query).Scan(&n))
	return n
}

// A rolling upgrade: what an older replica adds has no tiles, and proofs hold all the same.
func TestTilesThatAreMissingAreComputed(t *testing.T) {
	onBoth(t, func(w *world) {
		w.opened("a")
		w.moreLeaves(1, 600)
		leaves, hashes := w.tree()
		w.proves(600, leaves, hashes)
		got, err := w.s.Tile(w.ctx, ledger.Tile{Level: 1, Index: 0, Width: 2})
		w.must(err)
		want, err := tlog.ReadTileData(tlog.Tile{H: ledger.TileHeight, L: 1, W: 2}, hashes)
		w.must(err)
		if !bytes.Equal(got, want) {
			w.Error("expected hashes of the tiles below")
		}
		w.must(w.open().Ready(w.ctx)) // and completed by whoever opens it next
	})
}

// I10: the database itself refuses to change what is evidence.
func TestEvidenceIsAppendOnly(t *testing.T) {
	onBoth(t, func(w *world) {
		w.grown(300)
		w.published()
		rec, _ := w.kept("a", minute)
		_, err := w.s.CompleteSealing(w.ctx, rec, w.sealOf(rec), nil)
		w.must(err)
		denied := w.judged(w.opened("b"), gate.StateDenied)
		w.must(w.s.KeepVerdict(w.ctx, gate.SignedVerdict{
			Request: denied.Request.ID, Key: gate.KeyVersion{SPKI: []byte{1}}, Signature: []byte{1},
		}))
		db := w.raw()
		for table, column := range map[string]string{
			"tiles": "idx", "checkpoints": "size", "epochs": "number", "certificates": "name", "trusted_roots": "version",
			"seals": "document", "verdicts": "document",
		} {
			if w.count("SELECT COUNT(*) FROM "+table) == 0 {
				w.Fatalf("expected something in %s", table)
			}
			deny := []string{
				"UPDATE " + table + " SET " + column + " = " + column, "DELETE FROM " + table, "INSERT INTO " + table + " SELECT * FROM " + table,
			}
			if w.config.Engine == store.Postgres {
				deny = append(deny, "TRUNCATE "+table+" CASCADE")
			} else {
				deny = append(deny, "INSERT OR REPLACE INTO "+table+" SELECT * FROM "+table)
			}
			for _, q := range deny {
				w.deny(db, q)
			}
		}
	})
}

func (w *world) deny(db *sql.DB, q string) {
	w.Helper()
	if _, err := db.ExecContext(w.ctx, q); err == nil {
		w.Errorf("%s: expected a refusal, got none", q)
	} else if !strings.HasPrefix(q, "INSERT") && !strings.Contains(err.Error(), "append-only") {
		w.Errorf("%s: expected that the error says why, got %v", q, err)
	}
}
