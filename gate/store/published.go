package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/store/internal/db"
)

// What is published is kept in rows that are only added to. Whoever adds one locks the
// ledger's head first and nothing after it, so that of two replicas the second sees what
// the first wrote.

// KeepCheckpoint remembers a published checkpoint. One of the same origin and size with
// cosignatures of further witnesses, or later ones of the same, comes beside the first, and
// counts; any other is left aside. Errors: CodeLedgerBehind where the ledger has fewer leaves, or others;
// CodeTransition where a larger one of its origin is kept.
func (s *Store) KeepCheckpoint(ctx context.Context, c gate.Checkpoint) error {
	doc, err := json.Marshal(c)
	if err != nil {
		return internal("encode the checkpoint of %d leaves: %w", c.Size, err)
	}
	return s.alone(ctx, fmt.Sprintf("keep the checkpoint of %d leaves", c.Size), func(ctx context.Context, u *unit) error {
		size, err := u.q.LedgerSizeForUpdate(ctx)
		if err != nil {
			return fmt.Errorf("lock the ledger's head: %w", err)
		}
		if err := u.isOurs(ctx, c, size); err != nil {
			return err
		}
		last, ok, err := latestCheckpoint(ctx, u.q, c.Origin)
		switch {
		case err != nil:
			return err
		case ok && last.Size > c.Size:
			return transition("the published ledger", fmt.Sprintf("a checkpoint of at least %d leaves", last.Size), fmt.Sprint(c.Size))
		case ok && last.Size == c.Size && adds(last.Witnesses, c.Witnesses) == 0 && !anew(last, c):
			return nil
		}
		if err := u.q.InsertCheckpoint(ctx, db.InsertCheckpointParams{
			Origin: c.Origin, Size: c.Size, Witnesses: int32(len(c.Witnesses)), Document: string(doc), KeptAt: u.at,
		}); err != nil {
			return fmt.Errorf("store the checkpoint: %w", err)
		}
		u.news = true
		return nil
	})
}

// anew reports whether the same witnesses, or more, cosigned a checkpoint again later: that
// the ledger is at rest shows from it. Whoever asks them does so a few times an hour.
func anew(last, c gate.Checkpoint) bool {
	return len(c.Witnesses) > 0 && adds(c.Witnesses, last.Witnesses) == 0 && c.At.After(last.At)
}

// adds is how many names of more are new.
func adds(names, more []string) int {
	n := 0
	for _, name := range more {
		if !slices.Contains(names, name) {
			n++
		}
	}
	return n
}

// isOurs holds a checkpoint against the tree that the database has.
func (u *unit) isOurs(ctx context.Context, c gate.Checkpoint, size int64) error {
	behind := &gate.Error{
		Kind: gate.Conflict, Code: gate.CodeLedgerBehind, Text: "the database is not the one whose ledger was published",
		Expected: fmt.Sprintf("%d leaves with root %s", c.Size, c.Root), Got: fmt.Sprintf("%d leaves", size),
		Fix: "restore the newest copy of the database; where entries are lost for good, begin a new epoch: countersignd ledger epoch",
	}
	if c.Size < 0 || c.Size > size {
		return behind
	}
	root, err := treeRoot(ctx, u.q, c.Size)
	if err != nil {
		return err
	}
	if root != tlog.Hash(c.Root) {
		behind.Got = "root " + gate.Digest(root).String()
		return behind
	}
	return nil
}

// treeRoot is the root of the first size leaves.
func treeRoot(ctx context.Context, q *db.Queries, size int64) (tlog.Hash, error) {
	r := &ledger.Reader{Size: size, Source: tileSource(func(t ledger.Tile) ([]byte, error) {
		return readTile(ctx, q, t.Level, t.Index, t.Width)
	})}
	root, err := r.Root(size)
	if err != nil {
		return root, fmt.Errorf("compute the root of %d leaves: %w", size, err)
	}
	return root, nil
}

// LatestCheckpoint is the largest kept checkpoint of an origin, in its newest form; false
// where there is none.
func (s *Store) LatestCheckpoint(ctx context.Context, origin string) (gate.Checkpoint, bool, error) {
	c, ok, err := latestCheckpoint(ctx, s.read(), origin)
	return c, ok, fault("read the latest checkpoint", err)
}

// CheckpointOf is the smallest kept checkpoint of an origin that has at least so many
// leaves, in its newest form: the first that covered an entry.
func (s *Store) CheckpointOf(ctx context.Context, origin string, atLeast int64) (gate.Checkpoint, bool, error) {
	doc, err := s.read().FirstCheckpointOf(ctx, db.FirstCheckpointOfParams{Origin: origin, Size: atLeast})
	c, ok, err := checkpoint(doc, err)
	return c, ok, fault(fmt.Sprintf("read the checkpoint of %d leaves", atLeast), err)
}

// CoveringCheckpoint is the largest kept checkpoint of an origin that has at least so many
// leaves and cosignatures of at least so many witnesses.
func (s *Store) CoveringCheckpoint(ctx context.Context, origin string, atLeast int64, witnesses int) (gate.Checkpoint, bool, error) {
	doc, err := s.read().CoveringCheckpoint(ctx, db.CoveringCheckpointParams{
		Origin: origin, Size: atLeast, Witnesses: most(witnesses),
	})
	c, ok, err := checkpoint(doc, err)
	return c, ok, fault(fmt.Sprintf("read a checkpoint that covers %d leaves", atLeast), err)
}

func latestCheckpoint(ctx context.Context, q *db.Queries, origin string) (gate.Checkpoint, bool, error) {
	doc, err := q.LatestCheckpoint(ctx, origin)
	return checkpoint(doc, err)
}

func checkpoint(doc string, err error) (c gate.Checkpoint, ok bool, _ error) {
	ok, err = found(err)
	if err != nil || !ok {
		return c, false, err
	}
	if err := json.Unmarshal([]byte(doc), &c); err != nil {
		return c, false, internal("decode a checkpoint: %w", err)
	}
	return c, true, nil
}
