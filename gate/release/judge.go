package release

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
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
	if rec.Sealing {
		return true, g.seal(ctx, rec)
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
	c, found, err := g.caseOf(ctx, rec)
	if err == nil && found {
		return nil // what was found made the request due again, with it
	}
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
		judged.Snapshots = snapshots(rec.Request, c.Evidence)
		if judged.Thread == (gate.Thread{}) {
			judged.Thread = threadOf(rec.Request, c.Evidence)
		}
		judged.Posts = g.tell(ctx, rec, before, d, to, judged.Thread, c)
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
	if to == gate.StateDenied {
		g.pronounce(ctx, rec)
	}
	if posts := g.reminders(rec, d, to); len(posts) > 0 {
		return g.Store.Hear(ctx, gate.Heard{Posts: posts})
	}
	return nil
}

// caseOf gathers what one judgement looks at. It reports whether the thread held
// statements that never arrived: those are stored now, and the case lacks them.
func (g *Gate) caseOf(ctx context.Context, rec gate.Record) (gate.Case, bool, error) {
	port, err := g.port(rec.Request.Repository.Forge)
	if err != nil {
		return gate.Case{}, false, err
	}
	statements, err := g.Store.Approvals(ctx, rec.Request.ID)
	if err != nil {
		return gate.Case{}, false, err
	}
	c, err := g.caseWith(ctx, port, rec, statements)
	if err != nil {
		return gate.Case{}, false, err
	}
	found, err := g.unheard(ctx, rec, statements, c)
	return c, found, err
}

func (g *Gate) caseWith(ctx context.Context, port Port, rec gate.Record, statements []gate.Approval) (gate.Case, error) {
	r := rec.Request
	adopted, err := g.Store.InForce(ctx, r.Repository)
	if err != nil {
		return gate.Case{}, err
	}
	p, err := g.compile(adopted)
	if err != nil {
		return gate.Case{}, err
	}
	since, err := g.Store.Released(ctx, r.Repository, r.Stream, releasesKept)
	if err != nil {
		return gate.Case{}, err
	}
	stream, _ := p.StreamByName(r.Stream)
	key := g.Keys.Key(r.Key, r.Repository, r.Owner)
	key.Unfit = g.unfit(ctx)
	c := gate.Case{Request: r, Policy: p, Released: append(since, adopted.Baseline), Key: key}
	c.Approvals, c.Denials, c.Holds = gate.SortStatements(statements)
	c.Thread = rec.Thread
	needs := policy.Needs(stream, r, c.Released, statements)
	needs.Thread, needs.ThreadSince = rec.Thread, r.Created
	c.Evidence, c.Owners = g.evidence(ctx, port, r, stream, needs)
	if err := g.history(ctx, &c); err != nil {
		return gate.Case{}, err
	}
	return c, nil
}

// evidence reads what needs asks for. Whose rights and teams count beside the approvers'
// is known only then: those of reviewers, where their reviews are approvals or they own
// files, and the teams that the code owners' file names. With those it reads again.
func (g *Gate) evidence(ctx context.Context, port Port, r gate.Request, s gate.Stream, needs gate.Needs) (gate.Evidence, gate.Owners) {
	e := port.Evidence(ctx, r, needs)
	owners := g.owners(ctx, port, r, e)
	accounts, teams := slices.Clone(needs.Accounts), slices.Clone(needs.Teams)
	if owners != nil {
		teams = joined(teams, owners.Teams())
	}
	if owners != nil || s.Bind == gate.BindCommit {
		accounts = joined(accounts, reviewers(e))
	}
	if len(accounts) == len(needs.Accounts) && len(teams) == len(needs.Teams) {
		return e, owners
	}
	needs.Accounts, needs.Teams = accounts, teams
	return port.Evidence(ctx, r, needs), owners
}

// owners compiles the code owners' file; nil where there is none that reads.
func (g *Gate) owners(ctx context.Context, port Port, r gate.Request, e gate.Evidence) gate.Owners {
	file, ok := e.Owners.Get()
	if !ok {
		return nil
	}
	owners, err := policy.CompileOwners(file, port.Kind)
	if err != nil {
		g.Log.WarnContext(ctx, "code owners not read", "request", r.ID, "path", file.Path, "error", err)
		return nil
	}
	return owners
}

// reviewers are the people whose approving reviews were read.
func reviewers(e gate.Evidence) []gate.AccountID {
	var out []gate.AccountID
	changes, _ := e.Changes.Get()
	for _, c := range changes {
		reviews, _ := c.Reviews.Get()
		for _, v := range reviews {
			if v.Approved && v.By.Human {
				out = append(out, v.By.ID)
			}
		}
	}
	return out
}

// joined adds what a list lacks.
func joined[T comparable](list, more []T) []T {
	for _, x := range more {
		if !slices.Contains(list, x) {
			list = append(list, x)
		}
	}
	return list
}

// history adds what is kept from before: the branch's earlier protections, and a newer
// policy that is not in force.
func (g *Gate) history(ctx context.Context, c *gate.Case) error {
	newer, ok, err := g.Store.Proposal(ctx, c.Request.Repository)
	if err != nil {
		return err
	}
	if ok {
		c.Newer = newer
	}
	if b, ok := c.Evidence.Branch.Get(); ok {
		c.Seen, err = g.Store.Snapshots(ctx, c.Request.Repository, "refs/heads/"+b.Name, time.Time{})
	}
	return err
}

// snapshots are the protections that the evidence holds, to be kept over time.
func snapshots(r gate.Request, e gate.Evidence) []gate.Snapshot {
	b, ok := e.Branch.Get()
	if !ok || b.Protection.IsUnknown() {
		return nil
	}
	return []gate.Snapshot{{Repository: r.Repository, Ref: "refs/heads/" + b.Name, At: e.ReadAt, Protection: b.Protection}}
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
