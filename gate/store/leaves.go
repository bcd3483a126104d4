package store

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/store/internal/db"
)

// pending is a leaf that waits for the end of its transaction.
type pending struct {
	kind           ledger.Kind
	id             string
	leaf           []byte
	salt, document []byte
	// digest is what a record's signature is over; nil for a commitment.
	digest *gate.Digest
}

// record adds a leaf that commits to the document as it is encoded now.
func (u *unit) record(kind ledger.Kind, id string, document any) error {
	doc, err := json.Marshal(document)
	if err != nil {
		return internal("encode the %s document of %s: %w", kind, id, err)
	}
	salt := make([]byte, ledger.SaltSize)
	if _, err := rand.Read(salt); err != nil {
		return internal("draw a salt: %w", err)
	}
	leaf, err := ledger.New(kind, id, salt, doc).Bytes()
	if err != nil {
		return internal("record %s: %w", kind, err)
	}
	u.leaves = append(u.leaves, pending{kind: kind, id: id, leaf: leaf, salt: salt, document: doc})
	return nil
}

// enter adds the record of a signature. It stands for itself: the document tells what the
// signature is for, and nothing commits to it.
func (u *unit) enter(kind ledger.Kind, id string, r ledger.Record, document any) error {
	doc, err := json.Marshal(document)
	if err != nil {
		return internal("encode the %s document of %s: %w", kind, id, err)
	}
	leaf, err := r.Bytes()
	if err != nil {
		return internal("record %s of %s: %w", kind, id, err)
	}
	u.leaves = append(u.leaves, pending{kind: kind, id: id, leaf: leaf, salt: []byte{}, document: doc, digest: &r.Digest})
	return nil
}

// flush gives the pending leaves their indexes, dense and in order, and completes the tiles
// that they fill.
func (u *unit) flush(ctx context.Context) error {
	if len(u.leaves) == 0 {
		return nil
	}
	size, err := u.q.GrowLedger(ctx, int64(len(u.leaves)))
	if err != nil {
		return fmt.Errorf("grow the ledger: %w", err)
	}
	first := size - int64(len(u.leaves))
	for i, l := range u.leaves {
		if err := u.insertLeaf(ctx, first+int64(i), l); err != nil {
			return err
		}
	}
	if first>>ledger.TileHeight == size>>ledger.TileHeight {
		return nil
	}
	return completeTiles(ctx, u.q, size, never)
}

func (u *unit) insertLeaf(ctx context.Context, idx int64, l pending) error {
	if err := u.q.InsertLeaf(ctx, db.InsertLeafParams{
		Idx: idx, Kind: string(l.kind), LeafID: l.id, Leaf: l.leaf, MadeAt: u.at,
	}); err != nil {
		return fmt.Errorf("store leaf %d: %w", idx, err)
	}
	if err := u.q.InsertDocument(ctx, db.InsertDocumentParams{Idx: idx, Salt: l.salt, Document: l.document}); err != nil {
		return fmt.Errorf("store the document of leaf %d: %w", idx, err)
	}
	return insertKeys(ctx, u.q, idx, l.leaf, l.digest)
}

// Leaf is one leaf of the ledger with its document.
type Leaf struct {
	Index int64 // from 0, without gaps
	// Kind and ID are the row's: for a commitment those of the leaf itself, for a signature's
	// record what it is called here.
	Kind     ledger.Kind
	ID       string
	Bytes    []byte
	Salt     []byte // empty for a signature's record, whose document nothing commits to
	Document []byte // JSON, the very bytes that were committed to
	At       time.Time
}

// Leaves lists up to limit leaves from an index on, in order.
func (s *Store) Leaves(ctx context.Context, from int64, limit int) ([]Leaf, error) {
	rows, err := s.read().Leaves(ctx, db.LeavesParams{First: from, Most: most(limit)})
	if err != nil {
		return nil, fault("list leaves", err)
	}
	out := make([]Leaf, 0, len(rows))
	for _, r := range rows {
		out = append(out, Leaf{
			Index: r.Idx, Kind: ledger.Kind(r.Kind), ID: r.LeafID, Bytes: r.Leaf, Salt: r.Salt, Document: r.Document,
			At: fromMicros(r.MadeAt),
		})
	}
	return out, nil
}

// most is a limit as the queries take it; a negative one asks for nothing.
func most(limit int) int32 { return int32(min(max(limit, 0), 1<<20)) }
