package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/store/internal/db"
)

// The states of an intent.
const (
	intentOpen     = "open"
	intentDone     = "done"
	intentOrphaned = "orphaned"
)

// BeginSigning moves a granted request to signing, if rec is still current, and stores
// the intents under a lease, with one leaf for all of them. Only after it returns may
// the HSM be used (I4).
func (s *Store) BeginSigning(
	ctx context.Context, rec gate.Record, intents []gate.Intent, owner string, lease time.Duration,
) (gate.Record, error) {
	id, attempt := rec.Request.ID, rec.Signing+1
	if err := checkIntents(id, attempt, intents); err != nil {
		return gate.Record{}, err
	}
	var out gate.Record
	err := s.transact(ctx, "begin to sign request "+id, func(ctx context.Context, u *unit) error {
		row, err := u.current(ctx, rec, gate.StateGranted)
		if err != nil {
			return err
		}
		if err := u.addIntents(ctx, intents, owner, lease); err != nil {
			return err
		}
		row.State = string(gate.StateSigning)
		row.Signing = int32(attempt)
		row.LeaseOwner, row.LeaseUntil, row.DueAt = owner, u.until(lease), u.until(lease)
		if err := u.save(ctx, &row); err != nil {
			return err
		}
		if err := u.record(ledger.Intents, id, intentsDoc{
			V: docVersion, Request: id, Attempt: attempt, Owner: owner, Lease: fromMicros(u.until(lease)), Intents: intents,
		}); err != nil {
			return err
		}
		out, err = record(ctx, u.q, row)
		return err
	})
	return out, err
}

func checkIntents(request string, attempt int, intents []gate.Intent) error {
	if len(intents) == 0 {
		return internal("begin to sign request %s: expected intents, got none", request)
	}
	for _, i := range intents {
		if i.ID == "" || i.Request != request || i.Attempt != attempt {
			return internal("begin to sign request %s: expected intents of its attempt %d, got %q of request %s, attempt %d",
				request, attempt, i.ID, i.Request, i.Attempt)
		}
	}
	return nil
}

func (u *unit) addIntents(ctx context.Context, intents []gate.Intent, owner string, lease time.Duration) error {
	for n, i := range intents {
		doc, err := json.Marshal(i)
		if err != nil {
			return internal("encode intent %s: %w", i.ID, err)
		}
		if err := u.q.InsertIntent(ctx, db.InsertIntentParams{
			ID: i.ID, RequestID: i.Request, Attempt: int32(i.Attempt), Position: int32(n),
			Digest: i.Digest.String(), KeyLineage: i.Key.Lineage, KeyVersion: int32(i.Key.Version),
			Document: string(doc), Owner: owner, LeaseUntil: u.until(lease), MadeAt: u.at,
		}); err != nil {
			return fmt.Errorf("store intent %s: %w", i.ID, err)
		}
	}
	return nil
}

// OrphanSigning ends the open intents of an attempt whose lease ran out, each with a
// leaf that says that its digest may have been signed, and moves the request to
// granted to be judged again: by the caller, while the lease from ClaimDue lasts.
// CodeTransition where the signing lease has not run out, or signatures are on record.
func (s *Store) OrphanSigning(ctx context.Context, rec gate.Record) (gate.Record, error) {
	var out gate.Record
	id := rec.Request.ID
	err := s.transact(ctx, "orphan the signing of request "+id, func(ctx context.Context, u *unit) error {
		row, err := u.current(ctx, rec, gate.StateSigning)
		if err != nil {
			return err
		}
		if sealing(row) {
			return signedAlready(row)
		}
		intents, err := u.intents(ctx, row)
		if err != nil {
			return err
		}
		for _, i := range intents {
			if i.State == intentOpen && i.LeaseUntil > u.at {
				return transition("the signing of request "+id, "a lease that ran out",
					"one of "+i.Owner+" until "+fromMicros(i.LeaseUntil).Format(time.RFC3339))
			}
		}
		if err := u.orphan(ctx, &row, intents); err != nil {
			return err
		}
		row.State, row.DueAt = string(gate.StateGranted), u.at
		if err := u.save(ctx, &row); err != nil {
			return err
		}
		out, err = record(ctx, u.q, row)
		return err
	})
	return out, err
}

// FailSigning ends the attempt's open intents as orphaned, and the request as failed,
// for good. It is fenced like KeepSignatures.
func (s *Store) FailSigning(ctx context.Context, rec gate.Record, why string, posts []gate.Post) (gate.Record, error) {
	var out gate.Record
	id := rec.Request.ID
	err := s.transact(ctx, "fail the signing of request "+id, func(ctx context.Context, u *unit) error {
		row, err := u.locked(ctx, id)
		if err != nil {
			return err
		}
		if row.State != string(gate.StateSigning) || int(row.Signing) != rec.Signing {
			return stale(row, rec)
		}
		if sealing(row) {
			return signedAlready(row)
		}
		intents, err := u.intents(ctx, row)
		if err != nil {
			return err
		}
		if err := u.orphan(ctx, &row, intents); err != nil {
			return err
		}
		row.State = string(gate.StateFailed)
		if err := u.save(ctx, &row); err != nil {
			return err
		}
		if err := u.record(ledger.Failed, id, failedDoc{V: docVersion, Request: id, Attempt: rec.Signing, Why: why}); err != nil {
			return err
		}
		if err := u.enqueue(ctx, posts); err != nil {
			return err
		}
		out, err = record(ctx, u.q, row)
		return err
	})
	return out, err
}

// intents lists those of the request's latest attempt.
func (u *unit) intents(ctx context.Context, row db.Request) ([]db.Intent, error) {
	return u.intentsOf(ctx, row.ID, int(row.Signing))
}

func (u *unit) intentsOf(ctx context.Context, request string, attempt int) ([]db.Intent, error) {
	intents, err := u.q.IntentsOfAttempt(ctx, db.IntentsOfAttemptParams{
		RequestID: request, Attempt: int32(attempt),
	})
	if err != nil {
		return nil, fmt.Errorf("list the intents of request %s: %w", request, err)
	}
	return intents, nil
}

func (u *unit) orphan(ctx context.Context, row *db.Request, intents []db.Intent) error {
	for _, i := range intents {
		if i.State != intentOpen {
			continue
		}
		if err := u.endIntent(ctx, i.ID, intentOrphaned); err != nil {
			return err
		}
		row.Orphans++
		doc := orphanedDoc{
			V: docVersion, Request: row.ID, Attempt: int(i.Attempt), Intent: i.ID,
			Key: i.KeyLineage, Version: int(i.KeyVersion),
		}
		if err := doc.Digest.UnmarshalText([]byte(i.Digest)); err != nil {
			return internal("decode the digest of intent %s: %w", i.ID, err)
		}
		if err := u.record(ledger.Orphaned, i.ID, doc); err != nil {
			return err
		}
	}
	return u.countOrphaned(ctx, intents)
}

func (u *unit) endIntent(ctx context.Context, id, state string) error {
	n, err := u.q.EndIntent(ctx, db.EndIntentParams{ID: id, State: state, EndedAt: u.at})
	if err != nil {
		return fmt.Errorf("end intent %s: %w", id, err)
	}
	if n != 1 {
		return transition("intent "+id, "an open intent", "one that has ended")
	}
	return nil
}

// signedAlready refuses to end a signing whose signatures exist: they wait for their seal.
func signedAlready(row db.Request) error {
	return transition("the signing of request "+row.ID, "one without signatures", "signatures on record, which wait for their seal")
}

// Signatures lists a request's signatures with their intents, in the order of the intents,
// each with its places in the ledger and, once the request is sealed, its timestamp.
// Signatures of releases that were made before the ledger held them have no places.
func (s *Store) Signatures(ctx context.Context, request string) ([]gate.SignedIntent, error) {
	q := s.read()
	rows, err := q.SignedIntents(ctx, request)
	if err != nil {
		return nil, fault("list the signatures of request "+request, err)
	}
	entries, err := entriesOf(ctx, q, request)
	if err != nil {
		return nil, fault("list the entries of request "+request, err)
	}
	seal, _, err := sealOf(ctx, q, request)
	if err != nil {
		return nil, fault("read the seal of request "+request, err)
	}
	out := make([]gate.SignedIntent, len(rows))
	for i, r := range rows {
		if err := json.Unmarshal([]byte(r.Document), &out[i].Intent); err != nil {
			return nil, internal("decode intent %s: %w", r.IntentID, err)
		}
		out[i].Signature = gate.Signature{Intent: r.IntentID, Bytes: r.Signature, At: fromMicros(r.SignedAt)}
		out[i].Entries, out[i].Timestamp = entries[r.IntentID], seal.Timestamps[r.IntentID]
	}
	return out, nil
}

// entriesOf are the records of a request's signatures by intent, by key first.
func entriesOf(ctx context.Context, q *db.Queries, request string) (map[string][]gate.LogEntry, error) {
	rows, err := q.EntriesOfRequest(ctx, request)
	if err != nil {
		return nil, err
	}
	out := map[string][]gate.LogEntry{}
	for _, r := range rows {
		e := gate.LogEntry{Variant: gate.VariantKey, Index: r.Idx, Body: r.Leaf}
		if ledger.Kind(r.Kind) == ledger.CertificateSignature {
			e.Variant = gate.VariantCertificate
		}
		out[r.LeafID] = append(out[r.LeafID], e)
	}
	return out, nil
}
