package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/store/internal/db"
)

// watchAssets has the files of a release of a tag compared from now on: a forge's release is
// of a tag.
func (u *unit) watchAssets(ctx context.Context, row db.Request) error {
	rec, err := recordOf(row, nil)
	if err != nil {
		return err
	}
	ref := rec.Request.Ref
	if !strings.HasPrefix(ref, "refs/tags/") {
		return nil
	}
	if err := u.q.WatchAssets(ctx, db.WatchAssetsParams{
		RequestID: row.ID, Forge: row.Forge, RepositoryID: row.RepositoryID, Ref: ref, DueAt: u.at,
		EndsAt: u.at + gate.AssetsWatched.Microseconds(),
	}); err != nil {
		return fmt.Errorf("watch the files of request %s: %w", row.ID, err)
	}
	return nil
}

// ClaimAssets leases one signed release whose files at the forge are due to be compared.
func (s *Store) ClaimAssets(ctx context.Context, lease time.Duration) (gate.AssetWatch, bool, error) {
	var out gate.AssetWatch
	var ok bool
	err := s.transact(ctx, "claim a release's files", func(ctx context.Context, u *unit) error {
		row, err := u.q.DueAssetsSkipLocked(ctx, u.at)
		if ok, err = found(err); err != nil || !ok {
			return err
		}
		request, err := u.q.Request(ctx, row.RequestID)
		if err != nil {
			return fmt.Errorf("read request %s: %w", row.RequestID, err)
		}
		if out.Record, err = record(ctx, u.q, request); err != nil {
			return err
		}
		out.Said = row.Said
		return u.q.LeaseAssets(ctx, db.LeaseAssetsParams{LeaseUntil: u.until(lease), RequestID: row.RequestID})
	})
	if err != nil || !ok {
		return gate.AssetWatch{}, false, err
	}
	return out, true, nil
}

// RecordAssets ends the lease, keeps what is said from now on, and enters each mismatch in
// the ledger that was not found before, with the posts, in one transaction. What rang during
// the look makes the release due again; otherwise it is due at next.
func (s *Store) RecordAssets(
	ctx context.Context, w gate.AssetWatch, found []gate.AssetMismatch, next time.Time, posts []gate.Post,
) error {
	id := w.Record.Request.ID
	return s.transact(ctx, "record the look at the files of request "+id, func(ctx context.Context, u *unit) error {
		for _, m := range found {
			n, err := u.q.KeepMismatch(ctx, db.KeepMismatchParams{RequestID: id, Name: m.Asset, Digest: m.Found.String(), FoundAt: u.at})
			if err != nil {
				return fmt.Errorf("keep what file %q is: %w", m.Asset, err)
			}
			if n == 0 {
				continue
			}
			if err := u.record(ledger.AssetMismatch, id, mismatchDoc{V: docVersion, Request: id, AssetMismatch: m}); err != nil {
				return err
			}
		}
		n, err := u.q.LookedAtAssets(ctx, db.LookedAtAssetsParams{DueAt: micros(next), Said: w.Said, RequestID: id})
		if err != nil {
			return err
		}
		if n == 0 {
			return transition("the files of request "+id, "those of a watched release", "those of another")
		}
		u.news = true
		return u.enqueue(ctx, posts)
	})
}

type mismatchDoc struct {
	V       int    `json:"v"`
	Request string `json:"request"`
	gate.AssetMismatch
}

// ringAssets makes due what waits for the release pages: the comparison of their files, and
// files that have no place yet.
func (u *unit) ringAssets(ctx context.Context, pages []gate.ReleasePage) error {
	for _, p := range pages {
		forge, repository := string(p.Repository.Forge), p.Repository.ID
		if _, err := u.q.RingAssets(ctx, db.RingAssetsParams{DueAt: u.at, Forge: forge, RepositoryID: repository, Ref: p.Ref}); err != nil {
			return fmt.Errorf("make the files of %s due: %w", p.Ref, err)
		}
		n, err := u.q.RingAssetPosts(ctx, db.RingAssetPostsParams{DueAt: u.at, Forge: forge, RepositoryID: repository})
		if err != nil {
			return fmt.Errorf("make the posts to %s due: %w", p.Ref, err)
		}
		if n > 0 {
			u.stir(repositoryTenant(queuePost, forge, repository), u.at)
		}
		u.news = true
	}
	return nil
}
