package store

import (
	"context"
	"fmt"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
)

// tileMost bounds a tile's index: there are no more entries than 63 bits count.
const tileMost = 1 << 54

// Tile is the bytes of one tile of the ledger as it is now: hashes, or entries at
// ledger.EntriesLevel. A tile may be asked for narrower than it is by now. Whoever serves
// tiles holds them to what is published first. CodeLogRange, kind NotFound, for what the
// ledger does not have.
func (s *Store) Tile(ctx context.Context, t ledger.Tile) ([]byte, error) {
	size, err := s.LedgerSize(ctx)
	if err != nil {
		return nil, err
	}
	switch {
	case t.Level < ledger.EntriesLevel || t.Level > 7 || t.Width < 1 || t.Width > ledger.TileWidth, t.Index < 0, t.Index > tileMost, !t.In(size):
		return nil, beyond(t.Path(), size)
	case t.Level == ledger.EntriesLevel:
		return s.entryTile(ctx, t)
	}
	return s.hashTile(ctx, t)
}

func (s *Store) hashTile(ctx context.Context, t ledger.Tile) ([]byte, error) {
	hashes, err := readTile(ctx, s.read(), t.Level, t.Index, t.Width)
	return hashes, fault("read "+t.Path(), err)
}

func (s *Store) entryTile(ctx context.Context, t ledger.Tile) ([]byte, error) {
	leaves, err := readLeaves(ctx, s.read(), t.Index<<ledger.TileHeight, t.Width)
	if err != nil {
		return nil, fault("read "+t.Path(), err)
	}
	var out []byte
	for _, leaf := range leaves {
		if out, err = ledger.AppendEntry(out, leaf); err != nil {
			return nil, internal("make %s: %w", t.Path(), err)
		}
	}
	return out, nil
}

// Hashes reads the tree of the first size leaves, for a few proofs while ctx lasts. The
// size is not to be more than LedgerSize.
func (s *Store) Hashes(ctx context.Context, size int64) *ledger.Reader {
	return &ledger.Reader{Size: size, Source: tileSource(func(t ledger.Tile) ([]byte, error) { return s.hashTile(ctx, t) })}
}

// tileSource is a function that gives tiles.
type tileSource func(t ledger.Tile) ([]byte, error)

// Tile implements ledger.Source.
func (f tileSource) Tile(t ledger.Tile) ([]byte, error) { return f(t) }

// beyond refuses what the ledger does not have.
func beyond(what string, size int64) error {
	return &gate.Error{
		Kind: gate.NotFound, Code: gate.CodeLogRange, Text: "the ledger has no such entries",
		Expected: fmt.Sprintf("something within %d entries", size), Got: what,
		Fix: "stay within the size of the checkpoint at /log/checkpoint",
	}
}
