package keeper

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
)

// MaxProofs bounds how many proofs one call gives.
const MaxProofs = 10_000

// poll is how often what other replicas published is looked for.
const poll = 250 * time.Millisecond

// Covering is the newest checkpoint of at least size entries that at least witnesses
// witnesses cosigned; it publishes one where there is none, and waits for cosignatures for
// as long as Config.Patience says. Its witnesses are those whose cosignatures hold. Errors:
// CodeWitnesses, CodeSealing and CodeLedgerBehind, all of kind Unavailable.
func (k *Keeper) Covering(ctx context.Context, size int64, witnesses int) (gate.Checkpoint, error) {
	if witnesses > len(k.seats) {
		return gate.Checkpoint{}, &gate.Error{
			Kind: gate.Unavailable, Code: gate.CodeWitnesses, Text: "the policy asks for more witnesses than this server has",
			Expected: fmt.Sprintf("%d cosignatures", witnesses), Got: fmt.Sprintf("%d witnesses configured (ledger.witnesses)", len(k.seats)),
			Fix: "the operator configures more witnesses, or the policy asks for fewer",
		}
	}
	if witnesses < 0 || size < 0 {
		return gate.Checkpoint{}, fmt.Errorf("cover %d entries with %d cosignatures: expected neither below 0", size, witnesses)
	}
	ctx, cancel := context.WithTimeout(ctx, k.Patience)
	defer cancel()
	if err := k.Fit(ctx); err != nil {
		return gate.Checkpoint{}, k.late(ctx, err, size, witnesses)
	}
	for {
		ahead := k.newsAhead()
		c, ok, err := k.covers(ctx, size, witnesses)
		if err != nil || ok {
			return c, k.late(ctx, err, size, witnesses)
		}
		if c, ok = k.remembered(size, 0); !ok {
			if c, err = k.publish(ctx, size); err != nil {
				return c, k.late(ctx, err, size, witnesses)
			}
			if c.Size < size {
				return gate.Checkpoint{}, behind(fmt.Sprintf("%d entries, as an entry's place says", size), fmt.Sprintf("%d entries in the database", c.Size))
			}
			continue
		}
		// It is published: the witnesses have the word. A fork that one of them saw ends the wait.
		if err := k.Fit(ctx); err != nil {
			return gate.Checkpoint{}, k.late(ctx, err, size, witnesses)
		}
		select {
		case <-ahead:
		case <-time.After(poll):
		case <-ctx.Done():
			return gate.Checkpoint{}, k.late(ctx, ctx.Err(), size, witnesses)
		}
	}
}

// covers looks for a checkpoint at hand, then on record.
func (k *Keeper) covers(ctx context.Context, size int64, witnesses int) (gate.Checkpoint, bool, error) {
	if c, ok := k.remembered(size, witnesses); ok {
		return c, true, nil
	}
	c, ok, err := k.Shelf.CoveringCheckpoint(ctx, k.Key.Name(), size, witnesses)
	if err != nil || !ok {
		return c, false, err
	}
	if c, err = k.verified(c); err != nil {
		return c, false, err
	}
	k.remember(c)
	return c, len(c.Witnesses) >= witnesses, nil
}

// late says what was waited for in vain.
func (k *Keeper) late(ctx context.Context, err error, size int64, witnesses int) error {
	if err == nil || ctx.Err() == nil || gate.CodeOf(err) == gate.CodeLedgerBehind {
		return err
	}
	c, ok := k.remembered(size, 0)
	if !ok {
		return sealing("the ledger's publication takes longer", err)
	}
	var said []string
	for _, s := range k.seats {
		if !slices.Contains(c.Witnesses, s.name) {
			said = append(said, s.name+": "+s.words())
		}
	}
	return &gate.Error{
		Kind: gate.Unavailable, Code: gate.CodeWitnesses, Text: "fewer witnesses than the policy asks for have cosigned the ledger",
		Expected: fmt.Sprintf("%d cosignatures of %d entries", witnesses, c.Size),
		Got:      fmt.Sprintf("%d; %s", len(c.Witnesses), strings.Join(said, "; ")),
		Fix:      "it is tried again; the operator looks at the witnesses: countersignd ledger status", Err: err,
	}
}

// Prove gives the inclusion proofs of entries in the tree of size entries, by index. Each was
// checked against the tree's root. CodeLogRange beyond what was published.
func (k *Keeper) Prove(ctx context.Context, size int64, indexes []int64) (map[int64][]gate.Digest, error) {
	latest, ok := k.remembered(size, 0)
	if !ok {
		var err error
		if latest, ok, err = k.latest(ctx); err != nil {
			return nil, err
		}
	}
	if !ok || size > latest.Size || size < 1 || len(indexes) > MaxProofs {
		return nil, outOfRange(fmt.Sprintf("a tree of 1 to %d entries, at most %d of them at once", latest.Size, MaxProofs), fmt.Sprintf("%d, and %d of them", size, len(indexes)))
	}
	tree := k.Shelf.Hashes(ctx, size)
	root, err := tree.Root(size)
	if err != nil {
		return nil, fmt.Errorf("compute the root of %d entries: %w", size, err)
	}
	out := make(map[int64][]gate.Digest, len(indexes))
	for _, i := range indexes {
		if i < 0 || i >= size {
			return nil, outOfRange(fmt.Sprintf("an entry below %d", size), fmt.Sprint(i))
		}
		if out[i], err = prove(tree, size, root, i); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func prove(tree *ledger.Reader, size int64, root tlog.Hash, index int64) ([]gate.Digest, error) {
	proof, err := tree.Inclusion(size, index)
	if err != nil {
		return nil, fmt.Errorf("prove entry %d in %d: %w", index, size, err)
	}
	leaf, err := tree.ReadHashes([]int64{tlog.StoredHashIndex(0, index)})
	if err != nil {
		return nil, fmt.Errorf("prove entry %d in %d: %w", index, size, err)
	}
	if err := tlog.CheckRecord(proof, size, root, index, leaf[0]); err != nil {
		return nil, fmt.Errorf("prove entry %d in %d: %w", index, size, err)
	}
	out := make([]gate.Digest, len(proof))
	for i, h := range proof {
		out[i] = gate.Digest(h)
	}
	return out, nil
}

func outOfRange(expected, got string) *gate.Error {
	return &gate.Error{
		Kind: gate.NotFound, Code: gate.CodeLogRange, Text: "the ledger has published no such entry", Expected: expected, Got: got,
		Fix: "stay within the size of the checkpoint at /log/checkpoint",
	}
}
