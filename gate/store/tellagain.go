package store

import (
	"context"
	"fmt"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/store/internal/db"
)

// TellAgain makes a post due at once that was given up, with all its tries to come. What
// waits for a thread comes back with the post that opens it, and that with what waits for
// it. Errors: CodeRequestUnknown of kind NotFound where there is no such post;
// CodeTransition where it was not given up, or a newer one says more.
func (s *Store) TellAgain(ctx context.Context, postID string) error {
	return s.transact(ctx, "tell post "+postID+" again", func(ctx context.Context, u *unit) error {
		row, err := u.givenUp(ctx, postID)
		if err != nil {
			return err
		}
		back, err := u.withThread(ctx, row)
		if err != nil {
			return err
		}
		for _, p := range back {
			again, err := u.reopenPost(ctx, p)
			if err != nil {
				return err
			}
			if !again && p.ID == row.ID {
				return transition("what post "+row.ID+" says", "the newest of its kind", "a newer one, which was told or will be")
			}
		}
		u.news = true
		return nil
	})
}

// reopenPost is false for a post whose key has said something newer, which it must not undo.
func (u *unit) reopenPost(ctx context.Context, p db.Post) (bool, error) {
	if p.LatestOnly == 1 {
		n, err := u.q.NewerPosts(ctx, db.NewerPostsParams{
			Forge: p.Forge, RepositoryID: p.RepositoryID, Target: p.Target, PostKey: p.PostKey, Seq: p.Seq,
		})
		if err != nil || n > 0 {
			return false, err
		}
	}
	if err := u.q.ReopenPost(ctx, db.ReopenPostParams{DueAt: u.at, ID: p.ID}); err != nil {
		return false, fmt.Errorf("open post %s again: %w", p.ID, err)
	}
	u.arrive(repositoryTenant(queuePost, p.Forge, p.RepositoryID))
	return true, nil
}

// givenUp locks the post's request and then the post, as everything that ends posts does.
func (u *unit) givenUp(ctx context.Context, id string) (db.Post, error) {
	none := &gate.Error{
		Kind: gate.NotFound, Code: gate.CodeRequestUnknown, Text: "there is no such post",
		Expected: "the id of a post that was given up", Got: fmt.Sprintf("%q", id), Fix: "load the page again",
	}
	if !storable(id) {
		return db.Post{}, none
	}
	seen, err := u.q.Post(ctx, id)
	ok, err := found(err)
	if err != nil {
		return db.Post{}, err
	}
	if !ok {
		return db.Post{}, none
	}
	if _, _, err := u.requestOf(ctx, gate.Post{Request: seen.RequestID}); err != nil {
		return db.Post{}, err
	}
	row, err := u.q.PostForUpdate(ctx, id)
	if err == nil && row.State != "given up" {
		err = transition("post "+id, "a post that was given up", "one that is "+row.State)
	}
	return row, err
}

// withThread is the post with those that were given up beside it for want of a thread.
func (u *unit) withThread(ctx context.Context, row db.Post) ([]db.Post, error) {
	r, ok, err := u.requestOf(ctx, gate.Post{Request: row.RequestID})
	if err != nil {
		return nil, err
	}
	threaded := row.Threadless == 1 || row.Target == string(gate.PostThread)
	if !threaded || !ok || r.ThreadNumber != 0 {
		return []db.Post{row}, nil
	}
	all, err := u.q.GivenUpForThread(ctx, row.RequestID)
	if err != nil {
		return nil, fmt.Errorf("list the posts of request %s that were given up: %w", row.RequestID, err)
	}
	return all, nil
}
