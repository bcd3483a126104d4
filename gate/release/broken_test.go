package release_test

import (
	"context"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/release"
)

// broken is a store that fails, or does something else first, in the methods named.
// around sees every call: it calls do where the call reaches the database.
type broken struct {
	release.Store
	fail   map[string]error  // instead of the call
	before map[string]func() // and then the call
	around func(method string, do func() error) error
	// nothing is set by a claim that found nothing to do.
	nothing bool
}

// storeAway is what the store says when its database does not answer.
func storeAway() error {
	return &gate.Error{Kind: gate.Unavailable, Code: gate.CodeStoreUnavailable, Text: "the database did not answer as it should"}
}

func (b *broken) call(method string, do func() error) error {
	if err := b.fail[method]; err != nil {
		return err
	}
	if f := b.before[method]; f != nil {
		f()
	}
	if b.around != nil {
		return b.around(method, do)
	}
	return do()
}

func (b *broken) ClaimDelivery(ctx context.Context, owner string, lease time.Duration) (d gate.Delivery, ok bool, err error) {
	err = b.call("ClaimDelivery", func() (e error) {
		d, ok, e = b.Store.ClaimDelivery(ctx, owner, lease)
		b.nothing = !ok
		return e
	})
	return d, ok && err == nil, err
}

func (b *broken) FinishDelivery(ctx context.Context, d gate.Delivery, heard gate.Heard) error {
	return b.call("FinishDelivery", func() error { return b.Store.FinishDelivery(ctx, d, heard) })
}

func (b *broken) DeferDelivery(ctx context.Context, d gate.Delivery, after time.Time, why string) error {
	return b.call("DeferDelivery", func() error { return b.Store.DeferDelivery(ctx, d, after, why) })
}

func (b *broken) OpenRequest(ctx context.Context, o gate.Opening) (r gate.Record, joined bool, err error) {
	err = b.call("OpenRequest", func() (e error) { r, joined, e = b.Store.OpenRequest(ctx, o); return })
	return r, joined, err
}

func (b *broken) OpenRequests(ctx context.Context, r gate.RepositoryID) (out []gate.Record, err error) {
	err = b.call("OpenRequests", func() (e error) { out, e = b.Store.OpenRequests(ctx, r); return })
	return out, err
}

func (b *broken) ClaimDue(ctx context.Context, owner string, lease time.Duration) (r gate.Record, ok bool, err error) {
	err = b.call("ClaimDue", func() (e error) {
		r, ok, e = b.Store.ClaimDue(ctx, owner, lease)
		b.nothing = !ok
		return e
	})
	return r, ok && err == nil, err
}

func (b *broken) RecordDecision(ctx context.Context, j gate.Judged) (r gate.Record, err error) {
	err = b.call("RecordDecision", func() (e error) { r, e = b.Store.RecordDecision(ctx, j); return })
	return r, err
}

func (b *broken) Approvals(ctx context.Context, request string) (out []gate.Approval, err error) {
	err = b.call("Approvals", func() (e error) { out, e = b.Store.Approvals(ctx, request); return })
	return out, err
}

func (b *broken) Released(ctx context.Context, r gate.RepositoryID, stream string, limit int) (out []string, err error) {
	err = b.call("Released", func() (e error) { out, e = b.Store.Released(ctx, r, stream, limit); return })
	return out, err
}

func (b *broken) RecentOf(ctx context.Context, r gate.RepositoryID) (out []gate.Record, err error) {
	err = b.call("RecentOf", func() (e error) { out, e = b.Store.RecentOf(ctx, r); return })
	return out, err
}

func (b *broken) InForce(ctx context.Context, r gate.RepositoryID) (a gate.Adoption, err error) {
	err = b.call("InForce", func() (e error) { a, e = b.Store.InForce(ctx, r); return })
	return a, err
}

func (b *broken) BeginSigning(
	ctx context.Context, rec gate.Record, intents []gate.Intent, owner string, lease time.Duration,
) (r gate.Record, err error) {
	err = b.call("BeginSigning", func() (e error) { r, e = b.Store.BeginSigning(ctx, rec, intents, owner, lease); return })
	return r, err
}

func (b *broken) KeepSignatures(
	ctx context.Context, rec gate.Record, sigs []gate.Signature, certificate []byte, lease time.Duration,
) (r gate.Record, err error) {
	err = b.call("KeepSignatures", func() (e error) { r, e = b.Store.KeepSignatures(ctx, rec, sigs, certificate, lease); return })
	return r, err
}

func (b *broken) CompleteSealing(ctx context.Context, rec gate.Record, seal gate.Seal, posts []gate.Post) (r gate.Record, err error) {
	err = b.call("CompleteSealing", func() (e error) { r, e = b.Store.CompleteSealing(ctx, rec, seal, posts); return })
	return r, err
}

func (b *broken) DeferSealing(ctx context.Context, rec gate.Record, after time.Time, why string) error {
	return b.call("DeferSealing", func() error { return b.Store.DeferSealing(ctx, rec, after, why) })
}

func (b *broken) OrphanSigning(ctx context.Context, rec gate.Record) (r gate.Record, err error) {
	err = b.call("OrphanSigning", func() (e error) { r, e = b.Store.OrphanSigning(ctx, rec); return })
	return r, err
}

func (b *broken) FailSigning(ctx context.Context, rec gate.Record, why string, posts []gate.Post) (r gate.Record, err error) {
	err = b.call("FailSigning", func() (e error) { r, e = b.Store.FailSigning(ctx, rec, why, posts); return })
	return r, err
}

func (b *broken) ClaimPost(ctx context.Context, owner string, lease time.Duration) (p gate.Post, ok bool, err error) {
	err = b.call("ClaimPost", func() (e error) {
		p, ok, e = b.Store.ClaimPost(ctx, owner, lease)
		b.nothing = !ok
		return e
	})
	return p, ok && err == nil, err
}

func (b *broken) Posted(ctx context.Context, p gate.Post, known string) error {
	return b.call("Posted", func() error { return b.Store.Posted(ctx, p, known) })
}

func (b *broken) RefusePost(ctx context.Context, p gate.Post, after time.Time, why string) error {
	return b.call("RefusePost", func() error { return b.Store.RefusePost(ctx, p, after, why) })
}

func (b *broken) DeferPost(ctx context.Context, p gate.Post, after time.Time, why string) error {
	return b.call("DeferPost", func() error { return b.Store.DeferPost(ctx, p, after, why) })
}

func (b *broken) Hear(ctx context.Context, heard gate.Heard) error {
	return b.call("Hear", func() error { return b.Store.Hear(ctx, heard) })
}

func (b *broken) Proposal(ctx context.Context, r gate.RepositoryID) (p gate.Proposal, ok bool, err error) {
	err = b.call("Proposal", func() (e error) { p, ok, e = b.Store.Proposal(ctx, r); return })
	return p, ok, err
}

func (b *broken) Snapshots(ctx context.Context, r gate.RepositoryID, ref string, since time.Time) (out []gate.Snapshot, err error) {
	err = b.call("Snapshots", func() (e error) { out, e = b.Store.Snapshots(ctx, r, ref, since); return })
	return out, err
}

func (b *broken) Deployments(ctx context.Context, r gate.RepositoryID, run int64) (out []gate.Deployment, err error) {
	err = b.call("Deployments", func() (e error) { out, e = b.Store.Deployments(ctx, r, run); return })
	return out, err
}

func (b *broken) RecordWatched(ctx context.Context, r gate.RepositoryID, p gate.Proposal) error {
	return b.call("RecordWatched", func() error { return b.Store.RecordWatched(ctx, r, p) })
}

func (b *broken) FinishChange(ctx context.Context, c gate.ChangeRef, posts []gate.Post) error {
	return b.call("FinishChange", func() error { return b.Store.FinishChange(ctx, c, posts) })
}
