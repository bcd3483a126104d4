package keeper

import (
	"context"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
)

// Shelf is the ledger in the database, and what is on record of its publication.
type Shelf interface {
	Tree
	Published
	Epochs
}

// Tree is what was committed.
type Tree interface {
	// LedgerSize is the number of entries.
	LedgerSize(ctx context.Context) (int64, error)
	// Hashes reads the tree of the first size entries.
	Hashes(ctx context.Context, size int64) *ledger.Reader
}

// Published keeps checkpoints; none is ever taken back.
type Published interface {
	// LatestCheckpoint is the largest one of an origin, in its newest form.
	LatestCheckpoint(ctx context.Context, origin string) (gate.Checkpoint, bool, error)
	// CoveringCheckpoint is the largest one of at least so many entries that at least so many
	// witnesses cosigned.
	CoveringCheckpoint(ctx context.Context, origin string, atLeast int64, witnesses int) (gate.Checkpoint, bool, error)
	// KeepCheckpoint adds one. CodeTransition where a larger one is kept; one that says nothing
	// new is left aside.
	KeepCheckpoint(ctx context.Context, c gate.Checkpoint) error
}

// Epochs are the spans of the ledger's life.
type Epochs interface {
	// Epochs lists them, the first one first.
	Epochs(ctx context.Context) ([]gate.Epoch, error)
	// BeginEpoch begins the next one; CodeTransition where its number is not the next.
	BeginEpoch(ctx context.Context, e gate.Epoch) error
}

// Notary signs a checkpoint with the log's key.
type Notary interface {
	Checkpoint(ctx context.Context, h ledger.Head) (note []byte, err error)
}

// Witness cosigns checkpoints. It is asked for one at a time.
type Witness interface {
	// Key is what its cosignatures verify under.
	Key() *ledger.WitnessKey
	// Cosign gives its cosignature, a verified line of a signed note. Errors: a
	// *ledger.AheadError, ledger.ErrForked; anything else may be tried again.
	Cosign(ctx context.Context, s ledger.Submission) (line []byte, err error)
}

// Mark is a published checkpoint as a Guard remembers it.
type Mark struct {
	Epoch int
	Note  []byte
}

// Guard remembers, outside the database, what was published last.
type Guard interface {
	// Read gives the last mark kept; false where there is none.
	Read() (Mark, bool, error)
	// Keep replaces it. What it returns from is durable.
	Keep(m Mark) error
}
