package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/store/internal/db"
)

func watchedRow(r gate.RepositoryID) string { return "the policy of " + r.String() }

// ClaimWatched leases one repository with an adopted policy: first those that a delivery
// rang for, the longest due first; then the one whose last look is longest ago, if that
// is longer than every.
func (s *Store) ClaimWatched(ctx context.Context, owner string, every, lease time.Duration) (gate.Watched, bool, error) {
	var out gate.Watched
	var ok bool
	claim := newClaim()
	err := s.transact(ctx, "claim a watched policy", func(ctx context.Context, u *unit) error {
		row, err := u.q.DueWatchedSkipLocked(ctx, u.at)
		if ok, err = found(err); err == nil && !ok {
			row, err = u.q.UnwatchedSkipLocked(ctx, db.UnwatchedSkipLockedParams{Before: u.at - every.Microseconds(), Now: u.at})
			ok, err = found(err)
		}
		if err != nil || !ok {
			return err
		}
		out, err = u.watched(ctx, row)
		if err != nil {
			return err
		}
		return u.q.LeaseWatched(ctx, db.LeaseWatchedParams{
			LeaseOwner: owner, LeaseUntil: u.until(lease), Claim: claim, Forge: row.Forge, RepositoryID: row.RepositoryID,
		})
	})
	if err != nil || !ok {
		return gate.Watched{}, false, err
	}
	s.held.take(watchedRow(out.Adoption.Repository), claim)
	return out, true, nil
}

// watched reads what a row stands for.
func (u *unit) watched(ctx context.Context, row db.Watched) (gate.Watched, error) {
	var w gate.Watched
	doc, err := u.q.InForce(ctx, db.InForceParams{Forge: row.Forge, RepositoryID: row.RepositoryID})
	if err != nil {
		return w, fmt.Errorf("find the policy of %s:%d: %w", row.Forge, row.RepositoryID, err)
	}
	if err := json.Unmarshal([]byte(doc), &w.Adoption); err != nil {
		return w, internal("decode the policy in force of %s:%d: %w", row.Forge, row.RepositoryID, err)
	}
	w.Proposal, _, err = proposal(row.Proposal)
	return w, err
}

func proposal(doc string) (p gate.Proposal, ok bool, err error) {
	if doc == "" {
		return p, false, nil
	}
	if err := json.Unmarshal([]byte(doc), &p); err != nil {
		return p, false, internal("decode a proposal: %w", err)
	}
	return p, true, nil
}

// RecordWatched ends the lease and keeps the proposal; the zero Proposal, and one with the
// very file that is in force, keep none. A changed proposal makes the repository's open
// requests due. What rang during the look makes the repository due again. CodeTransition
// where nobody watches it, or where another process claimed it since.
func (s *Store) RecordWatched(ctx context.Context, r gate.RepositoryID, p gate.Proposal) error {
	p.Repository = r
	err := s.transact(ctx, "record the look at "+watchedRow(r), func(ctx context.Context, u *unit) error {
		open, err := u.q.OpenOfRepositoryForUpdate(ctx, db.OpenOfRepositoryForUpdateParams{
			Forge: string(r.Forge), RepositoryID: r.ID,
		})
		if err != nil {
			return fmt.Errorf("list the open requests of %s: %w", r, err)
		}
		row, err := u.q.WatchedForUpdate(ctx, db.WatchedForUpdateParams{Forge: string(r.Forge), RepositoryID: r.ID})
		ok, err := found(err)
		switch {
		case err != nil:
			return fmt.Errorf("lock %s: %w", watchedRow(r), err)
		case !ok:
			return transition(watchedRow(r), "a watched repository", "one without an adopted policy")
		}
		if err := s.held.check(watchedRow(r), row.Claim); err != nil {
			return err
		}
		doc, err := u.proposalDoc(ctx, r, p)
		if err != nil {
			return err
		}
		changed := doc != row.Proposal
		row.Proposal, row.LookedAt, row.DueAt = doc, u.at, 0
		if row.Rung > row.Heard {
			row.DueAt, u.news = u.at, true
		}
		if err := u.q.SaveWatched(ctx, db.SaveWatchedParams{
			Proposal: row.Proposal, LookedAt: row.LookedAt, DueAt: row.DueAt, Forge: row.Forge, RepositoryID: row.RepositoryID,
		}); err != nil {
			return fmt.Errorf("save %s: %w", watchedRow(r), err)
		}
		for i := 0; changed && i < len(open); i++ {
			if err := u.ring(ctx, open[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		s.held.drop(watchedRow(r))
	}
	return err
}

// proposalDoc is how a proposal is kept; "" where there is nothing to keep.
func (u *unit) proposalDoc(ctx context.Context, r gate.RepositoryID, p gate.Proposal) (string, error) {
	doc, err := json.Marshal(p)
	if err != nil {
		return "", internal("encode the proposal for %s: %w", r, err)
	}
	nothing, err := json.Marshal(gate.Proposal{Repository: r})
	if err != nil || string(doc) == string(nothing) {
		return "", err
	}
	inForce, err := u.q.InForce(ctx, db.InForceParams{Forge: string(r.Forge), RepositoryID: r.ID})
	if err != nil {
		return "", fmt.Errorf("find the policy of %s: %w", r, err)
	}
	var a gate.Adoption
	if err := json.Unmarshal([]byte(inForce), &a); err != nil {
		return "", internal("decode the policy in force of %s: %w", r, err)
	}
	if gate.SHA256(a.File) == p.Digest {
		return "", nil // it was adopted during the look
	}
	return string(doc), nil
}

// ringWatched makes repositories due whose policy is watched.
func (u *unit) ringWatched(ctx context.Context, all []gate.RepositoryID) error {
	sorted := slices.SortedFunc(slices.Values(all), func(a, b gate.RepositoryID) int {
		return cmp.Or(cmp.Compare(a.Forge, b.Forge), cmp.Compare(a.ID, b.ID))
	})
	for _, r := range slices.Compact(sorted) {
		n, err := u.q.RingWatched(ctx, db.RingWatchedParams{DueAt: u.at, Forge: string(r.Forge), RepositoryID: r.ID})
		if err != nil {
			return fmt.Errorf("ring for %s: %w", watchedRow(r), err)
		}
		u.news = u.news || n > 0
	}
	return nil
}

// watch puts a repository whose policy was adopted on the list, due at once: what the
// default branch holds by now may be newer. Its proposal is dropped where it was adopted.
func (u *unit) watch(ctx context.Context, a gate.Adoption) error {
	r := a.Repository
	if err := u.q.Watch(ctx, db.WatchParams{Forge: string(r.Forge), RepositoryID: r.ID, DueAt: u.at}); err != nil {
		return fmt.Errorf("watch %s: %w", r, err)
	}
	doc, err := u.q.Proposal(ctx, db.ProposalParams{Forge: string(r.Forge), RepositoryID: r.ID})
	if err != nil {
		return fmt.Errorf("read the proposal for %s: %w", r, err)
	}
	p, ok, err := proposal(doc)
	if err != nil || !ok || gate.SHA256(a.File) != p.Digest {
		return err
	}
	if err := u.q.SetProposal(ctx, db.SetProposalParams{Proposal: "", Forge: string(r.Forge), RepositoryID: r.ID}); err != nil {
		return fmt.Errorf("drop the proposal for %s: %w", r, err)
	}
	return nil
}

// Proposal is the kept proposal of a repository; ok is false where there is none.
func (s *Store) Proposal(ctx context.Context, r gate.RepositoryID) (gate.Proposal, bool, error) {
	doc, err := s.read().Proposal(ctx, db.ProposalParams{Forge: string(r.Forge), RepositoryID: r.ID})
	ok, err := found(err)
	if err != nil || !ok {
		return gate.Proposal{}, false, fault("read the proposal for "+r.String(), err)
	}
	return proposal(doc)
}
