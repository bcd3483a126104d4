package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/store/internal/db"
)

func changeRow(c gate.ChangeRef) string {
	return fmt.Sprintf("change %d of %s", c.Number, c.Repository)
}

// ringChanges makes PRs/MRs due to be looked at, each once; one that is looked at now is
// looked at again afterwards.
func (u *unit) ringChanges(ctx context.Context, all []gate.ChangeRef) error {
	sorted := slices.SortedFunc(slices.Values(all), func(a, b gate.ChangeRef) int {
		return cmp.Or(cmp.Compare(a.Repository.ID, b.Repository.ID), cmp.Compare(a.Number, b.Number))
	})
	for _, c := range sorted {
		if c.Repository.ID == 0 || c.Number == 0 {
			return internal("look at a change: expected a repository and a number, got %s", changeRow(c))
		}
		rung, err := u.q.RingChange(ctx, db.RingChangeParams{
			Forge: string(c.Repository.Forge), RepositoryID: c.Repository.ID, Number: c.Number, DueAt: u.at,
		})
		if err != nil {
			return fmt.Errorf("ring for %s: %w", changeRow(c), err)
		}
		if rung == 1 {
			u.arrive(changeTenant(c))
		}
		u.stir(changeTenant(c), u.at)
		u.news = true
	}
	return nil
}

func changeTenant(c gate.ChangeRef) tenant {
	return repositoryTenant(queueChange, string(c.Repository.Forge), c.Repository.ID)
}

// ClaimChange leases a PR/MR that is due: that of the repository which was served longest
// ago, of those the one that is due longest.
func (s *Store) ClaimChange(ctx context.Context, owner string, lease time.Duration) (gate.ChangeRef, bool, error) {
	var c gate.ChangeRef
	claim := newClaim()
	ok, err := s.claimInTurn(ctx, "claim a change", queueChange, claimer{
		claim: func(ctx context.Context, u *unit, t db.Turn) (bool, error) {
			repository, err := turnOf(t)
			if err != nil {
				return false, err
			}
			row, err := u.q.DueChangeSkipLocked(ctx, db.DueChangeSkipLockedParams{
				Forge: t.Forge, RepositoryID: repository, Now: u.at,
			})
			if ok, err := found(err); err != nil || !ok {
				return false, err
			}
			c = gate.ChangeRef{
				Repository: gate.RepositoryID{Forge: gate.ForgeID(row.Forge), ID: row.RepositoryID}, Number: row.Number,
			}
			return true, u.q.LeaseChange(ctx, db.LeaseChangeParams{
				LeaseOwner: owner, LeaseUntil: u.until(lease), Claim: claim,
				Forge: row.Forge, RepositoryID: row.RepositoryID, Number: row.Number,
			})
		},
		next: func(ctx context.Context, u *unit, t db.Turn) (int64, error) {
			repository, err := turnOf(t)
			if err != nil {
				return 0, err
			}
			return u.q.NextChange(ctx, db.NextChangeParams{Now: u.at, Blocked: u.at, Forge: t.Forge, RepositoryID: repository})
		},
	})
	if err != nil || !ok {
		return gate.ChangeRef{}, false, err
	}
	s.held.take(changeRow(c), claim)
	return c, true, nil
}

// FinishChange ends it and stores its posts. Where it rang since it was claimed it is due
// again. CodeTransition, and nothing is stored, where it has ended or another process
// claimed it since.
func (s *Store) FinishChange(ctx context.Context, c gate.ChangeRef, posts []gate.Post) error {
	err := s.transact(ctx, "finish "+changeRow(c), func(ctx context.Context, u *unit) error {
		row, err := s.claimedChange(ctx, u, c)
		if err != nil {
			return err
		}
		if row.Rung > row.Heard {
			err = u.scheduleChange(ctx, row, u.at, "")
		} else {
			u.leave(changeTenant(c), 1)
			err = u.q.EndChange(ctx, db.EndChangeParams{Forge: row.Forge, RepositoryID: row.RepositoryID, Number: row.Number})
		}
		if err != nil {
			return err
		}
		return u.enqueue(ctx, posts)
	})
	if err == nil {
		s.held.drop(changeRow(c))
	}
	return err
}

// DeferChange gives the lease back until after, or at once where it rang since it was claimed.
func (s *Store) DeferChange(ctx context.Context, c gate.ChangeRef, after time.Time, why string) error {
	err := s.transact(ctx, "defer "+changeRow(c), func(ctx context.Context, u *unit) error {
		row, err := s.claimedChange(ctx, u, c)
		if err != nil {
			return err
		}
		due := micros(after)
		if row.Rung > row.Heard {
			due = min(due, u.at)
		}
		return u.scheduleChange(ctx, row, due, plain(why))
	})
	if err == nil {
		s.held.drop(changeRow(c))
	}
	return err
}

func (u *unit) scheduleChange(ctx context.Context, row db.PolicyChange, due int64, why string) error {
	u.news = u.news || due <= u.at
	u.stir(repositoryTenant(queueChange, row.Forge, row.RepositoryID), due)
	return u.q.ScheduleChange(ctx, db.ScheduleChangeParams{
		DueAt: due, Why: why, Forge: row.Forge, RepositoryID: row.RepositoryID, Number: row.Number,
	})
}

// claimedChange locks a change that no other process claimed after this one.
func (s *Store) claimedChange(ctx context.Context, u *unit, c gate.ChangeRef) (db.PolicyChange, error) {
	row, err := u.q.ChangeForUpdate(ctx, db.ChangeForUpdateParams{
		Forge: string(c.Repository.Forge), RepositoryID: c.Repository.ID, Number: c.Number,
	})
	ok, err := found(err)
	switch {
	case err != nil:
		return row, fmt.Errorf("lock %s: %w", changeRow(c), err)
	case !ok:
		return row, transition(changeRow(c), "one to look at", "one that is done or was never stored")
	}
	return row, s.held.check(changeRow(c), row.Claim)
}
