package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/store/internal/db"
)

// refusalsMost is how often a forge may refuse a post before it is given up. At one try in
// five minutes that is four hours, in which somebody may mend a permission.
const refusalsMost = 50

// RefusePost gives the lease on a post back until after, as DeferPost does, and counts that
// the forge refused it. The 50th refusal gives it up: it is listed by GivenUp and counts
// as told, so that a signed release does not stay signed for ever because nobody may
// comment on its issue. CodeTransition where the post has ended.
func (s *Store) RefusePost(ctx context.Context, p gate.Post, after time.Time, why string) error {
	return s.transact(ctx, "count a refusal of post "+p.ID, func(ctx context.Context, u *unit) error {
		row, hasRequest, err := u.requestOf(ctx, p)
		if err != nil {
			return err
		}
		refusals, err := u.q.RefusePost(ctx, db.RefusePostParams{DueAt: micros(after), Why: plain(why), ID: p.ID})
		ok, err := found(err)
		switch {
		case err != nil:
			return err
		case !ok:
			return transition("post "+p.ID, "an open post", "one that has ended")
		case refusals < refusalsMost:
			u.stir(postTenant(p), u.at) // a newer one may have waited for this one's lease
			return nil
		}
		if err := u.giveUp(ctx, p, row); err != nil || !hasRequest {
			return err
		}
		return u.publishIfTold(ctx, &row)
	})
}

// GiveUpPost gives a post up at once, which no further try would make: what its place at the
// forge lacks, somebody has to change. It is listed by GivenUp and counts as told; posts say
// so. CodeTransition where the post has ended.
func (s *Store) GiveUpPost(ctx context.Context, p gate.Post, why string, posts []gate.Post) error {
	return s.transact(ctx, "give up post "+p.ID, func(ctx context.Context, u *unit) error {
		row, hasRequest, err := u.requestOf(ctx, p)
		if err != nil {
			return err
		}
		_, err = u.q.RefusePost(ctx, db.RefusePostParams{DueAt: u.at, Why: plain(why), ID: p.ID})
		ok, err := found(err)
		switch {
		case err != nil:
			return err
		case !ok:
			return transition("post "+p.ID, "an open post", "one that has ended")
		}
		if err := u.enqueue(ctx, posts); err != nil {
			return err
		}
		if err := u.giveUp(ctx, p, row); err != nil || !hasRequest {
			return err
		}
		return u.publishIfTold(ctx, &row)
	})
}

// giveUp ends a post, and with an issue that cannot be opened what was to be said in it.
func (u *unit) giveUp(ctx context.Context, p gate.Post, row db.Request) error {
	u.news = true // the next of its key may go
	if err := u.q.GiveUpPost(ctx, db.GiveUpPostParams{EndedAt: u.at, ID: p.ID}); err != nil {
		return fmt.Errorf("give post %s up: %w", p.ID, err)
	}
	u.leave(postTenant(p), 1)
	if p.Target != gate.PostThread || row.ThreadNumber != 0 {
		return nil
	}
	threads, err := u.q.OpenThreadPosts(ctx, p.Request)
	if err != nil || threads > 0 {
		return err
	}
	n, err := u.q.GiveUpThreadless(ctx, db.GiveUpThreadlessParams{
		EndedAt: u.at, Why: "no thread could be opened for it", RequestID: p.Request,
	})
	if err != nil {
		return fmt.Errorf("give the comments of request %s up: %w", p.Request, err)
	}
	u.leave(postTenant(p), n)
	return nil
}

// GivenUpPost is a post that the forge was never told.
type GivenUpPost struct {
	Post gate.Post
	// Why is the last refusal's reason, for the operator.
	Why string
	// Refusals is 0 for what was given up with another post.
	Refusals int
	At       time.Time
}

// GivenUp lists posts that were given up, the latest first.
func (s *Store) GivenUp(ctx context.Context, limit int) ([]GivenUpPost, error) {
	rows, err := s.read().GivenUp(ctx, most(limit))
	if err != nil {
		return nil, fault("list the posts that were given up", err)
	}
	out := make([]GivenUpPost, len(rows))
	for i, row := range rows {
		out[i] = GivenUpPost{Why: row.Why, Refusals: int(row.Refusals), At: fromMicros(row.EndedAt)}
		if err := json.Unmarshal([]byte(row.Document), &out[i].Post); err != nil {
			return nil, internal("decode post %s: %w", row.ID, err)
		}
	}
	return out, nil
}
