package release

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
)

// seal completes the evidence of a release whose signatures are on record: a published
// checkpoint that covers them, cosigned by as many witnesses as the policy asks for, and a
// timestamp over each. Only then are they handed out, and people told. What cannot be had
// now is asked for again; the signatures stay as they are.
func (g *Gate) seal(ctx context.Context, rec gate.Record) error {
	ctx, stop := lingering(ctx)
	defer stop()
	signed, err := g.Store.Signatures(ctx, rec.Request.ID)
	if err != nil {
		return err
	}
	seal, stream, err := g.sealOf(ctx, rec, signed)
	kept, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTime)
	defer cancel()
	if err != nil {
		age := g.Now().Sub(signed[0].Signature.At)
		wait := min(max(sealRetry, age/4), sealRetryMost)
		g.Log.WarnContext(ctx, "release signed, its evidence waits", "request", rec.Request.ID, "retry_in", wait, "error", err)
		return errors.Join(g.tellSealing(kept, rec, age), g.Store.DeferSealing(kept, rec, g.Now().Add(wait), fmt.Sprint(gate.CodeOf(err))))
	}
	d := earlier(rec)
	posts := g.tell(kept, rec, d, d, gate.StateSigned, rec.Thread, gate.Case{Request: rec.Request, Policy: gate.Policy{Streams: []gate.Stream{stream}}})
	posts = append(posts, g.publications(rec, stream)...)
	g.told.Delete(rec.Request.ID)
	if _, err := g.Store.CompleteSealing(kept, rec, seal, posts); err != nil {
		return fmt.Errorf("complete sealing of %s: %w", rec.Request.ID, err)
	}
	g.Log.InfoContext(ctx, "release sealed", "request", rec.Request.ID, "checkpoint", seal.Checkpoint.Size,
		"witnesses", len(seal.Checkpoint.Witnesses))
	return nil
}

// lingering is a context that outlives ctx by finishTime: what is broken off stays leased,
// and whoever starts the process again would have to wait for that.
func lingering(ctx context.Context) (context.Context, func()) {
	out, cancel := context.WithCancel(context.WithoutCancel(ctx))
	end := context.AfterFunc(ctx, func() { time.AfterFunc(finishTime, cancel) })
	return out, func() { end(); cancel() }
}

// tellSealing tells people, once, that a release has to wait for its evidence.
func (g *Gate) tellSealing(ctx context.Context, rec gate.Record, age time.Duration) error {
	if age < sealTold {
		return nil
	}
	if _, told := g.told.LoadOrStore(rec.Request.ID, true); told {
		return nil
	}
	d := earlier(rec)
	return g.Store.Hear(ctx, gate.Heard{Posts: g.tell(ctx, rec, d, d, gate.StateSigning, rec.Thread, gate.Case{})})
}

// sealOf gathers the evidence. The checkpoint comes first: where witnesses are away for
// long, an outside authority is not asked for the same timestamps again and again.
func (g *Gate) sealOf(ctx context.Context, rec gate.Record, signed []gate.SignedIntent) (gate.Seal, gate.Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, sealLease-sealMargin)
	defer cancel()
	stream, err := g.streamInForce(ctx, rec.Request)
	if err != nil {
		return gate.Seal{}, stream, err
	}
	last, certificate, err := entered(signed)
	if err != nil {
		return gate.Seal{}, stream, fmt.Errorf("seal release %s: %w", rec.Request.ID, err)
	}
	checkpoint, err := g.Ledger.Covering(ctx, last+1, stream.Witnesses)
	if err != nil {
		return gate.Seal{}, stream, err
	}
	stamps, err := g.stamps(ctx, signed)
	return gate.Seal{
		Request: rec.Request.ID, Checkpoint: checkpoint, Timestamps: stamps, Certificate: certificate, At: g.Now(),
	}, stream, err
}

// entered is the last of the release's entries in the ledger, and the certificate that they
// name; nil where they name none.
func entered(signed []gate.SignedIntent) (last int64, certificate []byte, err error) {
	last = -1
	for _, s := range signed {
		for _, e := range s.Entries {
			last = max(last, e.Index)
			if e.Variant == gate.VariantCertificate && certificate == nil {
				r, err := ledger.ParseRecord(e.Body)
				if err != nil {
					return 0, nil, fmt.Errorf("entry %d: %w", e.Index, err)
				}
				certificate = r.Key
			}
		}
	}
	if last < 0 {
		return 0, nil, errors.New("expected its entries in the ledger, got none")
	}
	return last, certificate, nil
}

// streamInForce is the stream's policy as it is now: what it asks for before signatures are
// handed out may have been tightened since.
func (g *Gate) streamInForce(ctx context.Context, r gate.Request) (gate.Stream, error) {
	adopted, err := g.Store.InForce(ctx, r.Repository)
	if err != nil {
		return gate.Stream{}, err
	}
	p, err := g.compile(adopted)
	if err != nil {
		return gate.Stream{}, err
	}
	stream, ok := p.StreamByName(r.Stream)
	if !ok {
		return gate.Stream{}, &gate.Error{
			Kind: gate.Conflict, Code: gate.CodeStreamUnknown, Text: "the policy in force has no such stream any more",
			Expected: "the stream that was signed", Got: r.Stream, Fix: "put the stream back: what it asks of the evidence is not known otherwise",
		}
	}
	return stream, nil
}

// stampsAtOnce is how many timestamps are asked for at the same time.
const stampsAtOnce = 8

// stamps are the timestamps over every signature that goes into a bundle, by intent.
func (g *Gate) stamps(ctx context.Context, signed []gate.SignedIntent) (map[string][]byte, error) {
	stamped := make([][]byte, len(signed))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(stampsAtOnce)
	for i, s := range signed {
		if s.Intent.Kind == gate.IntentSums {
			continue // its formats have no place for one
		}
		group.Go(func() (err error) {
			stamped[i], err = g.Authority.Timestamp(ctx, s.Signature.Bytes)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	out := map[string][]byte{}
	for i, s := range signed {
		if stamped[i] != nil {
			out[s.Intent.ID] = stamped[i]
		}
	}
	return out, nil
}

// certificate is that of the granted key in the repository's name; nil where there is to be
// none.
func (g *Gate) certificate(ctx context.Context, grant gate.Grant, c gate.Case) ([]byte, error) {
	repo, ok := c.Evidence.Repository.Get()
	switch {
	case g.Certify == CertifyNone || !ok || repo.URL == "":
		return nil, nil
	case g.Certify != CertifyAll && (repo.Private || grant.Request().Private):
		return nil, nil
	}
	return g.Authority.Certificate(ctx, grant.Key(), g.identity(repo))
}

// identity is what a certificate says: the policy file, on the branch where it is kept.
func (g *Gate) identity(repo gate.RepositoryFacts) gate.Identity {
	return gate.Identity{
		Issuer: g.Server.String(), Repository: repo.URL, Owner: ownerURL(repo.URL),
		PolicyURI:    repo.URL + "/.countersign.yaml@refs/heads/" + repo.DefaultBranch,
		RepositoryID: fmt.Sprint(repo.ID.ID), OwnerID: fmt.Sprint(repo.Owner.ID),
	}
}

// unfit says why nothing is signed now; "" where the ledger is fit for it. A gate that only
// foretells has no ledger of its own.
func (g *Gate) unfit(ctx context.Context) string {
	if g.Ledger == nil {
		return ""
	}
	err := g.Ledger.Fit(ctx)
	var known *gate.Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &known):
		return known.Text
	}
	return "the ledger cannot be looked at"
}
