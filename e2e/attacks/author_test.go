package attacks_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/gate"
)

// stranger writes commits from an e-mail that belongs to no account.
func stranger() forgetest.Person {
	return forgetest.Person{Login: "Nobody", Email: "nobody@nowhere.example"}
}

// known has a person commit somewhere once, so that GitLab tells whose e-mail it is.
func (s *stage) known(names ...string) {
	s.Helper()
	for _, name := range names {
		s.push(name, mainScratch(s), "Scratch by "+name)
	}
}

// released merges a change, tags main and asks, all as people who wrote nothing of it.
func (s *stage) released(c forgetest.Change) *request {
	s.Helper()
	s.merge(c, "eve")
	s.tag("eve", "v1.0.0")
	return s.ask(s.job("eve", "refs/tags/v1.0.0")).opened()
}

// authorOnly expects that the person's approval covers nothing of the change.
func (r *request) authorOnly(name string) {
	r.Helper()
	r.approve(name)
	r.waits(gate.CheckCoverage, "@"+name)
	r.waits(gate.CheckApprovals, "that of @"+name+" does not count", "is an author of")
}

func TestAuthors(t *testing.T) {
	play(t, []row{
		{name: "attack 33: commits under a colleague's name", play: func(s *stage) {
			s.known("bo")
			r := s.released(s.proposed("ana", "widget", s.commit(s.who("bo"), mainRef, "By bo, they say")))
			r.authorOnly("ana")
		}},
		{name: "attack 34: a push onto a colleague's change, under the colleague's name", play: func(s *stage) {
			c := s.propose("ana", "widget")
			s.pushed("bo", "refs/heads/widget", s.commit(s.who("ana"), "refs/heads/widget", "By ana, they say"))
			s.released(c).authorOnly("bo")
		}},
		{name: "attack 34: a push onto a bot's change", play: func(s *stage) {
			bot := s.AddBot("dependabot")
			s.SetRole(s.repo, bot, forgetest.RoleWrite)
			s.people["dependabot"] = bot
			c := s.propose("dependabot", "bump")
			s.pushed("bo", "refs/heads/bump", s.commit(bot, "refs/heads/bump", "By the bot, they say"))
			s.released(c).authorOnly("bo")
		}},
		{name: "attack 35: a commit from an e-mail of no account", play: func(s *stage) {
			r := s.released(s.proposed("ana", "widget", s.commit(stranger(), mainRef, "From nowhere")))
			r.approve("bo")
			r.waits(gate.CheckCoverage, "one more because Nobody belongs to no account here")
			r.approve("cy")
			r.signed()
		}},
		{name: "attack 36: co-authors in trailers, in any case, several", play: func(s *stage) {
			s.known("bo", "cy")
			message := fmt.Sprintf("Bring widget\n\nco-AUTHORED-by: bo <%s>\nCo-authored-by: cy <%s>\n",
				s.who("bo").Email, strings.ToUpper(s.who("cy").Email))
			r := s.released(s.proposed("ana", "widget", s.commit(s.who("ana"), mainRef, message)))
			r.authorOnly("bo")
			r.authorOnly("cy")
		}},
		{name: "attack 37: a squash that hides who wrote it", play: func(s *stage) {
			c := s.propose("ana", "widget")
			s.push("bo", "refs/heads/widget", "More of it")
			s.mergeAs(c, "eve", forgetest.Squash)
			s.tag("eve", "v1.0.0")
			s.ask(s.job("eve", "refs/tags/v1.0.0")).opened().authorOnly("bo")
		}},
		{name: "attack 38: an author beyond the commits that are listed", play: func(s *stage) {
			s.known("bo")
			sha := s.commit(s.who("bo"), mainRef, "The first of many")
			for i := range 260 {
				sha = s.Commit(s.repo, forgetest.CommitSpec{
					Parents: []string{sha}, Author: s.who("ana"), Message: fmt.Sprint("More ", i),
					Files: map[string][]byte{"many.go": fmt.Append(nil, i)},
				})
			}
			s.released(s.proposed("ana", "many", sha)).authorOnly("bo")
		}},
		{name: "attack 39: a merge made by hand, with content of its own", play: func(s *stage) {
			c := s.propose("ana", "widget")
			s.review(c, "bo")
			s.serial++
			evil := s.Commit(s.repo, forgetest.CommitSpec{
				Parents: []string{s.Head(s.repo, mainRef), s.Head(s.repo, "refs/heads/widget")}, Author: s.who("cy"),
				Message: "Merge branch 'widget'", Files: map[string][]byte{"src/file1.go": []byte("Bring widget"), "evil.go": []byte("evil")},
			})
			s.pushed("cy", mainRef, evil)
			s.tag("eve", "v1.0.0")
			r := s.ask(s.job("eve", "refs/tags/v1.0.0")).opened()
			r.approve("cy")
			r.waits(gate.CheckCoverage, "@cy")
			r.approve("bo")
			r.signed()
		}},
		{name: "attack 40: a branch rewritten under another name", play: func(s *stage) {
			c := s.propose("ana", "widget")
			s.pushed("bo", "refs/heads/widget", s.commit(s.who("bo"), mainRef, "Bring widget"))
			r := s.released(c)
			r.authorOnly("ana")
			r.authorOnly("bo")
		}},
		{name: "attack 40: commits that the forge rebased in the merger's name", play: func(s *stage) {
			c := s.propose("ana", "widget")
			s.push("bo", "refs/heads/widget", "More of it")
			s.mergeAs(c, "eve", forgetest.Rebase)
			s.tag("eve", "v1.0.0")
			r := s.ask(s.job("eve", "refs/tags/v1.0.0")).opened()
			r.authorOnly("ana")
			r.authorOnly("bo")
		}},
		{name: "attack 41: the approver's e-mail as a co-author, to keep them from approving", play: func(s *stage) {
			s.known("bo")
			message := fmt.Sprintf("Bring widget\n\nCo-authored-by: bo <%s>\n", s.who("bo").Email)
			sha := s.commit(s.who("ana"), mainRef, message)
			r := s.released(s.proposed("ana", "widget", sha))
			r.authorOnly("bo")
			r.waits(gate.CheckCoverage, gate.ShortCommit(sha))
			_, d := r.now()
			for _, a := range d.Coverage[0].Authors {
				if a.Account.Login == "bo" && !strings.Contains(a.Why, "co-author of "+gate.ShortCommit(sha)) {
					s.Errorf("expected why bo may not approve, with the commit; got %q", a.Why)
				}
			}
		}},
		{name: "attack 42: who approved commits afterwards", policy: "approvals: [{from: [write], count: 2}]", play: func(s *stage) {
			s.widget()
			r := s.asked()
			r.approve("bo")
			s.merge(s.propose("bo", "more"), "eve")
			s.tag("ana", "v1.0.0")
			s.settle()
			r.ends(gate.StateVoid, gate.CheckRef, "v1.0.0 moved")
			next := s.asked()
			next.waits(gate.CheckApprovals, "0 of 2")
			next.approve("bo")
			next.waits(gate.CheckCoverage, "1 of 2 changes not yet covered", "someone other than @bo")
		}},
		{name: "attack 43: a second account without a right", play: func(s *stage) {
			s.people["ana2"] = s.AddPerson("ana2")
			s.Publish(s.repo)
			s.widget()
			r := s.asked()
			r.approve("ana2")
			r.waits(gate.CheckApprovals, "that of @ana2 does not count")
		}},
		{name: "attack 43: a second account where the policy asks for two others", policy: "approvals: [{from: [write], count: 1}, {from: [maintain], count: 1}]", play: func(s *stage) {
			s.people["ana2"] = s.AddPerson("ana2")
			s.SetRole(s.repo, s.who("ana2"), forgetest.RoleWrite)
			s.widget()
			r := s.asked()
			r.approve("ana2")
			r.waits(gate.CheckApprovals, "1 of 2")
		}},
	})
}
