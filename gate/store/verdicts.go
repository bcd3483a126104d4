package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/store/internal/db"
)

// verdictDoc tells what a verdict's entry is for. The statement itself is in the verdict.
type verdictDoc struct {
	V       int         `json:"v"`
	Request string      `json:"request"`
	Digest  gate.Digest `json:"digest"` // of the DSSE PAE
	Key     string      `json:"key"`
	Version int         `json:"key_version"`
}

// KeepVerdict stores a signed statement about a request that ended denied, and enters its
// signature in the ledger, once per request: later ones are left aside. CodeTransition where
// the request is not denied.
func (s *Store) KeepVerdict(ctx context.Context, v gate.SignedVerdict) error {
	doc, err := json.Marshal(v)
	if err != nil {
		return internal("encode the verdict on request %s: %w", v.Request, err)
	}
	return s.transact(ctx, "keep the verdict on request "+v.Request, func(ctx context.Context, u *unit) error {
		row, err := u.locked(ctx, v.Request)
		if err != nil {
			return err
		}
		if row.State != string(gate.StateDenied) {
			return transition("request "+row.ID, string(gate.StateDenied), row.State)
		}
		if row.Unsaid == 0 {
			return nil
		}
		if err := u.q.InsertVerdict(ctx, db.InsertVerdictParams{RequestID: row.ID, Document: string(doc), KeptAt: u.at}); err != nil {
			return fmt.Errorf("store the verdict: %w", err)
		}
		if err := u.q.SetSaid(ctx, row.ID); err != nil {
			return fmt.Errorf("mark request %s as answered: %w", row.ID, err)
		}
		digest := gate.StatementDigest(v.Statement)
		return u.enter(ledger.VerdictSignature, row.ID,
			ledger.Record{Digest: digest, Signature: v.Signature, Key: v.Key.SPKI},
			verdictDoc{V: docVersion, Request: row.ID, Digest: digest, Key: v.Key.Lineage, Version: v.Key.Version})
	})
}

// Verdict is a request's, with its signature's places in the ledger; false where it has none.
func (s *Store) Verdict(ctx context.Context, request string) (gate.SignedVerdict, []gate.LogEntry, bool, error) {
	var v gate.SignedVerdict
	if !storable(request) {
		return v, nil, false, nil
	}
	q := s.read()
	doc, err := q.Verdict(ctx, request)
	ok, err := found(err)
	if err != nil || !ok {
		return v, nil, false, fault("read the verdict on request "+request, err)
	}
	if err := json.Unmarshal([]byte(doc), &v); err != nil {
		return v, nil, false, internal("decode the verdict on request %s: %w", request, err)
	}
	rows, err := q.EntriesAbout(ctx, db.EntriesAboutParams{LeafID: request, Kind: string(ledger.VerdictSignature)})
	if err != nil {
		return v, nil, false, fault("read the entry of the verdict on request "+request, err)
	}
	var entries []gate.LogEntry
	for _, r := range rows {
		entries = append(entries, gate.LogEntry{Variant: gate.VariantKey, Index: r.Idx, Body: r.Leaf})
	}
	return v, entries, true, nil
}

// Unsaid lists requests that ended denied and have no verdict, the oldest first.
func (s *Store) Unsaid(ctx context.Context, limit int) ([]gate.Record, error) {
	return s.list(ctx, func(q *db.Queries) ([]db.Request, error) { return q.Unsaid(ctx, most(limit)) })
}
