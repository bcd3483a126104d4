package store

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/store/internal/db"
)

// pending is a leaf that waits for the end of its transaction.
type pending struct {
	kind           ledger.Kind
	id             string
	leaf           []byte
	salt, document []byte
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
	u.leaves = append(u.leaves, pending{kind, id, leaf, salt, doc})
	return nil
}

// flush gives the pending leaves their indexes, dense and in order.
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
		idx := first + int64(i)
		if err := u.q.InsertLeaf(ctx, db.InsertLeafParams{
			Idx: idx, Kind: string(l.kind), LeafID: l.id, Leaf: l.leaf, MadeAt: u.at,
		}); err != nil {
			return fmt.Errorf("store leaf %d: %w", idx, err)
		}
		if err := u.q.InsertDocument(ctx, db.InsertDocumentParams{Idx: idx, Salt: l.salt, Document: l.document}); err != nil {
			return fmt.Errorf("store the document of leaf %d: %w", idx, err)
		}
	}
	return nil
}

// Leaf is one leaf of the ledger with its document.
type Leaf struct {
	Index    int64 // from 0, without gaps
	Bytes    []byte
	Salt     []byte
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
		out = append(out, Leaf{Index: r.Idx, Bytes: r.Leaf, Salt: r.Salt, Document: r.Document, At: fromMicros(r.MadeAt)})
	}
	return out, nil
}

// most is a limit as the queries take it; a negative one asks for nothing.
func most(limit int) int32 { return int32(min(max(limit, 0), 1<<20)) }
