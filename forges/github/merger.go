package github

import (
	"fmt"

	"github.com/countersign/countersign/gate"
)

// merger is who had the pull request merged: GitHub names who clicked, or who switched
// automatic merging on. For the merge queue it names its bot; who put the pull request
// there is then in the timeline, which REST does not show here.
func (f *Forge) merger(p *pull) gate.Fact[gate.Account] {
	if p.MergedBy != nil && !isGhost(p.MergedBy.Login) {
		if a, ok := f.toAccount(p.MergedBy); ok {
			return gate.Known(a)
		}
	}
	return gate.Absent[gate.Account](fmt.Sprintf("GitHub does not say who merged #%d: the account is gone", p.Number))
}

// initiators are the people in charge of a pull request that no person opened: its
// assignees (attack 89).
func (f *Forge) initiators(p *pull) []gate.Account {
	opener, ok := f.toAccount(p.User)
	if !ok || opener.Human {
		return nil
	}
	var people accounts
	for i := range p.Assignees {
		if a, ok := f.toAccount(&p.Assignees[i]); ok && a.Human {
			people.add(a)
		}
	}
	return people.list
}

// sameKind makes one account one kind of account. Commits name accounts by e-mail, where
// GitHub calls every account a user; the log, pull requests and reviews tell machines
// from people. What is a machine anywhere is one everywhere.
func sameKind(all []gate.Change) {
	machines := map[gate.AccountID]bool{}
	each := func(f func(*gate.Account)) {
		for i := range all {
			eachAccount(&all[i], f)
		}
	}
	each(func(a *gate.Account) {
		if !a.Human {
			machines[a.ID] = true
		}
	})
	each(func(a *gate.Account) { a.Human = a.Human && !machines[a.ID] })
}

// eachAccount visits, and may change, every account of a change.
func eachAccount(c *gate.Change, f func(*gate.Account)) {
	visit := func(fact *gate.Fact[gate.Account]) {
		if a, ok := fact.Get(); ok {
			f(&a)
			*fact = gate.Known(a)
		}
	}
	visit(&c.Opener)
	visit(&c.Merger)
	for i := range c.Commits {
		for k := range c.Commits[i].People {
			visit(&c.Commits[i].People[k].Account)
		}
	}
	pushers, _ := c.Pushers.Get()
	for i := range pushers {
		f(&pushers[i])
	}
	reviews, _ := c.Reviews.Get()
	for i := range reviews {
		f(&reviews[i].By)
	}
	kept := c.Initiators[:0]
	for _, a := range c.Initiators {
		if f(&a); a.Human {
			kept = append(kept, a)
		}
	}
	c.Initiators = kept
}
