package keeper

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"
)

// breath is the least time between two publications that nobody waits for.
const breath = time.Second

// Work publishes what is stored, and has every witness cosign it, until ctx ends.
func (k *Keeper) Work(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, s := range k.seats {
		g.Go(func() error { return k.attend(ctx, s) })
	}
	g.Go(func() error {
		for ctx.Err() == nil {
			if _, err := k.publish(ctx, 0); err != nil && ctx.Err() == nil {
				k.Log.WarnContext(ctx, "the ledger was not published", "error", err)
			}
			pause(ctx, nil, breath)
			pause(ctx, k.wake, k.Every)
		}
		return nil
	})
	return g.Wait()
}

func pause(ctx context.Context, wake <-chan struct{}, most time.Duration) {
	t := time.NewTimer(most)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-wake:
	case <-t.C:
	}
}
