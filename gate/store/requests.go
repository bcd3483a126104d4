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

// pageSize is how many requests of one repository a page shows.
const pageSize = 100

// Request finds one by id.
func (s *Store) Request(ctx context.Context, id string) (gate.Record, error) {
	if !storable(id) {
		return gate.Record{}, unknownRequest(id)
	}
	q := s.read()
	row, err := q.Request(ctx, id)
	ok, err := found(err)
	if err != nil {
		return gate.Record{}, fault("read request "+id, err)
	}
	if !ok {
		return gate.Record{}, unknownRequest(id)
	}
	rec, err := record(ctx, q, row)
	return rec, fault("read request "+id, err)
}

// OpenRequests lists the requests of a repository that have not ended, the oldest first.
func (s *Store) OpenRequests(ctx context.Context, r gate.RepositoryID) ([]gate.Record, error) {
	return s.list(ctx, func(q *db.Queries) ([]db.Request, error) {
		return q.OpenOfRepository(ctx, db.OpenOfRepositoryParams{Forge: string(r.Forge), RepositoryID: r.ID})
	})
}

// RecentOf lists the newest hundred requests of one repository, the newest first.
func (s *Store) RecentOf(ctx context.Context, r gate.RepositoryID) ([]gate.Record, error) {
	return s.list(ctx, func(q *db.Queries) ([]db.Request, error) {
		return q.RecentOfRepository(ctx, db.RecentOfRepositoryParams{
			Forge: string(r.Forge), RepositoryID: r.ID, Most: pageSize,
		})
	})
}

func (s *Store) list(ctx context.Context, rows func(*db.Queries) ([]db.Request, error)) ([]gate.Record, error) {
	q := s.read()
	listed, err := rows(q)
	if err != nil {
		return nil, fault("list requests", err)
	}
	out, err := records(ctx, q, listed)
	return out, fault("list requests", err)
}

// ClaimDue leases a request that is due: that of the repository which was served longest
// ago, of those the one that is due longest. One whose signing lease ran out is claimed in
// state signing.
func (s *Store) ClaimDue(ctx context.Context, owner string, lease time.Duration) (gate.Record, bool, error) {
	var rec gate.Record
	ok, err := s.claimInTurn(ctx, "claim a request", queueRequest, claimer{
		claim: func(ctx context.Context, u *unit, t db.Turn) (bool, error) {
			repository, err := turnOf(t)
			if err != nil {
				return false, err
			}
			row, err := u.q.DueRequestSkipLocked(ctx, db.DueRequestSkipLockedParams{
				Forge: t.Forge, RepositoryID: repository, Now: u.at,
			})
			if ok, err := found(err); err != nil || !ok {
				return false, err
			}
			if rec, err = record(ctx, u.q, row); err != nil {
				return false, err
			}
			return true, u.q.LeaseRequest(ctx, db.LeaseRequestParams{ID: row.ID, LeaseOwner: owner, LeaseUntil: u.until(lease)})
		},
		next: func(ctx context.Context, u *unit, t db.Turn) (int64, error) {
			repository, err := turnOf(t)
			if err != nil {
				return 0, err
			}
			return u.q.NextRequest(ctx, db.NextRequestParams{
				Now: u.at, Blocked: u.at, Forge: t.Forge, RepositoryID: repository,
			})
		},
	})
	if !ok {
		rec = gate.Record{}
	}
	return rec, ok, err
}

// RecordDecision stores a decision with its leaf, the state that follows and the posts,
// if the request is still as it was judged. A granted one stays due and leased: should
// its worker die before BeginSigning, another judges it again. What rang while it was
// judged makes it due at once, whatever j.Look says. Of an unchanged decision only the
// next look is stored, and the version stays.
func (s *Store) RecordDecision(ctx context.Context, j gate.Judged) (gate.Record, error) {
	id := j.Record.Request.ID
	if !decidable(j.To) || j.Unchanged && j.To != j.Record.State {
		return gate.Record{}, internal("decide on request %s: expected a state that this decision leads to from %s, got %s",
			id, j.Record.State, j.To)
	}
	var rec gate.Record
	err := s.transact(ctx, "store the decision on request "+id, func(ctx context.Context, u *unit) error {
		row, err := u.current(ctx, j.Record, gate.StateWaiting, gate.StateGranted)
		if err != nil {
			return err
		}
		if j.Unchanged {
			err = u.look(ctx, &row, j)
		} else {
			err = u.decide(ctx, &row, j)
		}
		if err != nil {
			return err
		}
		if err := u.keepSnapshots(ctx, j.Snapshots); err != nil {
			return err
		}
		rec, err = record(ctx, u.q, row)
		return err
	})
	return rec, err
}

func (u *unit) look(ctx context.Context, row *db.Request, j gate.Judged) error {
	u.schedule(row, j)
	u.stir(requestTenant(*row), row.DueAt)
	return u.q.ScheduleRequest(ctx, db.ScheduleRequestParams{
		ID: row.ID, DueAt: row.DueAt, LeaseOwner: row.LeaseOwner, LeaseUntil: row.LeaseUntil,
	})
}

func (u *unit) decide(ctx context.Context, row *db.Request, j gate.Judged) error {
	doc, err := json.Marshal(j.Decision)
	if err != nil {
		return internal("encode the decision on request %s: %w", row.ID, err)
	}
	from := gate.State(row.State)
	row.Decision, row.State = string(doc), string(j.To)
	if j.Thread.Number != 0 {
		u.stir(repositoryTenant(queuePost, row.Forge, row.RepositoryID), u.at) // comments that waited for it
		row.ThreadNumber, row.ThreadIssue = j.Thread.Number, flag(j.Thread.Issue)
	}
	u.schedule(row, j)
	if err := u.save(ctx, row); err != nil {
		return err
	}
	if err := u.q.InsertDecision(ctx, db.InsertDecisionParams{
		RequestID: row.ID, Version: row.Version, Outcome: j.Decision.Outcome.String(), State: row.State,
		Why: plain(obstacle(j.Decision.Checks)), Document: row.Decision, MadeAt: u.at,
	}); err != nil {
		return fmt.Errorf("store the decision: %w", err)
	}
	if err := u.record(ledger.Decision, row.ID, decisionDoc{
		V: docVersion, Request: row.ID, From: from, To: j.To, Decision: j.Decision,
	}); err != nil {
		return err
	}
	return u.enqueue(ctx, j.Posts)
}

// obstacle is the reason of what stands in the way first: of a denial before anything that
// can still come.
func obstacle(checks []gate.Check) string {
	var why string
	for _, c := range checks {
		switch {
		case c.Outcome == gate.Denied:
			return c.Reason
		case c.Outcome == gate.Waiting && why == "":
			why = c.Reason
		}
	}
	return why
}

// decidable reports whether a decision may lead to s; signing, signed and published
// have their own durable steps (I4).
func decidable(s gate.State) bool {
	switch s {
	case gate.StateWaiting, gate.StateGranted, gate.StateDenied, gate.StateWithdrawn,
		gate.StateExpired, gate.StateVoid, gate.StateFailed:
		return true
	case gate.StateSigning, gate.StateSigned, gate.StatePublished:
	}
	return false
}

// schedule says when the request is looked at next.
func (u *unit) schedule(row *db.Request, j gate.Judged) {
	if j.To == gate.StateGranted {
		row.DueAt = u.at
		return
	}
	release(row)
	row.DueAt = micros(j.Look)
	if row.Rung > row.Heard {
		row.DueAt = u.at
	}
}
