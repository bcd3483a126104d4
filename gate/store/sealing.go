package store

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/store/internal/db"
)

// KeepSignatures stores the signatures, ends the intents, and enters each signature in the
// ledger: by key, and, over subjects and statements where certificate (DER) is not nil, by
// certificate; if every intent of rec's attempt is still open. Otherwise it came too late:
// the signatures count for nothing, a leaf says so, and the error has CodeTransition. The
// same signatures once more (after a commit whose outcome was unknown) are no error and
// change nothing. The request stays in state signing under the lease, and is Sealing: from
// then on it counts as a release of its stream.
func (s *Store) KeepSignatures(
	ctx context.Context, rec gate.Record, sigs []gate.Signature, certificate []byte, lease time.Duration,
) (gate.Record, error) {
	var out gate.Record
	var late error
	id := rec.Request.ID
	err := s.transact(ctx, "keep the signatures of request "+id, func(ctx context.Context, u *unit) error {
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
		if err := u.keep(ctx, intents, byIntent, certificate); err != nil {
			return err
		}
		row.LeaseUntil, row.DueAt, row.ReleasedAt = u.until(lease), u.until(lease), u.at
		if err := u.save(ctx, &row); err != nil {
			return err
		}
		if err := u.countSigned(ctx, intents); err != nil {
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

// keep stores an attempt's signatures and enters them in the ledger.
func (u *unit) keep(ctx context.Context, intents []db.Intent, sigs map[string]gate.Signature, certificate []byte) error {
	for _, row := range intents {
		var i gate.Intent
		if err := json.Unmarshal([]byte(row.Document), &i); err != nil {
			return internal("decode intent %s: %w", row.ID, err)
		}
		sig := sigs[i.ID]
		if err := u.q.InsertSignature(ctx, db.InsertSignatureParams{
			IntentID: i.ID, RequestID: i.Request, Signature: sig.Bytes, SignedAt: micros(sig.At),
		}); err != nil {
			return fmt.Errorf("store the signature of intent %s: %w", i.ID, err)
		}
		if err := u.endIntent(ctx, i.ID, intentDone); err != nil {
			return err
		}
		if err := u.enterSignature(i, sig, certificate); err != nil {
			return err
		}
	}
	return nil
}

func (u *unit) enterSignature(i gate.Intent, sig gate.Signature, certificate []byte) error {
	doc := signatureDoc{
		V: docVersion, Request: i.Request, Attempt: i.Attempt, Digest: i.Digest, Key: i.Key.Lineage, Version: i.Key.Version,
		Signature: sig,
	}
	r := ledger.Record{Digest: i.Digest, Signature: sig.Bytes, Key: i.Key.SPKI}
	if err := u.enter(ledger.Signature, i.ID, r, doc); err != nil {
		return err
	}
	if certificate == nil || i.Kind == gate.IntentSums {
		return nil
	}
	r.Key, r.Certificate = certificate, true
	return u.enter(ledger.CertificateSignature, i.ID, r, doc)
}

// CompleteSealing stores the seal and the posts, and moves the request to signed. The seal
// has to cover every entry of the release, and to have a timestamp for each subject and
// statement. The same seal once more changes nothing; another one is CodeTransition. A
// request without any open post is published at once.
func (s *Store) CompleteSealing(ctx context.Context, rec gate.Record, seal gate.Seal, posts []gate.Post) (gate.Record, error) {
	id := rec.Request.ID
	doc, err := json.Marshal(seal)
	if err != nil {
		return gate.Record{}, internal("encode the seal of request %s: %w", id, err)
	}
	var out gate.Record
	err = s.transact(ctx, "complete the sealing of request "+id, func(ctx context.Context, u *unit) error {
		row, err := u.locked(ctx, id)
		if err != nil {
			return err
		}
		switch have, ok, err := keptSeal(ctx, u.q, id); {
		case err != nil:
			return err
		case ok && bytes.Equal(have, doc):
			out, err = record(ctx, u.q, row)
			return err
		case ok || !sealing(row) || int(row.Signing) != rec.Signing:
			return stale(row, rec)
		}
		if err := u.fits(ctx, id, seal); err != nil {
			return err
		}
		if err := u.seal(ctx, &row, doc, posts); err != nil {
			return err
		}
		out, err = record(ctx, u.q, row)
		return err
	})
	return out, err
}

func (u *unit) seal(ctx context.Context, row *db.Request, doc []byte, posts []gate.Post) error {
	if err := u.q.InsertSeal(ctx, db.InsertSealParams{RequestID: row.ID, Document: string(doc), SealedAt: u.at}); err != nil {
		return fmt.Errorf("store the seal: %w", err)
	}
	row.State, row.DueAt, row.SignedAt = string(gate.StateSigned), 0, u.at
	release(row)
	if err := u.save(ctx, row); err != nil {
		return err
	}
	if err := u.countDecided(ctx, *row, 1); err != nil {
		return err
	}
	if err := u.watchAssets(ctx, *row); err != nil {
		return err
	}
	if err := u.enqueue(ctx, posts); err != nil {
		return err
	}
	return u.publishIfTold(ctx, row)
}

// fits refuses a seal that does not prove the whole release.
func (u *unit) fits(ctx context.Context, request string, seal gate.Seal) error {
	if seal.Request != request {
		return internal("seal request %s: expected its own seal, got that of %q", request, seal.Request)
	}
	signed, err := u.q.SignedIntents(ctx, request)
	if err != nil {
		return fmt.Errorf("list the signatures of request %s: %w", request, err)
	}
	entries, err := entriesOf(ctx, u.q, request)
	if err != nil {
		return fmt.Errorf("list the entries of request %s: %w", request, err)
	}
	for _, row := range signed {
		var i gate.Intent
		if err := json.Unmarshal([]byte(row.Document), &i); err != nil {
			return internal("decode intent %s: %w", row.IntentID, err)
		}
		if i.Kind != gate.IntentSums && len(seal.Timestamps[i.ID]) == 0 {
			return internal("seal request %s: expected a timestamp over the signature of %s %q, got none", request, i.Kind, i.Name)
		}
		for _, e := range entries[i.ID] {
			if e.Index >= seal.Checkpoint.Size {
				return internal("seal request %s: expected a checkpoint that covers entry %d, got one of %d entries",
					request, e.Index, seal.Checkpoint.Size)
			}
		}
	}
	return nil
}

// DeferSealing gives the lease back until after; why is for the operator. CodeTransition
// where the request is not sealing any more.
func (s *Store) DeferSealing(ctx context.Context, rec gate.Record, after time.Time, why string) error {
	id := rec.Request.ID
	return s.transact(ctx, "defer the sealing of request "+id, func(ctx context.Context, u *unit) error {
		row, err := u.locked(ctx, id)
		if err != nil {
			return err
		}
		if !sealing(row) || int(row.Signing) != rec.Signing {
			return stale(row, rec)
		}
		due := max(micros(after), 1) // 0 is never
		u.stir(requestTenant(row), due)
		return u.q.DeferSealing(ctx, db.DeferSealingParams{DueAt: due, Why: plain(why), ID: id})
	})
}

// Seal is a signed request's; CodeNotSigned where it has none (yet): it is not signed, or it
// was before releases were sealed.
func (s *Store) Seal(ctx context.Context, request string) (gate.Seal, error) {
	if !storable(request) {
		return gate.Seal{}, unknownRequest(request)
	}
	seal, ok, err := sealOf(ctx, s.read(), request)
	if err != nil {
		return gate.Seal{}, fault("read the seal of request "+request, err)
	}
	if !ok {
		return gate.Seal{}, &gate.Error{
			Kind: gate.Conflict, Code: gate.CodeNotSigned, Text: "the request has no seal yet",
			Expected: "a release that is signed and sealed", Got: "none of id " + request,
			Fix: "wait for it: countersign status",
		}
	}
	return seal, nil
}

func sealOf(ctx context.Context, q *db.Queries, request string) (seal gate.Seal, ok bool, err error) {
	doc, ok, err := keptSeal(ctx, q, request)
	if err != nil || !ok {
		return seal, false, err
	}
	if err := json.Unmarshal(doc, &seal); err != nil {
		return seal, false, internal("decode the seal of request %s: %w", request, err)
	}
	return seal, true, nil
}

func keptSeal(ctx context.Context, q *db.Queries, request string) ([]byte, bool, error) {
	doc, err := q.Seal(ctx, request)
	ok, err := found(err)
	return []byte(doc), ok, err
}
