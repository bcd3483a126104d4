package keeper

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
)

// Times between two tries at a witness that does not answer as it should.
const (
	retryFirst = time.Second
	retryMost  = time.Minute
)

// seat is one witness and where it stands.
type seat struct {
	name    string
	witness Witness

	mu sync.Mutex
	// size is of the last checkpoint that it cosigned for us; asked: it was asked since start.
	size  int64
	asked bool
	// against is what it holds against the ledger: an error that makes it unfit.
	against error
	said    string // its last refusal
	at      time.Time
}

func (s *seat) objection() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.against
}

func (s *seat) words() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.said == "" {
		return "no answer yet"
	}
	return s.said
}

func (s *seat) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// look is how often what other replicas published is looked for.
const look = 5 * time.Second

// attend has one witness cosign each newest checkpoint, until ctx ends.
func (k *Keeper) attend(ctx context.Context, s *seat) error {
	var wait time.Duration
	for {
		ahead := k.newsAhead()
		next := look
		if err := k.ask(ctx, s); err != nil && ctx.Err() == nil {
			wait = min(max(2*wait, retryFirst), retryMost)
			next, ahead = wait, nil // more news do not make it answer
			k.Log.WarnContext(ctx, "a witness did not cosign the ledger", "witness", s.name, "again_in", wait.String(), "error", err)
		} else {
			wait = 0
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ahead:
		case <-time.After(next):
		}
	}
}

// refresh is the least time after which a ledger at rest is cosigned again: a cosignature
// says when it was made, so the newest one tells that nothing newer was withheld.
const refresh = 10 * time.Minute

// ask submits the newest published checkpoint to a witness, where it has not cosigned it, not
// since the start, or not for as long as a checkpoint may stay the newest.
func (k *Keeper) ask(ctx context.Context, s *seat) error {
	c, ok, err := k.latest(ctx)
	if err != nil || !ok {
		return err
	}
	s.mu.Lock()
	asked, old, at := s.asked, s.size, s.at
	s.mu.Unlock()
	due := !asked || k.Now().Sub(at) >= max(k.Every, refresh)
	has := slices.Contains(c.Witnesses, s.name)
	if !due && has || asked && old > c.Size {
		return nil
	}
	if has {
		old = c.Size
	}
	line, err := s.witness.Cosign(ctx, ledger.Submission{
		Note: k.bare(c), Head: headOf(c), Old: min(old, c.Size),
		Prove: func(old int64) ([]tlog.Hash, error) { return k.Shelf.Hashes(ctx, c.Size).Consistency(c.Size, old) },
	})
	if err != nil {
		return k.refused(ctx, s, c, err)
	}
	s.set(func() { s.asked, s.size, s.against, s.said, s.at = true, c.Size, nil, "", k.Now().UTC() })
	if err := k.confirmed(ctx, c); err != nil {
		return err
	}
	if has && k.Now().Sub(k.cosignedAt(c, s)) < refresh {
		return nil // it was asked for its word, and the record has a cosignature as good
	}
	return k.cosign(ctx, c, line)
}

// cosignedAt is when a witness cosigned a verified checkpoint.
func (k *Keeper) cosignedAt(c gate.Checkpoint, s *seat) time.Time {
	_, by, err := ledger.Open(c.Note, k.Key, s.witness.Key())
	if err != nil || len(by) == 0 {
		return time.Time{}
	}
	return by[0].At
}

// bare is a checkpoint with the log's signature alone.
func (k *Keeper) bare(c gate.Checkpoint) []byte {
	at := bytes.LastIndex(c.Note, []byte("\n\n")) + 2
	out := bytes.Clone(c.Note[:at])
	for line := range bytes.Lines(c.Note[at:]) {
		if bytes.HasPrefix(line, []byte("— "+c.Origin+" ")) {
			out = append(out, line...)
		}
	}
	return out
}

// refused finds out whether a witness's refusal is about the ledger's past.
func (k *Keeper) refused(ctx context.Context, s *seat, c gate.Checkpoint, err error) error {
	var against error
	var ahead *ledger.AheadError
	switch {
	case errors.As(err, &ahead):
		// Every checkpoint is on record before a witness sees it. So either another replica's
		// came between, and is asked for next, or the record lost one.
		latest, _, latestErr := k.latest(ctx)
		if latestErr != nil {
			return latestErr
		}
		if ahead.Size > latest.Size {
			against = behind(fmt.Sprintf("%d published entries, as witness %s says", ahead.Size, s.name), fmt.Sprintf("%d on record in the database", latest.Size))
		}
	case errors.Is(err, ledger.ErrForked):
		against = behind(fmt.Sprintf("the tree that witness %s cosigned", s.name), fmt.Sprintf("another one, of %d entries with root %s", c.Size, c.Root))
	}
	s.set(func() {
		s.said = err.Error()
		if against != nil {
			s.against = against
		}
	})
	if against != nil {
		k.tell()
	}
	return err
}

// confirmed takes a witness's cosignature as its word that the database is not behind.
func (k *Keeper) confirmed(ctx context.Context, c gate.Checkpoint) error {
	if !k.waitsForWord() {
		return nil
	}
	epochs, err := k.Shelf.Epochs(ctx)
	if err != nil {
		return err
	}
	if err := k.Guard.Keep(Mark{Epoch: len(epochs), Note: k.bare(c)}); err != nil {
		return err
	}
	k.mu.Lock()
	k.unconfirmed = false
	k.mu.Unlock()
	k.Log.InfoContext(ctx, "a witness confirmed what was published of the ledger", "size", c.Size)
	k.Wake()
	return nil
}

// cosign keeps a checkpoint with one more cosignature. Others may add theirs at the same
// time: what is on record is read again, and joined.
func (k *Keeper) cosign(ctx context.Context, c gate.Checkpoint, line []byte) error {
	k.joining.Lock()
	defer k.joining.Unlock()
	latest, ok, err := k.latest(ctx)
	if err != nil {
		return err
	}
	// What this process joined is at hand, and is newer than the record where both say as much.
	if known, has := k.remembered(c.Size, 0); has && headOf(known) == headOf(c) {
		c = known
	}
	if ok && headOf(latest) == headOf(c) && len(latest.Witnesses) > len(c.Witnesses) {
		c = latest
	}
	at := k.Now().UTC()
	if !at.After(c.At) {
		at = c.At.Add(time.Microsecond)
	}
	if c.Note, err = ledger.WithCosignatures(c.Note, line); err != nil {
		return err
	}
	if c, err = k.verified(c); err != nil {
		return err
	}
	c.At = at
	k.remember(c)
	defer k.tell()
	if err := k.Shelf.KeepCheckpoint(ctx, c); err != nil && !isTransition(err) {
		return err
	}
	return nil
}
