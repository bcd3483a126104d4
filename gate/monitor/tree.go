package monitor

import (
	"crypto/sha256"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign/countersign/gate/ledger"
)

// tree is a tree under a signed root. All that it tells was hashed up to that root.
type tree struct {
	head   ledger.Head
	tiles  *tiles
	hashes tlog.HashReader
}

func newTree(head ledger.Head, read func(ledger.Tile) ([]byte, error)) *tree {
	t := &tree{head: head, tiles: &tiles{read: read}}
	t.hashes = tlog.TileHashReader(tlog.Tree{N: head.Size, Hash: head.Root}, t.tiles)
	return t
}

// emptyRoot is the root of a tree without leaves (RFC 6962, 2.1).
func emptyRoot() tlog.Hash { return sha256.Sum256(nil) }

// root is that of the tree's first size leaves.
func (t *tree) root(size int64) (tlog.Hash, error) {
	if size == 0 {
		return emptyRoot(), nil
	}
	h, err := tlog.TreeHash(size, t.hashes)
	return h, inTiles(err)
}

// leaves are the hashes of n leaves from an index on.
func (t *tree) leaves(first int64, n int) ([]tlog.Hash, error) {
	indexes := make([]int64, n)
	for i := range indexes {
		indexes[i] = tlog.StoredHashIndex(0, first+int64(i))
	}
	return t.read(indexes)
}

func (t *tree) read(indexes []int64) ([]tlog.Hash, error) {
	hashes, err := t.hashes.ReadHashes(indexes)
	return hashes, inTiles(err)
}

// edge are the roots of the full subtrees of the whole tree, the largest first: what is
// needed to go on from it.
func (t *tree) edge() ([]tlog.Hash, error) {
	if t.head.Size == 0 {
		return nil, nil
	}
	return t.read(edgeIndexes(t.head.Size))
}

// edgeIndexes are the stored indexes of a tree's edge.
func edgeIndexes(size int64) []int64 {
	var out []int64
	for begin := int64(0); begin < size; {
		level := bits.Len64(uint64(size-begin)) - 1 //nolint:gosec // sizes are not negative
		out = append(out, tlog.StoredHashIndex(level, begin>>level))
		begin += 1 << level
	}
	return out
}

// edgeRoot is the root of the tree that an edge belongs to.
func edgeRoot(edge []tlog.Hash) tlog.Hash {
	if len(edge) == 0 {
		return emptyRoot()
	}
	root := edge[len(edge)-1]
	for i := len(edge) - 2; i >= 0; i-- {
		root = tlog.NodeHash(edge[i], root)
	}
	return root
}

// common is how many leaves the tree surely shares with the one of size leaves whose edge it
// is: whole subtrees of that one, from the first leaf on.
func (t *tree) common(size int64, edge []tlog.Hash) (int64, error) {
	begin := int64(0)
	for i, index := range edgeIndexes(size) {
		end := begin + 1<<(bits.Len64(uint64(size-begin))-1) //nolint:gosec // sizes are not negative
		if end > t.head.Size {
			return begin, nil
		}
		got, err := t.read([]int64{index})
		if err != nil {
			return 0, err
		}
		if got[0] != edge[i] {
			return begin, nil
		}
		begin = end
	}
	return begin, nil
}
