package main

import (
	"context"

	"github.com/countersign/countersign/gate/release"
	"github.com/countersign/countersign/gate/store"
	"github.com/countersign/countersign/web"
)

// rooms adds to the surface what the pages of repositories, keys and operations need.
func rooms(w web.Config, g *release.Gate, keys release.Keyring, shelf *store.Store) web.Config {
	w.Board, w.Workshop, w.Outbox = shelf, shelf, outbox{shelf}
	w.Policies, w.Proposals, w.Bindings = g, shelf, keys
	return w
}

// outbox tells the operations page of the posts that were given up.
type outbox struct{ *store.Store }

// Untold lists them, the latest first.
func (o outbox) Untold(ctx context.Context, limit int) ([]web.Untold, error) {
	all, err := o.GivenUp(ctx, limit)
	if err != nil {
		return nil, err
	}
	out := make([]web.Untold, len(all))
	for i, p := range all {
		out[i] = web.Untold{Post: p.Post, Why: p.Why, Refusals: p.Refusals, At: p.At}
	}
	return out, nil
}
