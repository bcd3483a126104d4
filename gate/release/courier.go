package release

import (
	"context"
	"time"

	"github.com/countersign/countersign/gate"
)

const (
	courierEvery   = 10 * time.Minute
	courierAtStart = 24 * time.Hour // how long a server may have been down without losing anything
	courierOverlap = time.Hour      // a forge may still have been trying
)

// couriers has every forge that keeps a list of its deliveries send the lost ones again,
// from time to time, until ctx ends (attack 60).
func (g *Gate) couriers(ctx context.Context) {
	since := g.Now().Add(-courierAtStart)
	for {
		began := g.Now()
		for id, port := range g.Forges {
			g.redeliver(ctx, id, port.Courier, since)
		}
		since = began.Add(-courierOverlap)
		select {
		case <-ctx.Done():
			return
		case <-time.After(courierEvery):
		}
	}
}

func (g *Gate) redeliver(ctx context.Context, id gate.ForgeID, c Courier, since time.Time) {
	if c == nil {
		return
	}
	_, err := contained(ctx, func(ctx context.Context) (bool, error) {
		n, err := c.Redeliver(ctx, since)
		if n > 0 {
			g.Log.WarnContext(ctx, "lost deliveries asked for again", "forge", string(id), "deliveries", n)
		}
		return n > 0, err
	})
	if err != nil && ctx.Err() == nil {
		g.Log.WarnContext(ctx, "lost deliveries not looked for", "forge", string(id), "error", err)
	}
}
