package main

import (
	"github.com/countersign/countersign/config"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/store"
	"github.com/countersign/countersign/web"
)

// people adds to the surface what signed-in people need: the forges through which they sign
// in, where an OAuth client is configured, and what says what they may do and see.
func people(w web.Config, c config.Config, forges []*liveForge, shelf *store.Store) web.Config {
	w.SignIns, w.Rights, w.Reaches = map[gate.ForgeID]web.SignIn{}, map[gate.ForgeID]web.Rights{}, map[gate.ForgeID]web.Reach{}
	for _, f := range forges {
		name := f.now().config.Name
		w.Rights[name], w.Reaches[name] = f, f
		if f.CanSignIn() {
			w.SignIns[name] = f
		}
	}
	w.Sessions, w.Administrators = shelf.Sessions(), c.Administrators
	return w
}
