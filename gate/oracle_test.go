package gate_test

import (
	"slices"

	"pgregory.net/rapid"

	"github.com/countersign/countersign/gate"
)

type ids map[gate.AccountID]bool

func (s ids) add(accounts ...gate.Account) {
	for _, a := range accounts {
		s[a.ID] = true
	}
}

// wrote reads off a change who had a hand in it, and whether a name had no account.
// It is written apart from the gate on purpose.
func wrote(ch gate.Change) (authors ids, nameless bool) {
	authors = ids{}
	if opener, ok := ch.Opener.Get(); ok {
		authors.add(opener)
	}
	pushers, _ := ch.Pushers.Get()
	authors.add(pushers...)
	authors.add(ch.Initiators...)
	for _, c := range ch.Commits {
		for _, p := range c.People {
			if who, ok := p.Account.Get(); ok {
				authors.add(who)
			}
			nameless = nameless || p.Account.IsAbsent()
		}
	}
	return authors, nameless
}

// independentlyCovered holds a grant against the rule, counting for itself.
func independentlyCovered(t *rapid.T, c release, d gate.Decision) {
	s, _ := c.Policy.StreamByName(c.Request.Stream)
	changes, ok := c.Evidence.Changes.Get()
	if !ok {
		t.Fatal("granted with unread changes")
	}
	everyone := ids{}
	if s.Separation == gate.Outsider {
		for _, ch := range changes {
			authors, _ := wrote(ch)
			for id := range authors {
				everyone[id] = true
			}
		}
	}
	for _, ch := range changes {
		if !touches(s, ch) {
			continue
		}
		authors, nameless := wrote(ch)
		helpers := ids{}
		for _, a := range d.Counted {
			helpers.add(a.By)
		}
		if s.ReviewsCount {
			helpers.add(reviewers(ch)...)
		}
		for id := range helpers {
			if authors[id] || everyone[id] {
				delete(helpers, id)
			}
		}
		if len(helpers) == 0 || (nameless && len(helpers) < 2) {
			t.Fatalf("change %d of %v is granted with %v to cover it (a name without account: %v)", ch.Number, authors, helpers, nameless)
		}
		if _, ok := ch.Pushers.Get(); !ok {
			t.Fatalf("change %d is granted with unread pushers", ch.Number)
		}
	}
	independentApproval(t, c, d)
}

func touches(s gate.Stream, ch gate.Change) bool {
	paths, read := ch.Paths.Get()
	return len(s.Paths) == 0 || !read || slices.ContainsFunc(paths, func(p string) bool {
		fits := func(m gate.Matcher) bool { return m.Match(p) }
		return slices.ContainsFunc(s.Paths, fits) || slices.ContainsFunc(s.Shared, fits)
	})
}

func reviewers(ch gate.Change) []gate.Account {
	var out []gate.Account
	reviews, _ := ch.Reviews.Get()
	for _, r := range reviews {
		role, _ := r.Role.Get()
		if ch.Number != 0 && r.Approved && r.By.Human && role >= gate.RoleWrite && r.Commit == ch.Head && !r.At.After(ch.MergedAt) {
			out = append(out, r.By)
		}
	}
	return out
}

// independentApproval asks for one approval of the release, by a person whose right
// was read, from nobody who made the release.
func independentApproval(t *rapid.T, c release, d gate.Decision) {
	makers := ids{}
	makers.add(c.Request.Actors...)
	makers.add(c.Request.Run.Actors...)
	makers.add(c.Request.Workload.Actor)
	commit, _ := c.Evidence.Commit.Get()
	for _, p := range commit.People {
		if who, ok := p.Account.Get(); ok {
			makers.add(who)
		}
	}
	ref, _ := c.Evidence.Ref.Get()
	if who, ok := ref.Tagger.Get(); ok {
		makers.add(who)
	}
	independent := false
	for _, a := range d.Counted {
		m, ok := c.Evidence.Roles[a.By.ID].Get()
		if !ok || !m.Active || !m.Account.Human || m.Role == gate.RoleNone {
			t.Fatalf("the approval of %s counts, whose right is %+v", a.By.ID, m)
		}
		said, ok := c.Evidence.Comments[a.Source].Get()
		if s, _ := c.Policy.StreamByName(c.Request.Stream); s.PageCounts && a.Page && a.Source.ID == 0 && !a.Created.Before(c.Request.Created) {
			independent = independent || !makers[a.By.ID]
			continue
		}
		if !ok || said.Author.ID != a.By.ID || said.Edited || said.Hidden || said.ByMachine {
			t.Fatalf("the approval of %s counts, whose comment is %+v", a.By.ID, said)
		}
		independent = independent || !makers[a.By.ID]
	}
	if !independent {
		t.Fatalf("granted by its makers %v alone: %+v", makers, d.Counted)
	}
}
