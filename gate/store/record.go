package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/store/internal/db"
)

// record reads a row with its actors.
func record(ctx context.Context, q *db.Queries, row db.Request) (gate.Record, error) {
	actors, err := q.Actors(ctx, row.ID)
	if err != nil {
		return gate.Record{}, fmt.Errorf("list the actors of request %s: %w", row.ID, err)
	}
	return recordOf(row, actors)
}

func recordOf(row db.Request, actors []db.Actor) (gate.Record, error) {
	r := gate.Record{
		State: gate.State(row.State), Version: row.Version,
		Thread:  gate.Thread{Number: row.ThreadNumber, Issue: row.ThreadIssue == 1},
		Signing: int(row.Signing), Orphans: int(row.Orphans), Sealing: sealing(row), Updated: fromMicros(row.UpdatedAt),
	}
	if err := json.Unmarshal([]byte(row.Document), &r.Request); err != nil {
		return gate.Record{}, internal("decode request %s: %w", row.ID, err)
	}
	if r.Sealing {
		r.Unsealed = row.UnsealedWhy
	}
	if row.Decision != "" {
		r.Decision = json.RawMessage(row.Decision)
	}
	r.Request.Actors = make([]gate.Account, 0, len(actors))
	for _, a := range actors {
		r.Request.Actors = append(r.Request.Actors, gate.Account{
			ID:    gate.AccountID{Forge: gate.ForgeID(a.Forge), ID: a.AccountID},
			Login: a.Login, Human: a.Human == 1,
		})
	}
	return r, nil
}

// sealing reports whether a request's signatures are on record and not handed out yet.
func sealing(row db.Request) bool {
	return row.State == string(gate.StateSigning) && row.ReleasedAt > 0
}

func records(ctx context.Context, q *db.Queries, rows []db.Request) ([]gate.Record, error) {
	actors := map[string][]db.Actor{}
	for some := range slices.Chunk(rows, 10) {
		// The last one stands for those that are missing of ten.
		id := func(i int) string { return some[min(i, len(some)-1)].ID }
		found, err := q.ActorsOf(ctx, db.ActorsOfParams{
			Id0: id(0), Id1: id(1), Id2: id(2), Id3: id(3), Id4: id(4),
			Id5: id(5), Id6: id(6), Id7: id(7), Id8: id(8), Id9: id(9),
		})
		if err != nil {
			return nil, fmt.Errorf("list the actors of %d requests: %w", len(some), err)
		}
		for _, a := range found {
			actors[a.RequestID] = append(actors[a.RequestID], a)
		}
	}
	out := make([]gate.Record, 0, len(rows))
	for _, row := range rows {
		r, err := recordOf(row, actors[row.ID])
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// locked reads a request for changing it.
func (u *unit) locked(ctx context.Context, id string) (db.Request, error) {
	row, err := u.q.RequestForUpdate(ctx, id)
	ok, err := found(err)
	if err != nil {
		return db.Request{}, fmt.Errorf("lock request %s: %w", id, err)
	}
	if !ok {
		return db.Request{}, unknownRequest(id)
	}
	return row, nil
}

// current is locked, if the request is still as rec says.
func (u *unit) current(ctx context.Context, rec gate.Record, states ...gate.State) (db.Request, error) {
	row, err := u.locked(ctx, rec.Request.ID)
	if err != nil {
		return db.Request{}, err
	}
	for _, s := range states {
		if gate.State(row.State) == s && row.Version == rec.Version {
			return row, nil
		}
	}
	return db.Request{}, stale(row, rec)
}

func stale(row db.Request, rec gate.Record) error {
	return transition("request "+row.ID,
		fmt.Sprintf("version %d, %s", rec.Version, rec.State),
		fmt.Sprintf("version %d, %s", row.Version, row.State))
}

// save stores a changed row as the next version.
func (u *unit) save(ctx context.Context, row *db.Request) error {
	old, before := row.Version, row.Ended
	row.Version++
	row.UpdatedAt = u.at
	row.Ended = flag(gate.State(row.State).Ended())
	if row.Ended == 1 {
		row.DueAt = 0
		release(row)
		u.leave(requestTenant(*row), int64(1-before))
		if before == 0 && row.SignedAt == 0 {
			if err := u.countDecided(ctx, *row, 0); err != nil {
				return err
			}
		}
		if before == 0 && row.State == string(gate.StateDenied) {
			row.Unsaid = 1
		}
	} else {
		u.stir(requestTenant(*row), row.DueAt)
	}
	n, err := u.q.SaveRequest(ctx, db.SaveRequestParams{
		State: row.State, Ended: row.Ended, Version: row.Version, ThreadNumber: row.ThreadNumber,
		ThreadIssue: row.ThreadIssue, Decision: row.Decision, Signing: row.Signing, Orphans: row.Orphans,
		DueAt: row.DueAt, LeaseOwner: row.LeaseOwner, LeaseUntil: row.LeaseUntil, UpdatedAt: row.UpdatedAt,
		SignedAt:   row.SignedAt,
		ReleasedAt: row.ReleasedAt, Unsaid: row.Unsaid, ID: row.ID, OldVersion: old,
	})
	if err != nil {
		return fmt.Errorf("save request %s: %w", row.ID, err)
	}
	if n != 1 {
		return transition("request "+row.ID, fmt.Sprintf("version %d", old), "another")
	}
	u.news = true
	return nil
}

func requestTenant(row db.Request) tenant {
	return repositoryTenant(queueRequest, row.Forge, row.RepositoryID)
}

// release gives the lease on a request back.
func release(row *db.Request) { row.LeaseOwner, row.LeaseUntil = "", 0 }

// disturb makes a request due at once and takes it from whoever judges it now: what
// they read is no longer all there is, and their decision will not be stored. A
// signing lease stays, since the HSM may be at work under it.
func (u *unit) disturb(row *db.Request) {
	switch gate.State(row.State) {
	case gate.StateWaiting, gate.StateGranted:
		release(row)
		row.DueAt = u.at
	default: // signing runs to its end; what is signed or ended is judged no more
	}
}

// ring makes a request due at once, and again after the judgement under way, which may
// have read the forge too early.
func (u *unit) ring(ctx context.Context, row db.Request) error {
	if row.Ended == 1 || row.State == string(gate.StateSigned) {
		return nil
	}
	if err := u.q.RingRequest(ctx, db.RingRequestParams{ID: row.ID, DueAt: u.at}); err != nil {
		return fmt.Errorf("ring for request %s: %w", row.ID, err)
	}
	u.stir(requestTenant(row), u.at)
	u.news = true
	return nil
}
