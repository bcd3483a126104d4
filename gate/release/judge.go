package release

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/policy"
)

// JudgeNext judges one request that is due and, where it is granted, signs it. It
// reports whether there was one.
func (g *Gate) JudgeNext(ctx context.Context) (bool, error) {
	rec, ok, err := g.Store.ClaimDue(ctx, g.Owner, judgeLease)
	if err != nil || !ok {
		return false, err
	}
	if rec.State == gate.StateSigning {
		// Whoever signed never came back: the attempt ends on record before anything
		// else is asked of the HSM.
		id := rec.Request.ID
		rec, err = g.Store.OrphanSigning(ctx, rec)
		if err != nil {
			return true, fmt.Errorf("orphan signing of %s: %w", id, err)
		}
		g.Log.WarnContext(ctx, "signing attempt ended unknown", "request", rec.Request.ID, "attempt", rec.Signing)
	}
	return true, g.judge(ctx, rec)
}

// judge reads fresh evidence and decides. What stands in the way for good (a policy
// that this version does not read, a forge that is no longer configured) is a
// decision too: people have to see it, and the request still has to expire.
func (g *Gate) judge(ctx context.Context, rec gate.Record) error {
	c, err := g.caseOf(ctx, rec)
	if gate.KindOf(err) == gate.Unavailable {
		return fmt.Errorf("judge %s: %w", rec.Request.ID, err)
	}
	if err != nil {
		g.Log.ErrorContext(ctx, "release cannot be judged", "request", rec.Request.ID, "error", err)
		c = gate.Case{Request: rec.Request}
		d := unjudged(c, err, g.Now())
		return g.settle(ctx, rec, c, d, nextUnjudged(d))
	}
	d := gate.Decide(c, g.Now())
	return g.settle(ctx, rec, c, d, next(rec, d))
}

// settle stores the decision, where it says something new, and signs on a grant.
func (g *Gate) settle(ctx context.Context, rec gate.Record, c gate.Case, d gate.Decision, to gate.State) error {
	if err := Transition(rec.State, to); err != nil {
		return err
	}
	judged := gate.Judged{Record: rec, Decision: d, To: to, Thread: rec.Thread, Look: g.look(d, rec.Request)}
	if to.Ended() {
		judged.Look = time.Time{}
	}
	before := earlier(rec)
	judged.Unchanged = to == rec.State && sameDecision(rec.Decision, d)
	if !judged.Unchanged {
		if judged.Thread == (gate.Thread{}) {
			judged.Thread = threadOf(rec.Request, c.Evidence)
		}
		judged.Posts = g.tell(rec, before, d, to, judged.Thread, c, g.several(ctx, rec, judged.Thread))
	}
	id := rec.Request.ID
	rec, err := g.Store.RecordDecision(ctx, judged)
	if err != nil {
		return fmt.Errorf("record decision on %s: %w", id, err)
	}
	g.Log.InfoContext(ctx, "release judged", "request", rec.Request.ID, "outcome", d.Outcome.String(),
		"state", string(to), "changed", !judged.Unchanged)
	if grant, ok := d.Grant(); ok {
		return g.sign(ctx, rec, d, grant, c)
	}
	return nil
}

// caseOf gathers what one judgement looks at.
func (g *Gate) caseOf(ctx context.Context, rec gate.Record) (gate.Case, error) {
	r := rec.Request
	port, err := g.port(r.Repository.Forge)
	if err != nil {
		return gate.Case{}, err
	}
	adopted, err := g.Store.InForce(ctx, r.Repository)
	if err != nil {
		return gate.Case{}, err
	}
	statements, err := g.Store.Approvals(ctx, r.ID)
	if err != nil {
		return gate.Case{}, err
	}
	since, err := g.Store.Released(ctx, r.Repository, r.Stream, releasesKept)
	if err != nil {
		return gate.Case{}, err
	}
	p, err := g.compile(adopted)
	if err != nil {
		return gate.Case{}, err
	}
	stream, _ := p.StreamByName(r.Stream)
	released := append(since, adopted.Baseline)
	c := gate.Case{
		Request: r, Policy: p, Released: released, Key: g.Keys.Key(r.Key, r.Repository, r.Owner),
		Evidence: port.Evidence(ctx, r, policy.Needs(stream, r, released, statements)),
	}
	for _, s := range statements {
		if s.Verb == gate.VerbDeny {
			c.Denials = append(c.Denials, s)
		} else {
			c.Approvals = append(c.Approvals, s)
		}
	}
	return c, nil
}

// look is when to look again without a delivery.
func (g *Gate) look(d gate.Decision, r gate.Request) time.Time {
	wait := sweepEvery
	if d.Unread() {
		wait = unreadEvery
	}
	at := g.Now().Add(wait)
	if r.Expires.Before(at) {
		at = r.Expires
	}
	return at
}

// earlier is the decision that the record holds, or the zero decision.
func earlier(rec gate.Record) gate.Decision {
	var d gate.Decision
	if len(rec.Decision) > 0 {
		// What does not decode is no decision: the new one is then stored as a change.
		_ = json.Unmarshal(rec.Decision, &d)
	}
	return d
}

// threadOf finds where people talk about the request: the PR or MR whose merge is
// the release commit. The zero thread asks for a release issue, once it is known
// that there is no such PR or MR.
func threadOf(r gate.Request, e gate.Evidence) gate.Thread {
	changes, _ := e.Changes.Get()
	for _, c := range changes {
		if !c.Direct() && (c.MergeCommit == r.Commit || c.Head == r.Commit) {
			return gate.Thread{Number: c.Number}
		}
	}
	return gate.Thread{}
}
