package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/store/internal/db"
)

// word is the first 64 bits of a hash, by which entries are found: whoever looks compares
// the whole hash.
func word(hash []byte) int64 { return int64(binary.BigEndian.Uint64(hash)) } //nolint:gosec // all 64 bits count

// insertKeys lets a leaf be found by its hash, and by the digest that its signature is over.
func insertKeys(ctx context.Context, q *db.Queries, idx int64, leaf []byte, digest *gate.Digest) error {
	hash := tlog.RecordHash(leaf)
	words := []int64{word(hash[:])}
	if digest != nil {
		words = append(words, word(digest[:]))
	}
	for _, w := range words {
		if err := q.InsertLeafKey(ctx, db.InsertLeafKeyParams{Word: w, Idx: idx}); err != nil {
			return fmt.Errorf("store the key of leaf %d: %w", idx, err)
		}
	}
	return nil
}

// signedDigest is what a record's signature is over; nil for a commitment.
func signedDigest(leaf []byte) *gate.Digest {
	// Canonical JSON sorts its members: a record begins with this one.
	if !bytes.HasPrefix(leaf, []byte(`{"apiVersion"`)) {
		return nil
	}
	r, err := ledger.ParseRecord(leaf)
	if err != nil {
		return nil // which is found by its own hash alone
	}
	return &r.Digest
}
