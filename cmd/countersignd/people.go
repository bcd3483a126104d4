package main

import (
	"context"

	"github.com/countersign/countersign/config"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/store"
	"github.com/countersign/countersign/web"
)

// people adds to the surface what signed-in people need: the forges through which they sign
// in, where an OAuth client is configured, and what says what they may do and see.
func people(w web.Config, c config.Config, forges []*liveForge, shelf *store.Store) web.Config {
	w.SignIns, w.Rights = map[gate.ForgeID]web.SignIn{}, map[gate.ForgeID]web.Rights{}
	for _, f := range forges {
		name := f.now().config.Name
		w.Rights[name] = f
		if f.CanSignIn() {
			w.SignIns[name] = f
		}
	}
	w.Sessions, w.Administrators = shelf.Sessions(), c.Administrators
	w.Board = board{shelf}
	return w
}

// board is what the pages read of the store.
type board struct{ *store.Store }

// List lists requests, the newest first.
func (b board) List(ctx context.Context, q gate.ListQuery) ([]gate.Record, error) {
	all, err := b.Recent(ctx, q.Limit)
	var out []gate.Record
	for _, rec := range all {
		open := rec.State == gate.StateWaiting || rec.State == gate.StateGranted || rec.State == gate.StateSigning
		if q.Open && !open || q.Before != "" && rec.Request.ID >= q.Before || q.Repository.ID != 0 && rec.Request.Repository != q.Repository {
			continue
		}
		out = append(out, rec)
	}
	return out, err
}

// History tells what happened to a request.
func (b board) History(context.Context, string) ([]gate.Happening, error) { return nil, nil }

// Enrolled lists the repositories with a policy in force.
func (b board) Enrolled(context.Context, int) ([]gate.Enrolled, error) { return nil, nil }

// Adoptions lists the policies that were in force for a repository.
func (b board) Adoptions(context.Context, gate.RepositoryID) ([]gate.Adoption, error) {
	return nil, nil
}

// KeyUses tells what every key version did.
func (b board) KeyUses(context.Context) ([]gate.KeyUse, error) { return nil, nil }
