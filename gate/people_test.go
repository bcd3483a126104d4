package gate_test

import (
	"testing"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/gatetest"
)

// A headline says how many people it takes: at least as many as any single thing lacks.
func TestHowManyPeopleItTakes(t *testing.T) {
	alone := func(c *gate.Case) { c.Approvals = nil }
	unreviewed := func(c *gate.Case) {
		changes, _ := c.Evidence.Changes.Get()
		for i := range changes {
			changes[i].Reviews = gate.Known([]gate.Review{})
		}
		c.Evidence.Changes = gate.Known(changes)
	}
	asking := func(n int) func(*gate.Case) {
		return func(c *gate.Case) {
			c.Policy.Streams = []gate.Stream{c.Policy.Streams[0]}
			c.Policy.Streams[0].Approvals = []gate.ApprovalGroup{{From: []gate.Role{gate.RoleWrite}, Count: n}}
		}
	}
	nameless := func(c *gate.Case) {
		changes, _ := c.Evidence.Changes.Get()
		changes[0].Commits[0].People = append(changes[0].Commits[0].People, gate.Person{
			Part: gate.PartCoAuthor, Name: "Somebody", Account: gate.Absent[gate.Account]("no account has this address"),
		})
		c.Evidence.Changes = gate.Known(changes)
	}
	for name, row := range map[string]struct {
		want  int
		edits []func(*gate.Case)
	}{
		"granted":                             {0, nil},
		"nobody approved, everything covered": {1, []func(*gate.Case){alone}},
		"nobody approved, nothing covered":    {1, []func(*gate.Case){alone, unreviewed}},
		"one of two approved":                 {1, []func(*gate.Case){asking(2)}},
		"none of three approved":              {3, []func(*gate.Case){alone, asking(3)}},
		"an address of no account":            {2, []func(*gate.Case){alone, unreviewed, nameless}},
		"nothing could be read, and nobody approved": {1, []func(*gate.Case){alone, func(c *gate.Case) {
			c.Evidence = gate.Evidence{ReadAt: c.Evidence.ReadAt}
		}}},
	} {
		opts := make([]gatetest.Option, 0, len(row.edits))
		for _, f := range row.edits {
			opts = append(opts, gatetest.Edit(f))
		}
		c, at := gatetest.GrantedCase(opts...)
		if d := gate.Decide(c, at); d.People != row.want {
			t.Errorf("%s: %d people, expected %d", name, d.People, row.want)
		}
	}
}
