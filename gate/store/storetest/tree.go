package storetest

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
)

// tree is the Merkle tree as the leaves make it, computed apart from the store.
type tree struct {
	stored tlog.HashReader
	hashes []tlog.Hash
	leaves []tlog.Hash
}

func (t *tree) add(leaf []byte) error {
	n := int64(len(t.leaves))
	more, err := tlog.StoredHashes(n, leaf, t.stored)
	t.hashes, t.leaves = append(t.hashes, more...), append(t.leaves, tlog.RecordHash(leaf))
	return err
}

func readTree(ctx context.Context, tx *sql.Tx) (t *tree, err error) {
	t = &tree{}
	t.stored = tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			out[i] = t.hashes[index]
		}
		return out, nil
	})
	rows, err := tx.QueryContext(ctx, `SELECT leaf FROM leaves ORDER BY idx`)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var leaf []byte
		if err := errors.Join(rows.Scan(&leaf), t.add(leaf)); err != nil {
			return nil, err
		}
	}
	return t, rows.Err()
}

// checkTree holds tiles, keys and published checkpoints against the leaves.
func checkTree(ctx context.Context, tx *sql.Tx) error {
	t, err := readTree(ctx, tx)
	if err != nil {
		return fmt.Errorf("compute the ledger's tree: %w", err)
	}
	return errors.Join(t.checkTiles(ctx, tx), t.checkKeys(ctx, tx), t.checkCheckpoints(ctx, tx))
}

func (t *tree) checkTiles(ctx context.Context, tx *sql.Tx) (err error) {
	rows, err := tx.QueryContext(ctx, `SELECT level, idx, root, hashes FROM tiles ORDER BY level, idx`)
	if err != nil {
		return fmt.Errorf("read the tiles: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	have := 0
	for ; rows.Next(); have++ {
		var tile ledger.Tile
		var root, hashes []byte
		if err := rows.Scan(&tile.Level, &tile.Index, &root, &hashes); err != nil {
			return fmt.Errorf("read a tile: %w", err)
		}
		tile.Width = ledger.TileWidth
		if !tile.In(int64(len(t.leaves))) {
			return fmt.Errorf("%s: expected none in a tree of %d leaves, got one", tile.Path(), len(t.leaves))
		}
		want, err := tlog.ReadTileData(tlog.Tile{H: ledger.TileHeight, L: tile.Level, N: tile.Index, W: tile.Width}, t.stored)
		if err != nil {
			return fmt.Errorf("compute %s: %w", tile.Path(), err)
		}
		above, err := t.stored.ReadHashes([]int64{tlog.StoredHashIndex(ledger.TileHeight*(tile.Level+1), tile.Index)})
		if err != nil {
			return fmt.Errorf("compute the root of %s: %w", tile.Path(), err)
		}
		if !bytes.Equal(hashes, want) || !bytes.Equal(root, above[0][:]) {
			return fmt.Errorf("%s: expected the hashes and the root of its leaves, got others", tile.Path())
		}
	}
	full := 0
	for n := len(t.leaves) >> ledger.TileHeight; n > 0; n >>= ledger.TileHeight {
		full += n
	}
	if have != full {
		return fmt.Errorf("tiles: expected %d full ones of %d leaves, got %d", full, len(t.leaves), have)
	}
	return rows.Err()
}

// checkKeys expects that every leaf is found by its hash.
func (t *tree) checkKeys(ctx context.Context, tx *sql.Tx) (err error) {
	rows, err := tx.QueryContext(ctx, `SELECT word, idx FROM leaf_keys`)
	if err != nil {
		return fmt.Errorf("read the keys of leaves: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	found := map[int64]bool{}
	for rows.Next() {
		var word, idx int64
		if err := rows.Scan(&word, &idx); err != nil {
			return fmt.Errorf("read a key: %w", err)
		}
		if idx < int64(len(t.leaves)) && uint64(word) == binary.BigEndian.Uint64(t.leaves[idx][:]) { //nolint:gosec // all 64 bits count
			found[idx] = true
		}
	}
	if len(found) != len(t.leaves) {
		return fmt.Errorf("expected that each of %d leaves is found by its hash, got %d", len(t.leaves), len(found))
	}
	return rows.Err()
}

func (t *tree) checkCheckpoints(ctx context.Context, tx *sql.Tx) error {
	docs, err := texts(ctx, tx, `SELECT document FROM checkpoints ORDER BY seq`)
	if err != nil {
		return fmt.Errorf("read the checkpoints: %w", err)
	}
	last := map[string]int64{}
	for _, doc := range docs {
		var c gate.Checkpoint
		if err := json.Unmarshal([]byte(doc), &c); err != nil {
			return fmt.Errorf("read a checkpoint: %w", err)
		}
		if c.Size > int64(len(t.leaves)) || c.Size < last[c.Origin] {
			return fmt.Errorf("checkpoint of %d leaves: expected between %d and %d", c.Size, last[c.Origin], len(t.leaves))
		}
		last[c.Origin] = c.Size
		root, err := tlog.TreeHash(c.Size, t.stored)
		if err != nil {
			return fmt.Errorf("compute the root of %d leaves: %w", c.Size, err)
		}
		if root != tlog.Hash(c.Root) {
			return fmt.Errorf("checkpoint of %d leaves: expected root %s, got %s", c.Size, gate.Digest(root), c.Root)
		}
	}
	return nil
}
