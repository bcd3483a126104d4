package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/store/internal/db"
)

// enqueue stores posts in the transaction of what they tell.
func (u *unit) enqueue(ctx context.Context, posts []gate.Post) error {
	for _, p := range posts {
		if p.ID == "" {
			id, err := uuid.NewV7()
			if err != nil {
				return fmt.Errorf("make the id of a post: %w", err)
			}
			p.ID = id.String()
		}
		skip, err := u.answered(ctx, p)
		if err != nil {
			return err
		}
		if skip {
			continue
		}
		if err := u.insertPost(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

func (u *unit) insertPost(ctx context.Context, p gate.Post) error {
	threadless := (p.Target == gate.PostComment || p.Target == gate.PostReply) && p.Thread.Number == 0
	if p.Key == "" || (threadless && p.Request == "") {
		return internal("store post %s (%s): expected a key and a request or thread, got key %q", p.ID, p.Target, p.Key)
	}
	doc, err := json.Marshal(p)
	if err != nil {
		return internal("encode post %s: %w", p.ID, err)
	}
	n, err := u.q.InsertPost(ctx, db.InsertPostParams{
		ID: p.ID, RequestID: p.Request, Forge: string(p.Repository.Forge), RepositoryID: p.Repository.ID,
		Target: string(p.Target), PostKey: p.Key, LatestOnly: flag(latestOnly(p.Target)), Threadless: flag(threadless),
		Once: flag(once(p.Target)), Document: string(doc), DueAt: u.at, MadeAt: u.at,
	})
	if err != nil {
		return fmt.Errorf("store post %s (%s): %w", p.ID, p.Target, err)
	}
	if n == 1 {
		u.arrive(postTenant(p))
		u.news = true
	}
	return nil
}

// once reports whether a target and key are told one time in all, however often something
// leads to it: a comment that is read again is not answered again.
func once(t gate.PostTarget) bool { return t == gate.PostReply || t == gate.PostReaction }

// latestOnly reports whether only the newest post of a target and key is worth
// telling. Reactions and replies each say something of their own; a thread is
// asked for by each request that needs one.
func latestOnly(t gate.PostTarget) bool {
	switch t {
	case gate.PostStatus, gate.PostCheck, gate.PostComment, gate.PostDeployment:
		return true
	case gate.PostReply, gate.PostReaction, gate.PostThread, gate.PostAssets, gate.PostAttestations:
	}
	return false
}

// ClaimPost leases a post that is due and may go: that of the repository which was served
// longest ago, of those the one that is due longest. What says the state of
// something (status, check, sticky comment) goes in its newest version alone, never
// while an older one is under way; everything else goes in order. Comments and
// replies wait until their request's thread is known.
func (s *Store) ClaimPost(ctx context.Context, owner string, lease time.Duration) (gate.Post, bool, error) {
	var p gate.Post
	ok, err := s.claimInTurn(ctx, "claim a post", queuePost, claimer{
		claim: func(ctx context.Context, u *unit, t db.Turn) (ok bool, err error) {
			p, ok, err = u.claimPost(ctx, t, owner, lease)
			return ok, err
		},
		next: func(ctx context.Context, u *unit, t db.Turn) (int64, error) {
			repository, err := turnOf(t)
			if err != nil {
				return 0, err
			}
			return u.q.NextPost(ctx, db.NextPostParams{Now: u.at, Blocked: u.blocked(), Forge: t.Forge, RepositoryID: repository})
		},
	})
	if !ok {
		p = gate.Post{}
	}
	return p, ok, err
}

func (u *unit) claimPost(ctx context.Context, t db.Turn, owner string, lease time.Duration) (p gate.Post, ok bool, err error) {
	repository, err := turnOf(t)
	if err != nil {
		return p, false, err
	}
	row, err := u.q.OpenPostSkipLocked(ctx, db.OpenPostSkipLockedParams{Forge: t.Forge, RepositoryID: repository, Now: u.at})
	if ok, err = found(err); err != nil || !ok {
		return p, false, err
	}
	if row.LatestOnly == 1 {
		if ok, err = u.supersede(ctx, row); err != nil || !ok {
			return p, false, err
		}
	}
	if p, err = u.post(ctx, row); err != nil {
		return p, false, err
	}
	return p, true, u.q.LeasePost(ctx, db.LeasePostParams{ID: row.ID, LeaseOwner: owner, LeaseUntil: u.until(lease)})
}

// supersede drops the older posts of the row's target and key. It is false where another
// replica took one of them in this very moment: then the newest has to wait.
func (u *unit) supersede(ctx context.Context, row db.Post) (bool, error) {
	requests, err := u.q.DropOlderPosts(ctx, db.DropOlderPostsParams{
		Forge: row.Forge, RepositoryID: row.RepositoryID, Target: row.Target, PostKey: row.PostKey, Seq: row.Seq,
		Now: u.at,
	})
	if err != nil {
		return false, fmt.Errorf("drop the posts before %s: %w", row.ID, err)
	}
	u.leave(repositoryTenant(queuePost, row.Forge, row.RepositoryID), int64(len(requests)))
	older, err := u.q.OlderPosts(ctx, db.OlderPostsParams{
		Forge: row.Forge, RepositoryID: row.RepositoryID, Target: row.Target, PostKey: row.PostKey, Seq: row.Seq,
	})
	if err != nil {
		return false, fmt.Errorf("look for posts before %s: %w", row.ID, err)
	}
	for _, id := range requests {
		if id == "" || id == row.RequestID {
			continue
		}
		if err := u.publishOther(ctx, id); err != nil {
			return false, err
		}
	}
	return older == 0, nil
}

// post is a row as its adapter needs it now.
func (u *unit) post(ctx context.Context, row db.Post) (gate.Post, error) {
	var p gate.Post
	if err := json.Unmarshal([]byte(row.Document), &p); err != nil {
		return p, internal("decode post %s: %w", row.ID, err)
	}
	known, err := u.q.Known(ctx, db.KnownParams{
		Forge: row.Forge, RepositoryID: row.RepositoryID, Target: row.Target, PostKey: row.PostKey,
	})
	ok, err := found(err)
	if err != nil {
		return p, fmt.Errorf("look up what is known of post %s: %w", row.ID, err)
	}
	if ok {
		p.Known = known
	}
	if row.Threadless == 1 || (p.Target == gate.PostDeployment && p.Thread.Number == 0 && row.RequestID != "") {
		r, err := u.q.Request(ctx, row.RequestID)
		if err != nil {
			return p, fmt.Errorf("read the thread of request %s: %w", row.RequestID, err)
		}
		p.Thread = gate.Thread{Number: r.ThreadNumber, Issue: r.ThreadIssue == 1}
	}
	return p, nil
}

// Posted ends a post and remembers the forge's id of what it made. The number that a
// thread post answers becomes its request's thread, where that has none. The last
// open post of a signed request moves it to published. CodeTransition where the post
// was ended before; what is known is remembered all the same.
func (s *Store) Posted(ctx context.Context, p gate.Post, known string) error {
	thread, err := newThread(p, known)
	if err != nil {
		return err
	}
	var again error
	err = s.transact(ctx, "end post "+p.ID, func(ctx context.Context, u *unit) error {
		again = nil
		row, ok, err := u.requestOf(ctx, p)
		if err != nil {
			return err
		}
		if known != "" {
			if err := u.q.Remember(ctx, db.RememberParams{
				Forge: string(p.Repository.Forge), RepositoryID: p.Repository.ID, Target: string(p.Target),
				PostKey: p.Key, Known: known, KnownAt: u.at,
			}); err != nil {
				return fmt.Errorf("remember what post %s made: %w", p.ID, err)
			}
		}
		n, err := u.q.EndPost(ctx, db.EndPostParams{ID: p.ID, EndedAt: u.at})
		if err != nil {
			return err
		}
		if n == 0 {
			again = transition("post "+p.ID, "an open post", "one that has ended")
		}
		u.leave(postTenant(p), n)
		if err := u.endDeployment(ctx, p); err != nil {
			return err
		}
		u.news = true
		if !ok {
			return nil
		}
		if err := u.setThread(ctx, &row, thread); err != nil {
			return err
		}
		return u.publishIfTold(ctx, &row)
	})
	if err == nil {
		err = again
	}
	return err
}

// newThread is the issue that a thread post found or opened.
func newThread(p gate.Post, known string) (gate.Thread, error) {
	if p.Target != gate.PostThread {
		return gate.Thread{}, nil
	}
	number, err := strconv.ParseInt(known, 10, 64)
	if err != nil || number <= 0 {
		return gate.Thread{}, internal("end post %s: expected the issue's number, got %q", p.ID, known)
	}
	return gate.Thread{Number: number, Issue: true}, nil
}

// requestOf locks the post's request, if it has one: of two last posts that end at once,
// the second has to see the first.
func (u *unit) requestOf(ctx context.Context, p gate.Post) (db.Request, bool, error) {
	if p.Request == "" {
		return db.Request{}, false, nil
	}
	row, err := u.q.RequestForUpdate(ctx, p.Request)
	ok, err := found(err)
	if err != nil {
		return row, false, fmt.Errorf("lock request %s: %w", p.Request, err)
	}
	return row, ok, nil
}

// setThread changes nothing that is judged, but the version counts every change: who
// judges the request in this moment will have to judge it again, at once.
func (u *unit) setThread(ctx context.Context, row *db.Request, t gate.Thread) error {
	if t.Number == 0 || row.ThreadNumber != 0 {
		return nil
	}
	row.ThreadNumber, row.ThreadIssue = t.Number, flag(t.Issue)
	u.stir(repositoryTenant(queuePost, row.Forge, row.RepositoryID), u.at) // comments that waited for it
	if row.LeaseUntil > u.at {
		u.disturb(row)
	}
	return u.save(ctx, row)
}

// publishIfTold moves a signed request to published once the forge was told everything.
func (u *unit) publishIfTold(ctx context.Context, row *db.Request) error {
	if row.State != string(gate.StateSigned) {
		return nil
	}
	open, err := u.q.OpenPosts(ctx, row.ID)
	if err != nil {
		return fmt.Errorf("count the open posts of request %s: %w", row.ID, err)
	}
	if open > 0 {
		return nil
	}
	untold, err := u.q.CountGivenUp(ctx, row.ID)
	if err != nil {
		return fmt.Errorf("count the posts of request %s that were given up: %w", row.ID, err)
	}
	row.State = string(gate.StatePublished)
	if err := u.save(ctx, row); err != nil {
		return err
	}
	return u.record(ledger.Published, row.ID, publishedDoc{V: docVersion, Request: row.ID, GivenUp: int(untold)})
}

// publishOther is publishIfTold for a request whose post was dropped in favour of another's.
func (u *unit) publishOther(ctx context.Context, id string) error {
	row, ok, err := u.requestOf(ctx, gate.Post{Request: id})
	if err != nil || !ok {
		return err
	}
	return u.publishIfTold(ctx, &row)
}

// DeferPost gives the lease back until after.
func (s *Store) DeferPost(ctx context.Context, p gate.Post, after time.Time, why string) error {
	return s.transact(ctx, "defer post "+p.ID, func(ctx context.Context, u *unit) error {
		n, err := u.q.DeferPost(ctx, db.DeferPostParams{ID: p.ID, DueAt: micros(after), Why: plain(why)})
		if err == nil && n == 0 {
			return transition("post "+p.ID, "an open post", "one that has ended")
		}
		u.stir(postTenant(p), u.at) // a newer one may have waited for this one's lease
		return err
	})
}
