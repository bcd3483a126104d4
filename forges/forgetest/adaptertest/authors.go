package adaptertest

import (
	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/gate"
)

func authorRows() []row {
	return []row{
		{"co-authors by trailer, in any case, several (attack 36)", func(s *stage) {
			change, _ := s.open(s.ana, "topic", "Add topic\n\nco-authored-by: Bo <"+s.bo.Email+">\nCO-AUTHORED-BY: Cy <"+s.cy.Email+">")
			s.Merge(change, s.ana, forgetest.MergeCommit)
			s.wrote(s.onlyChange(), s.ana, s.bo, s.cy)
		}},
		{"a co-author of no account is unlinked (attack 35)", func(s *stage) {
			change, _ := s.open(s.ana, "topic", "Add topic\n\nCo-authored-by: Somebody <somebody@nowhere.invalid>")
			s.Merge(change, s.bo, forgetest.MergeCommit)
			s.unlinked(s.onlyChange())
		}},
		{"an author of no account is unlinked (attack 35)", func(s *stage) {
			sha := s.Commit(s.repo, forgetest.CommitSpec{
				Author: forgetest.Person{Email: "stranger@nowhere.invalid"}, Committer: s.ana, Message: "From a patch",
				Files: map[string][]byte{"patch": []byte("x")},
			})
			s.Push(s.repo, s.ana, "refs/heads/topic", sha)
			change := s.OpenChange(s.repo, s.ana, forgetest.ChangeSpec{Title: "Patch", Source: "topic"})
			s.Merge(change, s.bo, forgetest.MergeCommit)
			c := s.onlyChange()
			s.unlinked(c)
			s.wrote(c, s.ana)
		}},
		{"who pushes onto a colleague's change is an author (attack 34)", func(s *stage) {
			change, one := s.open(s.ana, "topic", "Add topic")
			s.Push(s.repo, s.bo, "refs/heads/topic", s.commit(s.ana, "As if by ana", one))
			s.Merge(change, s.cy, forgetest.MergeCommit)
			c := s.onlyChange()
			s.wrote(c, s.ana, s.bo)
			s.innocent(c, s.cy)
		}},
		{"who rewrote the branch is an author, and who wrote it first (attack 40)", func(s *stage) {
			change, _ := s.open(s.ana, "topic", "Add topic")
			s.Push(s.repo, s.bo, "refs/heads/topic", s.commit(s.bo, "The same, rewritten", s.root))
			s.Merge(change, s.cy, forgetest.MergeCommit)
			s.wrote(s.onlyChange(), s.ana, s.bo)
		}},
		{"a forged author does not hide the pusher (attack 33)", func(s *stage) {
			s.Push(s.repo, s.bo, main, s.commit(s.ana, "As if by ana"))
			s.wrote(s.onlyChange(), s.bo)
		}},
		{"an evil merge has its maker as author (attack 39)", evilMerge},
		{"a commit merged in the range by a side branch is in it", sideBranch},
		{"a bot's commit has no human author", botCommit},
		{"a change from a fork names its author, and its pushers or that they are unknown", forkChange},
	}
}

// unlinked holds that some name on the change belongs to no account.
func (s *stage) unlinked(c gate.Change) {
	s.t.Helper()
	for _, commit := range c.Commits {
		for _, p := range commit.People {
			if p.Account.IsAbsent() {
				return
			}
		}
	}
	s.t.Errorf("#%d %q: expected a name that belongs to no account", c.Number, c.Title)
}

func evilMerge(s *stage) {
	change, head := s.open(s.ana, "topic", "Add topic")
	s.Review(change, s.bo, forgetest.ReviewApprove)
	s.Push(s.repo, s.cy, main, s.commit(s.cy, "Merge topic", s.root, head))
	named := false
	for _, c := range s.changes() {
		for _, commit := range c.Commits {
			if commit.Title == "Merge topic" {
				named = true
				s.wrote(c, s.cy)
				s.equal("made by the forge", commit.ByForge, false)
			}
		}
	}
	s.equal("the merge is in a change", named, true)
}

func sideBranch(s *stage) {
	side := s.commit(s.bo, "On the side", s.root)
	onMain := s.commit(s.ana, "On main")
	s.Push(s.repo, s.ana, main, onMain)
	s.Push(s.repo, s.ana, main, s.commit(s.ana, "Join", onMain, side))
	found := false
	for _, c := range s.changes() {
		for _, commit := range c.Commits {
			found = found || commit.SHA == side
		}
	}
	s.equal("the side commit is in the change set", found, true)
}

func botCommit(s *stage) {
	bot := s.AddBot("renovate")
	s.SetRole(s.repo, bot, forgetest.RoleWrite)
	change, _ := s.open(bot, "bump", "Bump a dependency")
	s.Merge(change, s.ana, forgetest.MergeCommit)
	c := s.onlyChange()
	s.wrote(c, bot)
	s.equal("opener is a person", value(s, "opener", c.Opener).Human, false)
	for _, commit := range c.Commits {
		for _, p := range commit.People {
			if a, ok := p.Account.Get(); ok && a.ID == id(bot) && a.Human {
				s.t.Errorf("%s of %s: expected no person", p.Part, commit.Title)
			}
		}
	}
}

func forkChange(s *stage) {
	w, can := s.World.(forker)
	if !can {
		s.t.Fatalf("%T: expected a method Fork", s.World)
	}
	fork := w.Fork(s.repo, s.dan, "dan/app")
	sha := s.Commit(fork, forgetest.CommitSpec{
		Author: s.dan, Message: "From outside", Parents: []string{s.root}, Files: map[string][]byte{"dan": []byte("1")},
	})
	s.Push(fork, s.dan, "refs/heads/topic", sha)
	change := s.OpenChange(s.repo, s.dan, forgetest.ChangeSpec{Title: "From a fork", Source: "topic", From: fork})
	s.Review(change, s.bo, forgetest.ReviewApprove)
	s.Merge(change, s.cy, forgetest.MergeCommit)
	c := s.onlyChange()
	s.equal("number", c.Number, change.Number)
	s.holds(c, sha)
	s.wrote(c, s.dan)
	s.innocent(c, s.bo, s.cy)
	if pushers, ok := c.Pushers.Get(); ok && len(pushers) == 0 || c.Pushers.IsAbsent() {
		s.t.Error("pushers: expected them, or that they are unknown; got none")
	}
}
