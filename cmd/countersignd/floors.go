package main

import (
	"github.com/countersign/countersign/config"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/policy"
)

// floors reads what the configuration asks of repositories' policies. A floor that does
// not read stops the start: without it policies would be held to less than was meant.
func floors(c config.Config) (func(owner gate.AccountID) []policy.Floor, error) {
	var all []policy.Floor
	for _, f := range c.Floors {
		floor, err := policy.ParseFloor(f.Name, f.File, f.Content)
		if err != nil {
			return nil, err
		}
		all = append(all, floor)
	}
	return func(owner gate.AccountID) []policy.Floor {
		var out []policy.Floor
		for i, f := range c.Floors {
			if f.Holds(owner) {
				out = append(out, all[i])
			}
		}
		return out
	}, nil
}
