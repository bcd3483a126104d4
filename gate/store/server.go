package store

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/store/internal/db"
)

// aboutServer is the leaf id of what concerns the server as a whole.
const aboutServer = "server"

type administratorsDoc struct {
	V              int              `json:"v"`
	Administrators []gate.AccountID `json:"administrators"` // each once, by forge and number
}

type modeDoc struct {
	V     int  `json:"v"`
	Audit bool `json:"audit"`
}

// RecordAdministrators leaves a leaf that says who administers the server, where that
// differs from what the last one says. The order of who, and naming somebody twice, make
// no difference.
func (s *Store) RecordAdministrators(ctx context.Context, who []gate.AccountID) error {
	sorted := slices.SortedFunc(slices.Values(who), func(a, b gate.AccountID) int {
		return cmp.Or(cmp.Compare(a.Forge, b.Forge), cmp.Compare(a.ID, b.ID))
	})
	// Nobody is an empty list, and not the null that a nil one is.
	doc := administratorsDoc{V: docVersion, Administrators: append([]gate.AccountID{}, slices.Compact(sorted)...)}
	return s.recordServer(ctx, ledger.Administrators, doc)
}

// RecordMode leaves a leaf that says whether the server only audits (judges, and signs
// nothing), where that differs from what the last one says.
func (s *Store) RecordMode(ctx context.Context, audit bool) error {
	return s.recordServer(ctx, ledger.ServerMode, modeDoc{V: docVersion, Audit: audit})
}

// recordServer locks the ledger's head first and nothing after it, so that of two replicas
// that start at once the second sees what the first wrote.
func (s *Store) recordServer(ctx context.Context, kind ledger.Kind, doc any) error {
	now, err := json.Marshal(doc)
	if err != nil {
		return internal("encode the %s document: %w", kind, err)
	}
	return s.alone(ctx, fmt.Sprintf("record %s", kind), func(ctx context.Context, u *unit) error {
		if _, err := u.q.LedgerSizeForUpdate(ctx); err != nil {
			return fmt.Errorf("lock the ledger's head: %w", err)
		}
		last, err := u.q.LastDocument(ctx, db.LastDocumentParams{LeafID: aboutServer, Kind: string(kind)})
		ok, err := found(err)
		if err != nil {
			return fmt.Errorf("read the last document: %w", err)
		}
		if ok && bytes.Equal(last, now) {
			return nil
		}
		return u.record(kind, aboutServer, doc)
	})
}
