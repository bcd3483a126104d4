package keeper

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
)

// Archive is all that the database keeps of the ledger.
type Archive interface {
	// Entries lists entries from an index on, in order; none beyond the last one.
	Entries(ctx context.Context, from int64, limit int) ([]gate.LedgerEntry, error)
	Tile(ctx context.Context, t ledger.Tile) ([]byte, error)
	// CheckpointOf is the smallest kept checkpoint of an origin with at least so many entries.
	CheckpointOf(ctx context.Context, origin string, atLeast int64) (gate.Checkpoint, bool, error)
	Epochs(ctx context.Context) ([]gate.Epoch, error)
}

// Figures are what an audit read, and what it found wrong.
type Figures struct {
	Entries     int64       `json:"entries"`
	Root        gate.Digest `json:"root"`
	Commitments int64       `json:"commitments"` // that their documents open
	Signatures  int64       `json:"signatures"`  // that verify
	Tiles       int64       `json:"tiles"`       // that hold what the entries make
	Checkpoints int64       `json:"checkpoints"` // that are of this tree, and signed by their log
	// Cosignatures are those of the configured witnesses, of the newest form of each checkpoint.
	Cosignatures int64 `json:"cosignatures"`
	Epochs       int64 `json:"epochs"` // that began as they have to
	// Problems are what does not hold, each one sentence; at most MaxProblems of them.
	Problems []string `json:"problems"`
	Wrong    int64    `json:"wrong"` // how many there are
}

// MaxProblems bounds how many problems an audit names.
const MaxProblems = 100

// Audit is one reading of the whole ledger in the database: every entry, tile, commitment,
// signature, checkpoint and epoch.
type Audit struct {
	Archive   Archive
	Witnesses []*ledger.WitnessKey
	// Voters are those whose signatures began epochs; nil leaves them unchecked.
	Voters *Voters

	figures Figures
	tree    accumulator
	cursors []*cursor
}

// cursor follows the checkpoints of one epoch.
type cursor struct {
	key  *ledger.LogKey
	next gate.Checkpoint
	more bool
}

// Run reads everything. Its error says that it could not; what does not hold is in the
// figures.
func (a *Audit) Run(ctx context.Context) (Figures, error) {
	a.figures.Problems = []string{}
	if err := a.epochs(ctx); err != nil {
		return a.figures, err
	}
	if err := a.checkpoints(ctx); err != nil {
		return a.figures, err
	}
	for {
		some, err := a.Archive.Entries(ctx, a.figures.Entries, ledger.TileWidth)
		if err != nil {
			return a.figures, fmt.Errorf("read entries from %d on: %w", a.figures.Entries, err)
		}
		for _, e := range some {
			if err := a.entry(ctx, e); err != nil {
				return a.figures, err
			}
		}
		if len(some) == 0 {
			break
		}
	}
	a.figures.Root = gate.Digest(a.tree.root())
	for _, c := range a.cursors {
		if c.more {
			a.wrong("checkpoint of %d entries of %s: the database has only %d", c.next.Size, c.key.Name(), a.figures.Entries)
		}
	}
	return a.figures, nil
}

func (a *Audit) wrong(format string, args ...any) {
	a.figures.Wrong++
	if len(a.figures.Problems) < MaxProblems {
		a.figures.Problems = append(a.figures.Problems, fmt.Sprintf(format, args...))
	}
}

func (a *Audit) epochs(ctx context.Context) error {
	all, err := a.Archive.Epochs(ctx)
	if err != nil {
		return err
	}
	for i, e := range all {
		key, err := ledger.NewLogKey(e.Origin, e.SPKI)
		if err != nil || e.Number != i+1 {
			a.wrong("epoch %d: expected epoch %d with a log key: %v", e.Number, i+1, err)
			continue
		}
		if a.Voters != nil {
			err = VerifyEpoch(e, *a.Voters)
		}
		if err != nil {
			a.wrong("%v", err)
		} else {
			a.figures.Epochs++
		}
		c := &cursor{key: key}
		if c.next, c.more, err = a.Archive.CheckpointOf(ctx, e.Origin, 0); err != nil {
			return fmt.Errorf("read the first checkpoint of %s: %w", e.Origin, err)
		}
		a.cursors = append(a.cursors, c)
	}
	return nil
}

// checkpoints holds those of the size that is reached to the tree.
func (a *Audit) checkpoints(ctx context.Context) error {
	for _, c := range a.cursors {
		if !c.more || c.next.Size > a.figures.Entries {
			continue
		}
		head, by, err := ledger.Open(c.next.Note, c.key, a.Witnesses...)
		root := a.tree.root()
		switch {
		case err != nil:
			a.wrong("checkpoint of %d entries of %s: %v", c.next.Size, c.key.Name(), err)
		case head != headOf(c.next):
			a.wrong("checkpoint of %d entries of %s: its note says %d entries with root %s", c.next.Size, c.key.Name(), head.Size, gate.Digest(head.Root))
		case head.Root != root:
			a.wrong("checkpoint of %d entries of %s: expected root %s, the entries make %s", c.next.Size, c.key.Name(), gate.Digest(head.Root), gate.Digest(root))
		default:
			a.figures.Checkpoints++
			a.figures.Cosignatures += int64(len(by))
		}
		if c.next, c.more, err = a.Archive.CheckpointOf(ctx, c.key.Name(), c.next.Size+1); err != nil {
			return fmt.Errorf("read a checkpoint of %s: %w", c.key.Name(), err)
		}
	}
	return nil
}

func (a *Audit) entry(ctx context.Context, e gate.LedgerEntry) error {
	if e.Index != a.figures.Entries {
		return fmt.Errorf("read the ledger: expected entry %d, got %d", a.figures.Entries, e.Index)
	}
	parsed, err := ledger.ParseEntry(e.Bytes)
	switch {
	case err != nil:
		a.wrong("entry %d: %v", e.Index, err)
	case parsed.Leaf != nil:
		if string(parsed.Leaf.Kind) != e.Kind || parsed.Leaf.ID != e.ID || parsed.Leaf.Commitment != ledger.Commit(e.Salt, e.Document) {
			a.wrong("entry %d (%s %s): its document does not open its commitment", e.Index, e.Kind, e.ID)
		} else {
			a.figures.Commitments++
		}
	default:
		if err := verifyRecord(*parsed.Record); err != nil {
			a.wrong("entry %d (%s %s): %v", e.Index, e.Kind, e.ID, err)
		} else {
			a.figures.Signatures++
		}
	}
	full := a.tree.add(tlog.RecordHash(e.Bytes))
	a.figures.Entries++
	for _, t := range full {
		stored, err := a.Archive.Tile(ctx, t.tile)
		if err != nil {
			return fmt.Errorf("read tile %s: %w", t.tile.Path(), err)
		}
		if string(stored) != string(t.hashes) {
			a.wrong("tile %s: it does not hold what the entries make", t.tile.Path())
			continue
		}
		a.figures.Tiles++
	}
	return a.checkpoints(ctx)
}

func verifyRecord(r ledger.Record) error {
	spki := r.Key
	if r.Certificate {
		c, err := x509.ParseCertificate(r.Key)
		if err != nil {
			return fmt.Errorf("its certificate does not read: %w", err)
		}
		spki = c.RawSubjectPublicKeyInfo
	}
	parsed, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return fmt.Errorf("its key does not read: %w", err)
	}
	key, ok := parsed.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return fmt.Errorf("expected a key on P-256, got %T", parsed)
	}
	if !ecdsa.VerifyASN1(key, r.Digest[:], r.Signature) {
		return errors.New("its signature does not verify")
	}
	return nil
}

// accumulator builds a tree from its leaves, with little kept: what is open of each level.
type accumulator struct {
	size int64
	// levels are the open tiles, lowest first: hashes that no full tile holds yet.
	levels []openTile
}

type openTile struct {
	index  int64
	hashes []tlog.Hash
}

// fullTile is a tile that was completed.
type fullTile struct {
	tile   ledger.Tile
	hashes []byte
}

// add takes the next leaf's hash, and gives the tiles that it completes, lowest first.
func (a *accumulator) add(h tlog.Hash) []fullTile {
	a.size++
	var out []fullTile
	for level := 0; ; level++ {
		if level == len(a.levels) {
			a.levels = append(a.levels, openTile{})
		}
		open := &a.levels[level]
		open.hashes = append(open.hashes, h)
		if len(open.hashes) < ledger.TileWidth {
			return out
		}
		full := fullTile{tile: ledger.Tile{Level: level, Index: open.index, Width: ledger.TileWidth}}
		for _, x := range open.hashes {
			full.hashes = append(full.hashes, x[:]...)
		}
		out = append(out, full)
		h = unbalanced(open.hashes)
		open.index++
		open.hashes = open.hashes[:0]
	}
}

// root is the root of what was added (RFC 6962, 2.1). Each level's open hashes are complete
// subtrees of one size, and those of a lower level stand to their right.
func (a *accumulator) root() tlog.Hash {
	if a.size == 0 {
		return sha256.Sum256(nil)
	}
	var right *tlog.Hash
	for _, l := range a.levels {
		if len(l.hashes) == 0 {
			continue
		}
		all := l.hashes
		if right != nil {
			all = append(all[:len(all):len(all)], *right)
		}
		h := unbalanced(all)
		right = &h
	}
	return *right
}

// unbalanced is the root over hashes in order, the largest complete tree on the left.
func unbalanced(row []tlog.Hash) tlog.Hash {
	if len(row) == 1 {
		return row[0]
	}
	half := 1
	for half*2 < len(row) {
		half *= 2
	}
	return tlog.NodeHash(unbalanced(row[:half]), unbalanced(row[half:]))
}
