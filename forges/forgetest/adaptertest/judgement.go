package adaptertest

import (
	"context"
	"slices"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/gate"
)

// judging is a world with what judgement asks for beyond changes and approvals. Both
// doubles are such worlds.
type judging interface {
	forgetest.World
	forgetest.Teams
	forgetest.CI
	forgetest.Assigner
}

// watcher is release.Watcher.
type watcher interface {
	PolicyChange(ctx context.Context, r gate.RepositoryID, number int64) (gate.PolicyChange, error)
}

func (s *stage) judging() judging {
	s.t.Helper()
	w, is := s.World.(judging)
	if !is {
		s.t.Fatalf("world %s: expected one with teams, CI and assignees", s.Name())
	}
	return w
}

// read is the evidence for main's head, with more needs.
func (s *stage) read(more func(*gate.Needs)) gate.Evidence {
	s.t.Helper()
	needs := s.needs()
	more(&needs)
	return s.adapter.Evidence(s.t.Context(), s.request(main), needs)
}

func teamRows() []row {
	asked := func(s *stage, team string, who forgetest.Person) gate.Fact[[]string] {
		s.t.Helper()
		e := s.read(func(n *gate.Needs) { n.Teams, n.Accounts = []string{team}, []gate.AccountID{id(who)} })
		return value(s, "member", e.Roles[id(who)]).Teams
	}
	return []row{
		{"a member of a team", func(s *stage) {
			team := s.judging().AddTeam(s.repo, "security")
			s.judging().JoinTeam(s.repo, team, s.bo)
			s.equal("bo's teams", value(s, "teams", asked(s, team, s.bo)), []string{team})
			s.equal("cy's teams", value(s, "teams", asked(s, team, s.cy)), []string{})
		}},
		{"who was invited is no member yet (attack 53)", func(s *stage) {
			team := s.judging().AddTeam(s.repo, "security")
			s.judging().InviteToTeam(s.repo, team, s.bo)
			s.equal("bo's teams", value(s, "teams", asked(s, team, s.bo)), []string{})
		}},
		{"who left is no member any more", func(s *stage) {
			team := s.judging().AddTeam(s.repo, "security")
			s.judging().JoinTeam(s.repo, team, s.bo)
			s.equal("bo's teams", value(s, "teams", asked(s, team, s.bo)), []string{team})
			s.judging().LeaveTeam(s.repo, team, s.bo)
			s.equal("bo's teams", value(s, "teams", asked(s, team, s.bo)), []string{})
		}},
		{"a team that is not there has no members that could be told", func(s *stage) {
			unknown(s, "bo's teams", asked(s, "acme/nowhere", s.bo))
		}},
		{"candidates come with their teams", func(s *stage) {
			team := s.judging().AddTeam(s.repo, "security")
			s.judging().JoinTeam(s.repo, team, s.bo)
			e := s.read(func(n *gate.Needs) { n.Teams, n.Candidates = []string{team}, true })
			for _, m := range value(s, "candidates", e.Candidates) {
				teams := value(s, "teams of @"+m.Account.Login, m.Teams)
				s.equal("@"+m.Account.Login+" is in it", slices.Contains(teams, team), m.Account.ID == id(s.bo))
			}
		}},
		{"no teams are read where none are asked for", func(s *stage) {
			e := s.asked(s.bo)
			if m := value(s, "bo", e.Roles[id(s.bo)]); m.Teams.IsKnown() {
				s.t.Errorf("teams: expected them unread, got %+v", m.Teams)
			}
		}},
	}
}

func checkRows() []row {
	checked := func(s *stage, names ...string) map[string]gate.CommitCheck {
		s.t.Helper()
		e := s.read(func(n *gate.Needs) { n.Checks = names })
		out := map[string]gate.CommitCheck{}
		for _, c := range value(s, "checks", e.Checks) {
			out[c.Name] = c
		}
		return out
	}
	report := func(s *stage, name string, outcomes ...forgetest.CheckOutcome) {
		s.t.Helper()
		for _, o := range outcomes {
			s.judging().ReportCheck(s.repo, s.Head(s.repo, main), name, o)
		}
	}
	return []row{
		{"passed, failed, running, skipped and none", func(s *stage) {
			report(s, "unit", forgetest.CheckPassed)
			report(s, "lint", forgetest.CheckFailed)
			report(s, "slow", forgetest.CheckRunning)
			report(s, "docs", forgetest.CheckSkipped)
			got := checked(s, "unit", "lint", "slow", "docs", "never")
			s.equal("unit", []bool{got["unit"].Done, got["unit"].Passed}, []bool{true, true})
			s.equal("lint", []bool{got["lint"].Done, got["lint"].Passed}, []bool{true, false})
			s.equal("slow", []bool{got["slow"].Done, got["slow"].Passed}, []bool{false, false})
			s.equal("docs passed", got["docs"].Passed, false)
			s.equal("checks", len(got), 4)
		}},
		{"the newest run of a name counts", func(s *stage) {
			report(s, "unit", forgetest.CheckFailed, forgetest.CheckPassed)
			report(s, "lint", forgetest.CheckPassed, forgetest.CheckRunning)
			got := checked(s, "unit", "lint")
			s.equal("unit passed", got["unit"].Passed, true)
			s.equal("lint passed", got["lint"].Passed, false)
		}},
		{"another commit's check is none of this one's", func(s *stage) {
			report(s, "unit", forgetest.CheckPassed)
			s.Push(s.repo, s.ana, main, s.commit(s.ana, "More"))
			s.equal("checks", len(checked(s, "unit")), 0)
		}},
		{"what the gate itself reports is no evidence", func(s *stage) {
			p := gate.Post{
				Request: "r1", Repository: s.repository(), Target: gate.PostStatus, Key: "r1", Commit: s.Head(s.repo, main),
				Context: "countersign/release", State: gate.PostSuccess, Title: "Signed",
			}
			if _, err := s.adapter.Post(s.t.Context(), p); err != nil {
				s.t.Fatal(err)
			}
			s.equal("checks", len(checked(s, "countersign/release")), 0)
		}},
		{"no checks are read where none are asked for", func(s *stage) {
			unknown(s, "checks", s.evidence().Checks)
		}},
	}
}

func ownerRows() []row {
	write := func(s *stage, path, content string) {
		s.t.Helper()
		s.serial++
		sha := s.Commit(s.repo, forgetest.CommitSpec{Author: s.ana, Message: "Change " + path, Files: map[string][]byte{path: []byte(content)}})
		s.Push(s.repo, s.ana, main, sha)
	}
	owners := func(s *stage) gate.Fact[gate.OwnersFile] {
		s.t.Helper()
		return s.read(func(n *gate.Needs) { n.Owners = true }).Owners
	}
	return []row{
		{"the code owners as of the release before (attack 77)", func(s *stage) {
			write(s, "CODEOWNERS", "* @bo\n")
			s.root = s.Head(s.repo, main) // released
			write(s, "CODEOWNERS", "* @mallory\n")
			for range 2 { // once out of the memory
				o := value(s, "owners", owners(s))
				s.equal("path, commit and content", []string{o.Path, o.Commit, string(o.Content)}, []string{"CODEOWNERS", s.root, "* @bo\n"})
			}
		}},
		{"there was no such file", func(s *stage) {
			write(s, "CODEOWNERS", "* @mallory\n")
			absent(s, "owners", owners(s))
		}},
		{"a file below docs/", func(s *stage) {
			write(s, "docs/CODEOWNERS", "* @bo\n")
			s.root = s.Head(s.repo, main)
			s.equal("path", value(s, "owners", owners(s)).Path, "docs/CODEOWNERS")
		}},
		{"the first of several places", func(s *stage) {
			first := map[string]string{"github": ".github/CODEOWNERS", "gitlab": "CODEOWNERS"}[s.Name()]
			for _, path := range []string{"docs/CODEOWNERS", ".github/CODEOWNERS", ".gitlab/CODEOWNERS", "CODEOWNERS"} {
				write(s, path, "* @"+path)
			}
			s.root = s.Head(s.repo, main)
			s.equal("path", value(s, "owners", owners(s)).Path, first)
		}},
		{"no code owners are read where none are asked for", func(s *stage) {
			unknown(s, "owners", s.evidence().Owners)
		}},
	}
}

// thread is evidence with the comments of a change since a time.
func (s *stage) thread(c forgetest.Change, since time.Time, refs ...gate.CommentRef) gate.Evidence {
	s.t.Helper()
	return s.read(func(n *gate.Needs) {
		n.Thread, n.ThreadSince, n.Comments = gate.Thread{Number: c.Number}, since, refs
	})
}

func threadRows() []row {
	return []row{
		{"every comment of a thread, oldest first (attack 60)", func(s *stage) {
			change, _ := s.open(s.ana, "topic", "Add topic")
			other, _ := s.open(s.ana, "other", "Other")
			one := s.say(change, s.bo, "/countersign approve")
			s.say(other, s.cy, "Elsewhere")
			two := s.say(change, s.cy, "/countersign deny no")
			all := value(s, "thread", s.thread(change, time.Time{}).Thread)
			if len(all) != 2 || all[0].Ref != one || all[1].Ref != two {
				s.t.Fatalf("thread: got %+v, want the two comments", all)
			}
			s.equal("bodies", []string{all[0].Body, all[1].Body}, []string{"/countersign approve", "/countersign deny no"})
			s.equal("author", all[1].Author.ID, id(s.cy))
			s.equal("a person", all[1].Author.Human, true)
			s.equal("edited, hidden, by machine", []bool{all[1].Edited, all[1].Hidden, all[1].ByMachine}, []bool{false, false, false})
		}},
		{"a comment in it is as it is by itself", func(s *stage) {
			change, _ := s.open(s.ana, "topic", "Add topic")
			said := s.AddComment(change, s.bo, "Looks nice")
			s.EditComment(said, s.bo, "/countersign approve")
			ref := s.ref(said)
			e := s.thread(change, time.Time{}, ref)
			s.equal("comment", value(s, "comment", e.Comments[ref]), s.comment(ref))
			s.equal("edited", value(s, "thread", e.Thread)[0].Edited, true)
		}},
		{"an approval deleted since is absent (attack 46)", func(s *stage) {
			change, _ := s.open(s.ana, "topic", "Add topic")
			said := s.AddComment(change, s.bo, "/countersign approve")
			ref := s.ref(said)
			s.equal("thread", len(value(s, "thread", s.thread(change, time.Time{}, ref).Thread)), 1)
			s.DeleteComment(said, s.bo)
			e := s.thread(change, time.Time{}, ref)
			s.equal("thread", len(value(s, "thread", e.Thread)), 0)
			absent(s, "comment", e.Comments[ref])
		}},
	}
}

// longThreadRows are threads of which not everything is asked for, or much is there.
func longThreadRows() []row {
	return []row{
		{"what is older than asked for is left out, and read where it is an approval's", func(s *stage) {
			change, _ := s.open(s.ana, "topic", "Add topic")
			ref := s.say(change, s.bo, "/countersign approve")
			e := s.thread(change, s.comment(ref).Created.Add(time.Hour), ref)
			s.equal("thread", len(value(s, "thread", e.Thread)), 0)
			s.equal("body", value(s, "comment", e.Comments[ref]).Body, "/countersign approve")
		}},
		{"more comments than a page", func(s *stage) {
			change, _ := s.open(s.ana, "topic", "Add topic")
			first := s.say(change, s.bo, "/countersign deny no")
			for range 230 {
				s.say(change, s.cy, "Talk")
			}
			all := value(s, "thread", s.thread(change, time.Time{}).Thread)
			s.equal("comments", len(all), 231)
			s.equal("the first", all[0].Ref, first)
		}},
		{"a bot's comments are no person's (attacks 88 and 92)", func(s *stage) {
			bot := s.AddBot("robot")
			s.SetRole(s.repo, bot, forgetest.RoleWrite)
			change, _ := s.open(s.ana, "topic", "Add topic")
			s.say(change, bot, "/countersign approve")
			s.equal("a person", value(s, "thread", s.thread(change, time.Time{}).Thread)[0].Author.Human, false)
		}},
		{"no thread is read where none is asked for", func(s *stage) {
			unknown(s, "thread", s.evidence().Thread)
		}},
	}
}

// answerableRows are who answers for what no person wrote (attack 89).
func answerableRows() []row {
	return []row{
		{"who merged", func(s *stage) {
			change, _ := s.open(s.ana, "topic", "Add topic")
			s.Merge(change, s.cy, forgetest.MergeCommit)
			a := value(s, "merger", s.onlyChange().Merger)
			s.equal("merger", a.ID, id(s.cy))
			s.equal("a person", a.Human, true)
		}},
		{"a bot that merged is known, and no person", func(s *stage) {
			bot := s.AddBot("robot")
			s.SetRole(s.repo, bot, forgetest.RoleMaintain)
			change, _ := s.open(s.ana, "topic", "Add topic")
			s.Merge(change, bot, forgetest.MergeCommit)
			a := value(s, "merger", s.onlyChange().Merger)
			s.equal("merger", a.ID, id(bot))
			s.equal("a person", a.Human, false)
		}},
		{"a direct push was merged by nobody", func(s *stage) {
			s.Push(s.repo, s.ana, main, s.commit(s.ana, "Straight"))
			absent(s, "merger", s.onlyChange().Merger)
		}},
		{"who is in charge of a bot's change is its author", func(s *stage) {
			bot := s.AddBot("robot")
			s.SetRole(s.repo, bot, forgetest.RoleWrite)
			change, _ := s.open(bot, "topic", "Add topic")
			s.judging().Assign(change, s.cy)
			s.Merge(change, s.bo, forgetest.MergeCommit)
			c := s.onlyChange()
			s.wrote(c, s.cy)
			s.innocent(c, s.ana)
		}},
		{"who is in charge of a person's change is not", func(s *stage) {
			change, _ := s.open(s.ana, "topic", "Add topic")
			s.judging().Assign(change, s.cy)
			s.Merge(change, s.bo, forgetest.MergeCommit)
			s.innocent(s.onlyChange(), s.cy)
		}},
	}
}

// machineRows are accounts that are no person's.
func machineRows() []row {
	return []row{
		{"a bot is no person on its commits, as opener and as pusher", func(s *stage) {
			bot := s.AddBot("robot")
			s.SetRole(s.repo, bot, forgetest.RoleWrite)
			change, _ := s.open(bot, "topic", "Add topic")
			s.Merge(change, s.bo, forgetest.Squash)
			c := s.onlyChange()
			s.equal("opener is a person", value(s, "opener", c.Opener).Human, false)
			for _, commit := range c.Commits {
				for _, p := range commit.People {
					if a, ok := p.Account.Get(); ok && a.ID == id(bot) && a.Human {
						s.t.Errorf("%s of %s: expected no person, got %+v", p.Part, gate.ShortCommit(commit.SHA), a)
					}
				}
			}
			for _, a := range value(s, "pushers", c.Pushers) {
				s.equal("pusher is a person", a.Human, false)
			}
		}},
		{"reviews are spared where they do not count", func(s *stage) {
			change, _ := s.open(s.ana, "topic", "Add topic")
			s.Review(change, s.bo, forgetest.ReviewApprove)
			s.Merge(change, s.bo, forgetest.MergeCommit)
			e := s.read(func(n *gate.Needs) { n.NoReviews = true })
			c := value(s, "changes", e.Changes)[0]
			s.wrote(c, s.ana)
			if c.Reviews.IsKnown() {
				s.t.Errorf("reviews: expected them unread, got %+v", c.Reviews)
			}
		}},
	}
}

func proposalRows() []row {
	const file = ".countersign.yaml"
	propose := func(s *stage, branch string, files map[string][]byte) gate.PolicyChange {
		s.t.Helper()
		sha := s.Commit(s.repo, forgetest.CommitSpec{Author: s.bo, Message: "Change " + branch, Files: files})
		s.Push(s.repo, s.bo, "refs/heads/"+branch, sha)
		c := s.OpenChange(s.repo, s.bo, forgetest.ChangeSpec{Title: "Bring " + branch, Source: branch})
		w, is := s.adapter.(watcher)
		if !is {
			s.t.Fatal("adapter: expected release.Watcher")
		}
		out, err := w.PolicyChange(s.t.Context(), s.repository(), c.Number)
		if err != nil {
			s.t.Fatal(err)
		}
		s.equal("number and head", []any{out.Number, out.Head}, []any{c.Number, sha})
		s.equal("open, from a fork", []bool{out.Open, out.Fork}, []bool{true, false})
		return out
	}
	adopt := func(s *stage) {
		s.t.Helper()
		s.Push(s.repo, s.ana, main, s.Commit(s.repo, forgetest.CommitSpec{Author: s.ana, Message: "Policy", Files: map[string][]byte{file: []byte("version: 1\n")}}))
	}
	return []row{
		{"a change of the policy", func(s *stage) {
			adopt(s)
			c := propose(s, "topic", map[string][]byte{file: []byte("version: 1\n# more\n")})
			s.equal("touches, deleted", []bool{c.Touches, c.Deleted}, []bool{true, false})
			s.equal("content", string(c.Content), "version: 1\n# more\n")
		}},
		{"a change of something else", func(s *stage) {
			adopt(s)
			s.equal("touches", propose(s, "topic", map[string][]byte{"x": []byte("y")}).Touches, false)
		}},
		{"a change that takes the policy away", func(s *stage) {
			adopt(s)
			c := propose(s, "topic", map[string][]byte{file: nil})
			s.equal("touches, deleted", []bool{c.Touches, c.Deleted}, []bool{true, true})
		}},
		{"a change that brings the first policy", func(s *stage) {
			c := propose(s, "topic", map[string][]byte{file: []byte("version: 1\n")})
			s.equal("touches", c.Touches, true)
			s.equal("content", string(c.Content), "version: 1\n")
		}},
		{"a change that is not there", func(s *stage) {
			w, is := s.adapter.(watcher)
			if !is {
				s.t.Fatal("adapter: expected release.Watcher")
			}
			if _, err := w.PolicyChange(s.t.Context(), s.repository(), 4711); gate.KindOf(err) != gate.NotFound {
				s.t.Errorf("error: got %v, want not found", err)
			}
		}},
	}
}
