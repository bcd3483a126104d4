package release

import (
	"context"
	"slices"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/policy"
)

// replayed is how many releases a candidate policy is tried on.
const replayed = 5

// Replay tries a policy on the repository's last signed releases, newest first: each is
// judged again under it, on evidence as the forge shows it now. It stores nothing and
// signs nothing.
func (g *Gate) Replay(ctx context.Context, r gate.RepositoryID, file []byte) ([]gate.Replayed, error) {
	port, err := g.port(r.Forge)
	if err != nil {
		return nil, err
	}
	in, err := g.Store.InForce(ctx, r)
	if err != nil {
		return nil, err
	}
	in.File = file
	p, err := g.compile(in)
	if err != nil {
		return nil, err
	}
	recent, err := g.Store.RecentOf(ctx, r)
	if err != nil {
		return nil, err
	}
	var out []gate.Replayed
	for _, rec := range recent {
		if len(out) == replayed {
			break
		}
		if rec.State != gate.StateSigned && rec.State != gate.StatePublished {
			continue
		}
		one, err := g.replayOne(ctx, port, rec, p)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

func (g *Gate) replayOne(ctx context.Context, port Port, rec gate.Record, p gate.Policy) (gate.Replayed, error) {
	r := rec.Request
	one := gate.Replayed{Request: r.ID, Ref: r.Ref, Commit: r.Commit, Stream: r.Stream}
	stream, ok := p.StreamByName(r.Stream)
	if !ok {
		one.Why = "the policy has no stream " + r.Stream + " any more"
		return one, nil
	}
	statements, err := g.Store.Approvals(ctx, r.ID)
	if err != nil {
		return one, err
	}
	since, err := g.Store.Released(ctx, r.Repository, r.Stream, releasesKept)
	if err != nil {
		return one, err
	}
	if i := slices.Index(since, r.Commit); i >= 0 {
		since = since[i+1:] // what had been released when this one was judged
	}
	// It was given under another version of the file; what is tried is everything else.
	r.PolicyDigest, r.Expires = p.Digest, g.Now().Add(time.Hour)
	for i := range statements {
		statements[i].PolicyDigest = p.Digest
	}
	r.Key = stream.Key
	p.Mode = gate.Enforce
	c := gate.Case{
		Request: r, Policy: p, Released: append(since, p.Baseline), Key: g.Keys.Key(r.Key, r.Repository, r.Owner),
	}
	c.Approvals, c.Denials, c.Holds = gate.SortStatements(statements)
	c.Evidence, c.Owners = g.evidence(ctx, port, r, stream, policy.Needs(stream, r, c.Released, statements))
	d := gate.Decide(c, g.Now())
	one.Outcome = d.Outcome
	for _, check := range d.Checks {
		// When a release would be signed, and whether the HSM is here, is no question of the file.
		if check.Outcome == gate.Granted || check.Name == gate.CheckWindow || check.Name == gate.CheckKey && check.Unread {
			continue
		}
		one.Check, one.Why = check.Name, check.Reason
		break
	}
	if one.Why == "" {
		one.Outcome = gate.Granted
	}
	return one, nil
}
