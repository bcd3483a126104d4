package gate

import (
	"slices"
	"strings"
)

// Authors is who had a hand in one change.
type Authors struct {
	list     []Authorship
	unlinked []string // names that belong to no account
	unread   string   // why the list may lack somebody; "" where it is complete
}

// AuthorsOf collects the AUTHORS of a change: its opener, everyone on its commits,
// everyone who pushed to it, and the humans who started an agent's work. A
// name can only ever add somebody; what could not be read makes the whole
// set unread.
func AuthorsOf(c Change) Authors {
	var a Authors
	if opener, ok := c.Opener.Get(); ok {
		a.add(opener, string(PartOpener))
	} else if !c.Direct() {
		a.miss("who opened it", c.Opener.Why())
	}
	if len(c.Commits) == 0 {
		a.miss("its commits", "none were given")
	}
	for _, commit := range c.Commits {
		a.addCommit(commit)
	}
	if pushers, ok := c.Pushers.Get(); ok {
		for _, p := range pushers {
			a.add(p, string(PartPusher))
		}
	} else {
		a.miss("who pushed to it", c.Pushers.Why())
	}
	for _, p := range c.Initiators {
		a.add(p, string(PartInitiator))
	}
	return a
}

func (a *Authors) addCommit(c Commit) {
	short := ShortCommit(c.SHA)
	if len(c.People) == 0 && !c.ByForge {
		a.miss("who made "+short, "no name came with it")
	}
	for _, p := range c.People {
		account, ok := p.Account.Get()
		switch {
		case ok:
			a.add(account, string(p.Part)+" of "+short)
		case p.Account.IsAbsent():
			if !slices.Contains(a.unlinked, p.Name) {
				a.unlinked = append(a.unlinked, p.Name)
			}
		default:
			a.miss("the "+string(p.Part)+" of "+short, p.Account.Why())
		}
	}
}

func (a *Authors) add(who Account, why string) {
	for i := range a.list {
		if a.list[i].Account.ID != who.ID {
			continue
		}
		if !strings.Contains(a.list[i].Why, why) {
			a.list[i].Why += ", " + why
		}
		return
	}
	a.list = append(a.list, Authorship{Account: who, Why: why})
}

func (a *Authors) miss(what, why string) {
	if a.unread == "" {
		a.unread = what + " could not be read: " + why
	}
}

// Include reports whether id is an author, and why.
func (a Authors) Include(id AccountID) (string, bool) {
	for _, x := range a.list {
		if x.Account.ID == id {
			return x.Why, true
		}
	}
	return "", false
}
