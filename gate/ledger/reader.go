package ledger

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// Source gives the bytes of hash tiles of a tree, each of exactly t.Width hashes.
type Source interface {
	Tile(t Tile) ([]byte, error)
}

// Reader reads the hashes of a tree of Size leaves from its tiles, as tlog's proofs need
// them. It trusts its source: for one that is not ours use tlog.TileHashReader. It
// remembers the tiles it read, so it is for a few proofs at a time and not concurrent.
type Reader struct {
	Source Source
	Size   int64

	seen map[Tile][]byte
}

var _ tlog.HashReader = (*Reader)(nil)

// ReadHashes implements tlog.HashReader.
func (r *Reader) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		narrow := tlog.TileForIndex(TileHeight, index)
		wide := Tile{Level: narrow.L, Index: narrow.N, Width: r.width(narrow.L, narrow.N)}
		data, err := r.tile(wide)
		if err != nil {
			return nil, err
		}
		narrow.W = wide.Width
		if out[i], err = tlog.HashFromTile(narrow, data, index); err != nil {
			return nil, fmt.Errorf("read hash %d from tile %s: %w", index, wide.Path(), err)
		}
	}
	return out, nil
}

// width is how much of a tile the tree has.
func (r *Reader) width(level int, n int64) int {
	return int(min(TileWidth, r.Size>>(TileHeight*level)-n<<TileHeight))
}

func (r *Reader) tile(t Tile) ([]byte, error) {
	if data, ok := r.seen[t]; ok {
		return data, nil
	}
	if t.Width < 1 {
		return nil, fmt.Errorf("read tile %s: a tree of %d leaves does not have it", t.Path(), r.Size)
	}
	data, err := r.Source.Tile(t)
	if err != nil {
		return nil, err
	}
	if _, err := t.Hashes(data); err != nil {
		return nil, err
	}
	if r.seen == nil {
		r.seen = map[Tile][]byte{}
	}
	r.seen[t] = data
	return data, nil
}

// Root is the root of a tree of size leaves. The empty tree's is SHA-256 of nothing.
func (r *Reader) Root(size int64) (tlog.Hash, error) { return tlog.TreeHash(size, r) }

// Inclusion proves that leaf index is in the tree of size leaves (RFC 6962, 2.1.1).
func (r *Reader) Inclusion(size, index int64) ([]tlog.Hash, error) {
	return tlog.ProveRecord(size, index, r)
}

// Consistency proves that the tree of size leaves begins with the tree of old leaves (RFC
// 6962, 2.1.2). The proof from the empty tree, or from the tree itself, is empty.
func (r *Reader) Consistency(size, old int64) ([]tlog.Hash, error) {
	if old == 0 || old == size {
		return nil, nil
	}
	return tlog.ProveTree(size, old, r)
}
