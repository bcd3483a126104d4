package store

import (
	"bytes"
	"context"
	"fmt"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/store/internal/db"
)

// CompleteSigning stores the signatures, ends the intents, and stores leaves and posts,
// if every intent of rec's attempt is still open. Otherwise it came too late: the
// signatures count for nothing, a leaf says so, and the error has CodeTransition.
// The same signatures once more (after a commit whose outcome was unknown) are no
// error and change nothing. A request without any open post is published at once.
func (s *Store) CompleteSigning(
	ctx context.Context, rec gate.Record, sigs []gate.Signature, posts []gate.Post,
) (gate.Record, error) {
	var out gate.Record
	var late error
	id := rec.Request.ID
	err := s.transact(ctx, "complete the signing of request "+id, func(ctx context.Context, u *unit) error {
		late = nil
		row, err := u.locked(ctx, id)
		if err != nil {
			return err
		}
		intents, err := u.intentsOf(ctx, id, rec.Signing)
		if err != nil {
			return err
		}
		byIntent, err := match(id, intents, sigs)
		if err != nil {
			return err
		}
		switch same, err := u.stored(ctx, id, byIntent); {
		case err != nil:
			return err
		case same:
			out, err = record(ctx, u.q, row)
			return err
		case !open(row, rec, intents):
			late = stale(row, rec)
			return u.discard(row, rec, sigs)
		}
		if err := u.complete(ctx, &row, intents, byIntent); err != nil {
			return err
		}
		if err := u.enqueue(ctx, posts); err != nil {
			return err
		}
		if err := u.publishIfTold(ctx, &row); err != nil {
			return err
		}
		out, err = record(ctx, u.q, row)
		return err
	})
	if err == nil {
		err = late
	}
	return out, err
}

// match pairs the attempt's intents with the signatures, one to one.
func match(request string, intents []db.Intent, sigs []gate.Signature) (map[string]gate.Signature, error) {
	byIntent := make(map[string]gate.Signature, len(sigs))
	for _, sig := range sigs {
		byIntent[sig.Intent] = sig
	}
	for _, i := range intents {
		if len(byIntent[i.ID].Bytes) == 0 {
			return nil, internal("complete the signing of request %s: expected a signature for intent %s, got none", request, i.ID)
		}
	}
	if len(intents) == 0 || len(byIntent) != len(intents) || len(sigs) != len(intents) {
		return nil, internal("complete the signing of request %s: expected one signature for each of %d intents, got %d",
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

func (u *unit) complete(ctx context.Context, row *db.Request, intents []db.Intent, sigs map[string]gate.Signature) error {
	for _, i := range intents {
		sig := sigs[i.ID]
		if err := u.q.InsertSignature(ctx, db.InsertSignatureParams{
			IntentID: i.ID, RequestID: row.ID, Signature: sig.Bytes, SignedAt: micros(sig.At),
		}); err != nil {
			return fmt.Errorf("store the signature of intent %s: %w", i.ID, err)
		}
		if err := u.endIntent(ctx, i.ID, intentDone); err != nil {
			return err
		}
		doc := signatureDoc{
			V: docVersion, Request: row.ID, Attempt: int(i.Attempt), Key: i.KeyLineage, Version: int(i.KeyVersion),
			Signature: sig,
		}
		if err := doc.Digest.UnmarshalText([]byte(i.Digest)); err != nil {
			return internal("decode the digest of intent %s: %w", i.ID, err)
		}
		if err := u.record(ledger.Signature, i.ID, doc); err != nil {
			return err
		}
	}
	row.State, row.DueAt, row.SignedAt, row.ReleasedAt = string(gate.StateSigned), 0, u.at, u.at
	release(row)
	if err := u.save(ctx, row); err != nil {
		return err
	}
	if err := u.countDecided(ctx, *row, 1); err != nil {
		return err
	}
	return u.countSigned(ctx, intents)
}

// discard leaves the leaf of signatures that came too late.
func (u *unit) discard(row db.Request, rec gate.Record, sigs []gate.Signature) error {
	doc := lateDoc{V: docVersion, Request: row.ID, Attempt: rec.Signing, State: gate.State(row.State)}
	for _, sig := range sigs {
		doc.Signatures = append(doc.Signatures, lateSig{Intent: sig.Intent, SHA256: gate.SHA256(sig.Bytes)})
	}
	return u.record(ledger.LateSignatureDiscarded, row.ID, doc)
}
