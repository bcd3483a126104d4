package keeper

import (
	"context"
	"fmt"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
)

// publish gives a published checkpoint of at least size entries. Whoever comes while another
// publishes waits, and finds that its entries were among those.
func (k *Keeper) publish(ctx context.Context, size int64) (gate.Checkpoint, error) {
	select {
	case <-k.turn:
		defer func() { k.turn <- struct{}{} }()
	case <-ctx.Done():
		return gate.Checkpoint{}, sealing("the ledger's publication takes longer", ctx.Err())
	}
	if c, ok := k.remembered(size, 0); ok && size > 0 {
		return c, nil
	}
	return k.publishNow(ctx)
}

// publishNow publishes what is committed; the turn is held.
func (k *Keeper) publishNow(ctx context.Context) (gate.Checkpoint, error) {
	s, err := k.standing(ctx)
	if err != nil {
		return gate.Checkpoint{}, err
	}
	if err := k.fit(ctx, s); err != nil {
		return gate.Checkpoint{}, err
	}
	if s.published && s.latest.Size == s.size {
		return k.adopt(s)
	}
	root, err := s.tree.Root(s.size)
	if err != nil {
		return gate.Checkpoint{}, fmt.Errorf("compute the root of %d entries: %w", s.size, err)
	}
	c, err := k.sign(ctx, ledger.Head{Origin: k.Key.Name(), Size: s.size, Root: root})
	if err != nil {
		return gate.Checkpoint{}, err
	}
	// From here on the checkpoint may be seen by others: it is remembered first. Where a
	// witness has to confirm it, what it confirms will be.
	if !k.waitsForWord() {
		if err := k.Guard.Keep(Mark{Epoch: s.epoch().Number, Note: c.Note}); err != nil {
			return gate.Checkpoint{}, err
		}
	}
	switch err := k.Shelf.KeepCheckpoint(ctx, c); {
	case isTransition(err):
		// Another replica published more meanwhile.
		latest, _, err := k.latest(ctx)
		if err != nil {
			return gate.Checkpoint{}, err
		}
		c = latest
	case err != nil:
		return gate.Checkpoint{}, err
	}
	k.remember(c)
	k.tell()
	return c, nil
}

// adopt takes what another replica, or an earlier life of this one, published.
func (k *Keeper) adopt(s standing) (gate.Checkpoint, error) {
	c, err := k.verified(s.latest)
	if err != nil {
		return c, err
	}
	if !s.guarded || s.mark.Epoch < s.epoch().Number || k.marks(s.mark) < c.Size {
		if err := k.Guard.Keep(Mark{Epoch: s.epoch().Number, Note: k.bare(c)}); err != nil {
			return c, err
		}
	}
	k.remember(c)
	k.tell()
	return c, nil
}

// marks is the size that a guard's mark names; the mark was verified.
func (k *Keeper) marks(m Mark) int64 {
	head, _, err := ledger.Open(m.Note, k.Key)
	if err != nil {
		return -1
	}
	return head.Size
}

// sign has the notary sign a head, and believes only what verifies.
func (k *Keeper) sign(ctx context.Context, h ledger.Head) (gate.Checkpoint, error) {
	note, err := k.Notary.Checkpoint(ctx, h)
	if err != nil {
		return gate.Checkpoint{}, fmt.Errorf("sign the checkpoint of %d entries: %w", h.Size, err)
	}
	c := gate.Checkpoint{
		Origin: h.Origin, Size: h.Size, Root: gate.Digest(h.Root), Note: note, LogID: k.Key.ID(), At: k.Now().UTC(),
	}
	if c, err = k.verified(c); err != nil {
		return c, fmt.Errorf("sign the checkpoint of %d entries: %w", h.Size, err)
	}
	return c, nil
}

// sealing is the error of what takes longer than its caller waits.
func sealing(text string, err error) *gate.Error {
	return &gate.Error{Kind: gate.Unavailable, Code: gate.CodeSealing, Text: text, Fix: "try again in a few seconds", Err: err}
}
