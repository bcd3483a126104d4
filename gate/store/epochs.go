package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/store/internal/db"
)

type epochDoc struct {
	V     int        `json:"v"`
	Epoch gate.Epoch `json:"epoch"`
}

// Epochs lists the ledger's epochs, the first one first; none before the first is begun.
func (s *Store) Epochs(ctx context.Context) ([]gate.Epoch, error) {
	all, err := epochs(ctx, s.read())
	return all, fault("list the epochs", err)
}

func epochs(ctx context.Context, q *db.Queries) ([]gate.Epoch, error) {
	docs, err := q.Epochs(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]gate.Epoch, len(docs))
	for i, doc := range docs {
		if err := json.Unmarshal([]byte(doc), &out[i]); err != nil {
			return nil, internal("decode epoch %d: %w", i+1, err)
		}
	}
	return out, nil
}

// BeginEpoch begins the next epoch, with a leaf that commits to it. CodeTransition where
// e.Number is not the next; CodeEpoch, kind Invalid, where an earlier epoch had its origin:
// who follows a log by its origin would see a fork.
func (s *Store) BeginEpoch(ctx context.Context, e gate.Epoch) error {
	if e.Origin == "" || len(e.SPKI) == 0 {
		return internal("begin epoch %d: expected an origin and a log key, got origin %q", e.Number, e.Origin)
	}
	doc, err := json.Marshal(e)
	if err != nil {
		return internal("encode epoch %d: %w", e.Number, err)
	}
	return s.alone(ctx, fmt.Sprintf("begin epoch %d", e.Number), func(ctx context.Context, u *unit) error {
		if _, err := u.q.LedgerSizeForUpdate(ctx); err != nil {
			return fmt.Errorf("lock the ledger's head: %w", err)
		}
		before, err := epochs(ctx, u.q)
		if err != nil {
			return fmt.Errorf("list the epochs: %w", err)
		}
		if e.Number != len(before)+1 {
			return transition("the ledger's epoch", fmt.Sprintf("number %d next", len(before)+1), fmt.Sprintf("number %d", e.Number))
		}
		for _, b := range before {
			if b.Origin == e.Origin {
				return &gate.Error{
					Kind: gate.Invalid, Code: gate.CodeEpoch, Text: "the new epoch's origin is not new",
					Expected: "a host name that no epoch had", Got: fmt.Sprintf("%q, as epoch %d", e.Origin, b.Number),
					Fix: "draft the epoch with another origin",
				}
			}
		}
		if err := u.q.InsertEpoch(ctx, db.InsertEpochParams{
			Number: int32(e.Number), Origin: e.Origin, Document: string(doc), BegunAt: micros(e.Begun),
		}); err != nil {
			return fmt.Errorf("store the epoch: %w", err)
		}
		u.news = true
		return u.record(ledger.EpochBegun, aboutServer, epochDoc{V: docVersion, Epoch: e})
	})
}
