package gate

import (
	"fmt"
	"slices"
	"strings"
)

// Authors is who had a hand in one change. It grows with every commit, so nothing in
// it is searched from end to end.
type Authors struct {
	hands    []hand            // in the order in which they first appear
	at       map[AccountID]int // where in hands
	done     map[deed]bool
	unlinked []string // names that belong to no account
	unread   string   // why somebody may be lacking; "" where it is complete
}

// hand is one author with everything they did.
type hand struct {
	account Account
	parts   []string
}

type deed struct {
	who AccountID
	did string
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

// add counts one more hand. An account without a number can be told from nobody: it
// leaves the set unread.
func (a *Authors) add(who Account, did string) {
	if !who.ID.numbered() {
		a.miss(fmt.Sprintf("the account behind %q", did), "it has no number")
		return
	}
	if a.done[deed{who.ID, did}] {
		return
	}
	if a.at == nil {
		a.at, a.done = map[AccountID]int{}, map[deed]bool{}
	}
	a.done[deed{who.ID, did}] = true
	i, there := a.at[who.ID]
	if !there {
		i = len(a.hands)
		a.at[who.ID], a.hands = i, append(a.hands, hand{account: who})
	}
	a.hands[i].parts = append(a.hands[i].parts, did)
}

// join takes in the authors of one more change.
func (a *Authors) join(other Authors, called string) {
	for _, h := range other.hands {
		a.add(h.account, "author of "+called)
	}
	if other.unread != "" && a.unread == "" {
		a.unread = "of " + called + ", " + other.unread
	}
}

func (a *Authors) miss(what, why string) {
	if a.unread == "" {
		a.unread = what + " could not be read: " + why
	}
}

// Include reports whether id is an author, and why.
func (a Authors) Include(id AccountID) (string, bool) {
	i, ok := a.at[id]
	if !ok {
		return "", false
	}
	return a.hands[i].why(), true
}

func (h hand) why() string { return strings.Join(h.parts, ", ") }

// numbered reports whether the forge gave the account a number: numbers begin at 1.
func (a AccountID) numbered() bool { return a.ID > 0 }

// list is every author with why, for people to read.
func (a Authors) list() []Authorship {
	var out []Authorship
	for _, h := range a.hands {
		out = append(out, Authorship{Account: h.account, Why: h.why()})
	}
	return out
}
