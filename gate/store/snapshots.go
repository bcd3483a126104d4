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

// keepSnapshots keeps protections that differ from what was known of their ref.
func (u *unit) keepSnapshots(ctx context.Context, all []gate.Snapshot) error {
	// In the order of their rows, so that two decisions do not block each other.
	sorted := slices.SortedStableFunc(slices.Values(all), func(a, b gate.Snapshot) int {
		return cmp.Or(cmp.Compare(a.Repository.ID, b.Repository.ID), cmp.Compare(a.Ref, b.Ref), a.At.Compare(b.At))
	})
	for _, s := range sorted {
		if s.Repository.ID == 0 || s.Ref == "" || s.At.IsZero() || s.Protection.IsUnknown() {
			return internal("keep a snapshot: expected a protection of a ref as it was read, got %s of %q at %s",
				s.Repository, s.Ref, s.At)
		}
		if err := u.keepSnapshot(ctx, s); err != nil {
			return fmt.Errorf("keep the protection of %s of %s: %w", s.Ref, s.Repository, err)
		}
	}
	return nil
}

// keepSnapshot keeps one. Most are as before: for those nothing is locked.
func (u *unit) keepSnapshot(ctx context.Context, s gate.Snapshot) error {
	doc, bare, err := writeRules(s.Protection)
	if err != nil {
		return internal("encode a protection: %w", err)
	}
	at := db.SnapshotBeforeParams{
		Forge: string(s.Repository.Forge), RepositoryID: s.Repository.ID, Ref: s.Ref, ReadAt: micros(s.At),
	}
	before, err := u.q.SnapshotBefore(ctx, at)
	if ok, err := found(err); err != nil || ok && before.Rules == bare {
		return err
	}
	if err := u.q.HoldRef(ctx, db.HoldRefParams{Forge: at.Forge, RepositoryID: at.RepositoryID, Ref: at.Ref}); err != nil {
		return err
	}
	return u.insertSnapshot(ctx, at, doc, bare)
}

// insertSnapshot keeps one in its place in time: a slow decision may be stored after a
// later one, and what it saw was so all the same.
func (u *unit) insertSnapshot(ctx context.Context, at db.SnapshotBeforeParams, doc, bare string) error {
	before, err := u.q.SnapshotBefore(ctx, at)
	hasBefore, err := found(err)
	if err != nil || hasBefore && before.Rules == bare {
		return err
	}
	after, err := u.q.SnapshotAfter(ctx, db.SnapshotAfterParams(at))
	hasAfter, err := found(err)
	if err != nil {
		return err
	}
	if hasBefore {
		if err := u.q.EndSnapshot(ctx, db.EndSnapshotParams{UntilAt: at.ReadAt, Seq: before.Seq}); err != nil {
			return err
		}
	}
	if hasAfter && after.Rules == bare {
		return u.q.BackdateSnapshot(ctx, db.BackdateSnapshotParams{ReadAt: at.ReadAt, Seq: after.Seq})
	}
	return u.q.InsertSnapshot(ctx, db.InsertSnapshotParams{
		Forge: at.Forge, RepositoryID: at.RepositoryID, Ref: at.Ref, ReadAt: at.ReadAt, UntilAt: after.ReadAt,
		Rules: bare, Document: doc,
	})
}

// Snapshots lists the kept protections of a ref that held at or after since, the oldest first.
func (s *Store) Snapshots(ctx context.Context, r gate.RepositoryID, ref string, since time.Time) ([]gate.Snapshot, error) {
	rows, err := s.read().Snapshots(ctx, db.SnapshotsParams{
		Forge: string(r.Forge), RepositoryID: r.ID, Ref: ref, Since: micros(since),
	})
	if err != nil {
		return nil, fault(fmt.Sprintf("list the protections of %s of %s", ref, r), err)
	}
	out := make([]gate.Snapshot, 0, len(rows))
	for _, row := range rows {
		p, err := readRules(row.Document)
		if err != nil {
			return nil, internal("decode a protection of %s of %s: %w", ref, r, err)
		}
		out = append(out, gate.Snapshot{
			Repository: r, Ref: ref, At: fromMicros(row.ReadAt), Until: fromMicros(row.UntilAt), Protection: p,
		})
	}
	return out, nil
}
