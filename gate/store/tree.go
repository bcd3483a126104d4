package store

import (
	"context"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/store/internal/db"
)

// olderTiles is how many tiles of entries one transaction completes of an older database.
const olderTiles = 64

// completeTiles stores the full tiles that a tree of size leaves has and the database does
// not: at most so many of level 0, and above it what those fill. Tiles of a level are
// stored in order, so that the last one tells how many there are. The head is locked.
func completeTiles(ctx context.Context, q *db.Queries, size, most int64) error {
	full := size >> ledger.TileHeight
	for level := 0; full > 0; level++ {
		next, err := q.NextTile(ctx, int32(level))
		if err != nil {
			return fmt.Errorf("look for the last tile of level %d: %w", level, err)
		}
		if level == 0 {
			full = next + min(most, full-next)
		}
		for ; next < full; next++ {
			if err := completeTile(ctx, q, level, next); err != nil {
				return err
			}
		}
		full >>= ledger.TileHeight
	}
	return nil
}

func completeTile(ctx context.Context, q *db.Queries, level int, idx int64) error {
	hashes, err := computeTile(ctx, q, level, idx, ledger.TileWidth)
	if err != nil {
		return fmt.Errorf("complete tile %d of level %d: %w", idx, level, err)
	}
	root := tileRoot(hashes)
	if err := q.InsertTile(ctx, db.InsertTileParams{Level: int32(level), Idx: idx, Root: root[:], Hashes: hashes}); err != nil {
		return fmt.Errorf("store tile %d of level %d: %w", idx, level, err)
	}
	return nil
}

// readTile is the first width hashes of a tile: of the stored one, or from what is below.
func readTile(ctx context.Context, q *db.Queries, level int, idx int64, width int) ([]byte, error) {
	hashes, err := q.TileHashes(ctx, db.TileHashesParams{Level: int32(level), Idx: idx})
	ok, err := found(err)
	switch {
	case err != nil:
		return nil, fmt.Errorf("read tile %d of level %d: %w", idx, level, err)
	case ok:
		return hashes[:width*tlog.HashSize], nil
	}
	return computeTile(ctx, q, level, idx, width)
}

// computeTile makes hashes of level 0 from leaves, and those above from the tiles below.
func computeTile(ctx context.Context, q *db.Queries, level int, idx int64, width int) ([]byte, error) {
	first := idx << ledger.TileHeight
	out := make([]byte, 0, width*tlog.HashSize)
	if level == 0 {
		leaves, err := readLeaves(ctx, q, first, width)
		if err != nil {
			return nil, err
		}
		for _, leaf := range leaves {
			hash := tlog.RecordHash(leaf)
			out = append(out, hash[:]...)
		}
		return out, nil
	}
	roots, err := q.TileRoots(ctx, db.TileRootsParams{Level: int32(level - 1), First: first, Past: first + int64(width)})
	if err != nil {
		return nil, fmt.Errorf("read %d tiles of level %d: %w", width, level-1, err)
	}
	for _, root := range roots {
		out = append(out, root...)
	}
	for n := len(roots); n < width; n++ { // which an older database has not completed yet
		below, err := readTile(ctx, q, level-1, first+int64(n), ledger.TileWidth)
		if err != nil {
			return nil, err
		}
		root := tileRoot(below)
		out = append(out, root[:]...)
	}
	return out, nil
}

// readLeaves reads exactly width leaves; CodeLogRange where some are missing.
func readLeaves(ctx context.Context, q *db.Queries, first int64, width int) ([][]byte, error) {
	leaves, err := q.LeafBytes(ctx, db.LeafBytesParams{First: first, Past: first + int64(width)})
	if err != nil {
		return nil, fmt.Errorf("read %d leaves from %d: %w", width, first, err)
	}
	if len(leaves) < width {
		return nil, beyond(fmt.Sprintf("leaves %d to %d", first, first+int64(width)-1), first+int64(len(leaves)))
	}
	return leaves, nil
}

// tileRoot is the root of a full tile's hashes (RFC 6962, 2.1).
func tileRoot(hashes []byte) tlog.Hash {
	level := make([]tlog.Hash, len(hashes)/tlog.HashSize)
	for i := range level {
		level[i] = tlog.Hash(hashes[i*tlog.HashSize:])
	}
	for len(level) > 1 {
		for i := range len(level) / 2 {
			level[i] = tlog.NodeHash(level[2*i], level[2*i+1])
		}
		level = level[:len(level)/2]
	}
	return level[0]
}

// completeOlder gives the leaves of an older database their tiles and keys.
func (s *Store) completeOlder(ctx context.Context) error {
	for {
		done, err := s.treeComplete(ctx)
		if err == nil && !done {
			err = s.alone(ctx, "complete the ledger's tree", completeSome)
		}
		if err != nil || done {
			return holed(err)
		}
	}
}

// holed says what it means that the ledger's own head names leaves which are not there: the
// database was written into by somebody else.
func holed(err error) error {
	if gate.CodeOf(err) != gate.CodeLogRange {
		return err
	}
	return &gate.Error{
		Kind: gate.Internal, Code: gate.CodeLedgerBehind, Text: "the ledger does not hold: leaves are missing that its head counts",
		Fix: "stop the server, keep the database as it is, and find out who wrote into it", Err: err,
	}
}

func completeSome(ctx context.Context, u *unit) error {
	size, err := u.q.LedgerSizeForUpdate(ctx)
	if err != nil {
		return fmt.Errorf("lock the ledger's head: %w", err)
	}
	next, err := u.q.NextTile(ctx, 0)
	if err != nil {
		return fmt.Errorf("look for the last tile: %w", err)
	}
	first := next << ledger.TileHeight
	leaves, err := readLeaves(ctx, u.q, first, int(min(olderTiles<<ledger.TileHeight, size-first)))
	if err != nil {
		return err
	}
	for i, leaf := range leaves {
		if err := insertKeys(ctx, u.q, first+int64(i), leaf, signedDigest(leaf)); err != nil {
			return err
		}
	}
	return completeTiles(ctx, u.q, size, olderTiles)
}

// treeComplete reports whether all full tiles are there, and the last leaf's key.
func (s *Store) treeComplete(ctx context.Context) (bool, error) {
	q := s.queries(s.writer)
	size, err := q.LedgerSize(ctx)
	if err != nil || size == 0 {
		return size == 0, err
	}
	next, err := q.NextTile(ctx, 0)
	if err != nil || next < size>>ledger.TileHeight {
		return false, err
	}
	last, err := readLeaves(ctx, q, size-1, 1)
	if err != nil {
		return false, err
	}
	hash := tlog.RecordHash(last[0])
	n, err := q.HasLeafKey(ctx, db.HasLeafKeyParams{Word: word(hash[:]), Idx: size - 1})
	return n == 1, err
}
