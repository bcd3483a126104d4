package release

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest"
)

const (
	pronounceEvery = 10 * time.Minute
	pronounceMost  = 100
)

// pronounce signs, with the verdict key, that the gate refused a release. The denial stands
// whether or not that succeeds: what could not be signed now is signed by the next round of
// [Gate.PronounceAll].
func (g *Gate) pronounce(ctx context.Context, rec gate.Record) {
	if err := g.pronounceOne(ctx, rec); err != nil {
		g.Log.WarnContext(ctx, "refusal not signed yet", "request", rec.Request.ID, "error", err)
	}
}

func (g *Gate) pronounceOne(ctx context.Context, rec gate.Record) error {
	port := g.Forges[rec.Request.Repository.Forge]
	statement, err := attest.Refusal(attest.Verdict{
		Server: g.Server.String(), Repository: port.page(rec.Request.RepositoryName), Request: rec.Request, Decision: earlier(rec),
	})
	if err != nil {
		return err
	}
	v, err := g.Authority.Verdict(ctx, rec.Request.ID, statement)
	if err != nil {
		return err
	}
	if v.Timestamp, err = g.Authority.Timestamp(ctx, v.Signature); err != nil {
		return err
	}
	return g.Store.KeepVerdict(ctx, v)
}

// PronounceAll signs the refusals that could not be signed when they were made.
func (g *Gate) PronounceAll(ctx context.Context) error {
	unsaid, err := g.Store.Unsaid(ctx, pronounceMost)
	if err != nil {
		return err
	}
	var errs []error
	for _, rec := range unsaid {
		if err := g.pronounceOne(ctx, rec); err != nil {
			errs = append(errs, fmt.Errorf("sign the refusal of %s: %w", rec.Request.ID, err))
		}
	}
	return errors.Join(errs...)
}

// pronouncing signs what is left to sign, from time to time, until ctx ends.
func (g *Gate) pronouncing(ctx context.Context) {
	for {
		_, err := contained(ctx, func(ctx context.Context) (bool, error) { return true, g.PronounceAll(ctx) })
		if err != nil && ctx.Err() == nil {
			g.Log.WarnContext(ctx, "refusals not signed yet", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pronounceEvery):
		}
	}
}

// Refusal gives the signed statement about a denied request: a verification summary that
// says FAILED. CodeSealing where it is not published yet, CodeEnded where the request ended
// in another way.
func (g *Gate) Refusal(ctx context.Context, rec gate.Record) ([]attest.File, error) {
	if rec.State != gate.StateDenied {
		return nil, &gate.Error{
			Kind: gate.Conflict, Code: gate.CodeEnded, Text: "only a denied request has a verdict of its own",
			Expected: "denied", Got: string(rec.State), Fix: "collect a signed request's files",
		}
	}
	v, entries, ok, err := g.Store.Verdict(ctx, rec.Request.ID)
	if err != nil {
		return nil, err
	}
	if !ok || len(entries) == 0 {
		return nil, &gate.Error{
			Kind: gate.Unavailable, Code: gate.CodeSealing, Text: "the verdict is not signed yet", Fix: "try again in a minute",
		}
	}
	index := entries[0].Index
	checkpoint, err := g.Ledger.Covering(ctx, index+1, 0)
	if err != nil {
		return nil, err
	}
	proofs, err := g.Ledger.Prove(ctx, checkpoint.Size, []int64{index})
	if err != nil {
		return nil, err
	}
	return attest.VerdictFiles(attest.ReleaseName(rec.Request.Ref), v, entries, checkpoint, proofs, v.Timestamp)
}
