package store

import (
	"bytes"
	"context"
	"fmt"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/store/internal/db"
)

// match pairs the attempt's intents with the signatures, one to one.
func match(request string, intents []db.Intent, sigs []gate.Signature) (map[string]gate.Signature, error) {
	byIntent := make(map[string]gate.Signature, len(sigs))
	for _, sig := range sigs {
		byIntent[sig.Intent] = sig
	}
	for _, i := range intents {
		if len(byIntent[i.ID].Bytes) == 0 {
			return nil, internal("keep the signatures of request %s: expected a signature for intent %s, got none", request, i.ID)
		}
	}
	if len(intents) == 0 || len(byIntent) != len(intents) || len(sigs) != len(intents) {
		return nil, internal("keep the signatures of request %s: expected one signature for each of %d intents, got %d",
			request, len(intents), len(sigs))
	}
	return byIntent, nil
}

// open reports whether the attempt is the request's latest and wholly unfinished.
func open(row db.Request, rec gate.Record, intents []db.Intent) bool {
	for _, i := range intents {
		if i.State != intentOpen {
			return false
		}
	}
	return row.State == string(gate.StateSigning) && int(row.Signing) == rec.Signing
}

// stored reports whether these very signatures are on record.
func (u *unit) stored(ctx context.Context, request string, sigs map[string]gate.Signature) (bool, error) {
	rows, err := u.q.SignedIntents(ctx, request)
	if err != nil {
		return false, fmt.Errorf("list the signatures of request %s: %w", request, err)
	}
	for _, r := range rows {
		if !bytes.Equal(sigs[r.IntentID].Bytes, r.Signature) {
			return false, nil
		}
	}
	return len(rows) == len(sigs), nil
}

// discard leaves the leaf of signatures that came too late.
func (u *unit) discard(row db.Request, rec gate.Record, sigs []gate.Signature) error {
	doc := lateDoc{V: docVersion, Request: row.ID, Attempt: rec.Signing, State: gate.State(row.State)}
	for _, sig := range sigs {
		doc.Signatures = append(doc.Signatures, lateSig{Intent: sig.Intent, SHA256: gate.SHA256(sig.Bytes)})
	}
	return u.record(ledger.LateSignatureDiscarded, row.ID, doc)
}
