package ledger_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/countersign/countersign/gate/ledger"
)

// forest is a tree held twice: as the plain list of hashes that tlog keeps, and as leaf
// hashes from which tiles are cut without tlog's help.
type forest struct {
	stored []tlog.Hash
	leaves []tlog.Hash
}

func grow(size int64) *forest {
	f := &forest{}
	for i := range size {
		leaf := tlog.RecordHash(fmt.Appendf(nil, "leaf %d", i))
		hashes, err := tlog.StoredHashesForRecordHash(i, leaf, f.plain())
		if err != nil {
			panic(err)
		}
		f.stored = append(f.stored, hashes...)
		f.leaves = append(f.leaves, leaf)
	}
	return f
}

func (f *forest) plain() tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var out []tlog.Hash
		for _, i := range indexes {
			if i >= int64(len(f.stored)) {
				return nil, fmt.Errorf("hash %d of %d", i, len(f.stored))
			}
			out = append(out, f.stored[i])
		}
		return out, nil
	})
}

// Tile folds leaves pairwise, level by level, as C2SP tlog-tiles describes it.
func (f *forest) Tile(t ledger.Tile) ([]byte, error) {
	row := f.leaves
	for range ledger.TileHeight * t.Level {
		var up []tlog.Hash
		for i := 0; i+1 < len(row); i += 2 {
			up = append(up, sha256.Sum256(slices.Concat([]byte{1}, row[i][:], row[i+1][:])))
		}
		row = up
	}
	from := int(t.Index) * ledger.TileWidth
	if from+t.Width > len(row) {
		return nil, fmt.Errorf("tile %s: only %d hashes on its level", t.Path(), len(row))
	}
	var out []byte
	for _, h := range row[from : from+t.Width] {
		out = append(out, h[:]...)
	}
	return out, nil
}

func TestEmptyTree(t *testing.T) {
	r := &ledger.Reader{Source: grow(0)}
	root, err := r.Root(0)
	if want := sha256.Sum256(nil); err != nil || root != want {
		t.Errorf("expected SHA-256 of nothing (RFC 6962, 2.1), got %v, %v", root, err)
	}
	if proof, err := r.Consistency(0, 0); err != nil || len(proof) != 0 {
		t.Errorf("got %v, %v", proof, err)
	}
}

// What is read from tiles is what a plain list of hashes gives, for all sizes and places.
func TestProofsFromTiles(t *testing.T) {
	const most = 66_500 // two full levels and a bit
	f := grow(most)
	sizes := rapid.OneOf(
		rapid.Int64Range(1, 700),
		rapid.Int64Range(1, most),
		rapid.SampledFrom([]int64{1, 2, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, most}),
	)
	rapid.Check(t, func(t *rapid.T) {
		size := sizes.Draw(t, "size")
		index := rapid.Int64Range(0, size-1).Draw(t, "index")
		old := rapid.Int64Range(0, size).Draw(t, "old")
		r := &ledger.Reader{Source: &forest{leaves: f.leaves[:size]}, Size: size}
		checkProofs(t, r, f, size, index, old)
	})
}

// The first thousands of sizes leave no gap.
func TestProofsOfSmallTrees(t *testing.T) {
	const most = 2_100
	f := grow(most)
	for size := int64(1); size <= most; size++ {
		r := &ledger.Reader{Source: &forest{leaves: f.leaves[:size]}, Size: size}
		checkProofs(t, r, f, size, size*7919%size, size*104729%(size+1))
		checkProofs(t, r, f, size, size-1, size-1)
	}
}

type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

func checkProofs(t fataler, r *ledger.Reader, f *forest, size, index, old int64) {
	t.Helper()
	want, err := tlog.TreeHash(size, f.plain())
	root, err2 := r.Root(size)
	if err != nil || err2 != nil || root != want {
		t.Fatalf("root of %d: expected %v, %v, got %v, %v", size, want, err, root, err2)
	}
	wantProof, err := tlog.ProveRecord(size, index, f.plain())
	proof, err2 := r.Inclusion(size, index)
	if err != nil || err2 != nil || !slices.Equal(proof, []tlog.Hash(wantProof)) {
		t.Fatalf("inclusion of %d in %d: expected %v, %v, got %v, %v", index, size, wantProof, err, proof, err2)
	}
	if err := tlog.CheckRecord(proof, size, root, index, f.leaves[index]); err != nil {
		t.Fatalf("inclusion of %d in %d: %v", index, size, err)
	}
	tree, err := r.Consistency(size, old)
	if err != nil {
		t.Fatalf("consistency of %d with %d: %v", size, old, err)
	}
	if old == 0 {
		return
	}
	was, err := tlog.TreeHash(old, f.plain())
	if err != nil {
		t.Fatalf("root of %d: %v", old, err)
	}
	if err := tlog.CheckTree(tree, size, root, old, was); err != nil {
		t.Fatalf("consistency of %d with %d: %v", size, old, err)
	}
}

type sourceFunc func(t ledger.Tile) ([]byte, error)

func (f sourceFunc) Tile(t ledger.Tile) ([]byte, error) { return f(t) }

func TestReaderRefuses(t *testing.T) {
	broken := errors.New("broken")
	for name, x := range map[string]struct {
		source ledger.Source
		size   int64
	}{
		"a source that fails": {sourceFunc(func(ledger.Tile) ([]byte, error) { return nil, broken }), 300},
		"a short tile":        {sourceFunc(func(t ledger.Tile) ([]byte, error) { return make([]byte, 32*(t.Width-1)), nil }), 300},
		"a long tile":         {sourceFunc(func(t ledger.Tile) ([]byte, error) { return make([]byte, 32*(t.Width+1)), nil }), 300},
		"a smaller tree":      {grow(300), 200},
	} {
		r := &ledger.Reader{Source: x.source, Size: x.size}
		if root, err := r.Root(300); err == nil {
			t.Errorf("%s: expected an error, got root %v", name, root)
		}
		if proof, err := r.Inclusion(300, 299); err == nil {
			t.Errorf("%s: expected an error, got %v", name, proof)
		}
		if proof, err := r.Consistency(300, 299); err == nil {
			t.Errorf("%s: expected an error, got %v", name, proof)
		}
	}
	r := &ledger.Reader{Source: grow(10), Size: 10}
	if _, err := r.Inclusion(10, 10); err == nil {
		t.Error("a leaf beyond the tree: expected an error")
	}
	if _, err := r.Consistency(10, 11); err == nil {
		t.Error("from a larger tree: expected an error")
	}
}
