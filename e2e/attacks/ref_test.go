package attacks_test

import (
	"testing"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
	"github.com/countersign/countersign/gate"
)

// protect replaces main's protection.
func (s *stage) protect(p forgetest.Protection) {
	s.Helper()
	s.Unprotect(s.repo, mainRef)
	p.Ref = mainRef
	s.Protect(s.repo, p)
}

// annotated makes a tag anew as a tag object at the head of main.
func (s *stage) annotated(by, name string) {
	s.Helper()
	if s.gl != nil {
		s.gl.PushTag(s.repo, s.who(by), name, s.Head(s.repo, mainRef), "Made anew")
	} else {
		s.gh.PushAnnotatedTag(s.repo, s.who(by), name, s.Head(s.repo, mainRef), "Made anew")
	}
	s.clock.pass(deed)
}

func TestRefs(t *testing.T) {
	play(t, []row{
		{name: "attack 21: names that URLs and people read otherwise", play: func(s *stage) {
			s.widget()
			j := s.job("ana", "refs/tags/v1.0.0")
			for _, ref := range []string{
				"refs/heads/main#x", "refs/heads/main%2e%2e", "refs/tags/v1/../../heads/main", "refs/tags/v1\n", "refs/tags/v1\u202e",
				"refs/tags/v1?x", "refs/tags/ v1", "refs/tags/v1.lock", "refs/tags//v1", "main", "",
			} {
				a := s.ask(j, func(a *asking) { a.ask.Ref = ref })
				a.refused(gate.CodeBodyMalformed, "ref")
				if s.gh != nil && ref != "" {
					s.ask(j, claim("ref", ref)).refused(gate.CodeTokenClaims)
				}
			}
		}},
		{name: "attack 22: a branch that is named like a tag", play: func(s *stage) {
			s.widget()
			evil := s.commit(s.who("ana"), mainRef, "Not reviewed")
			s.pushed("ana", "refs/heads/v1.0.0", evil)
			s.ask(s.job("ana", "refs/heads/v1.0.0")).refused(gate.CodeStreamUnknown, "v1.0.0")
			// The tag itself stays what it was, whatever else has its name.
			r := s.asked()
			r.holds(gate.CheckRef, gate.ShortCommit(s.Head(s.repo, "refs/tags/v1.0.0")))
			r.holds(gate.CheckBranch, "main")
		}},
		{name: "attack 23: a tag off the protected branch", play: func(s *stage) {
			s.pushed("ana", "refs/heads/feature", s.commit(s.who("ana"), mainRef, "Not merged"))
			s.pushed("ana", "refs/tags/v1.0.0", s.Head(s.repo, "refs/heads/feature"))
			s.asked().waits(gate.CheckBranch, "is on none of the branches main")
		}},
		{name: "attack 24: the tag moves between approval and signing", play: func(s *stage) {
			c := s.widget()
			r := s.asked()
			s.clock.pass(deed)
			s.AddComment(c, s.who("bo"), "/countersign approve")
			s.Settle()
			s.merge(s.propose("ana", "evil"), "eve")
			s.pushed("ana", "refs/tags/v1.0.0", s.Head(s.repo, mainRef))
			s.settle()
			r.ends(gate.StateVoid, gate.CheckRef, "v1.0.0 moved")
		}},
		{name: "attack 24: the tag is made anew at the same commit", policy: "approvals: [{from: [write], count: 2}]", play: func(s *stage) {
			s.widget()
			r := s.asked()
			r.approve("bo")
			s.annotated("ana", "v1.0.0")
			r.approve("cy")
			r.waits(gate.CheckApprovals, "1 of 2", "that of @bo does not count: the tag was made anew since")
		}},
		{name: "attack 24: the tag is deleted", play: func(s *stage) {
			c := s.widget()
			r := s.asked()
			s.DeleteRef(s.repo, s.who("ana"), "refs/tags/v1.0.0")
			s.say(c, "bo", "/countersign approve")
			r.ends(gate.StateVoid, gate.CheckRef, "refs/tags/v1.0.0 no longer exists")
		}},
		{name: "attack 25: protection is off while the release is asked for", play: func(s *stage) {
			c := s.widget()
			s.Unprotect(s.repo, mainRef)
			r := s.asked()
			s.say(c, "bo", "/countersign approve")
			r.waits(gate.CheckProtection, "branch main: it is not protected")
		}},
		{name: "attack 25: what was pushed while protection was off is a change of its own", play: func(s *stage) {
			s.widget()
			s.Unprotect(s.repo, mainRef)
			s.push("bo", mainRef, "Quickly")
			s.protect(forgetest.Protection{Reviews: 1})
			s.tag("ana", "v1.0.1")
			r := s.ask(s.job("ana", "refs/tags/v1.0.1")).opened()
			s.settle()
			r.approve("bo")
			r.waits(gate.CheckCoverage, "by @bo")
		}},
		{name: "attack 26: a ref_protected claim over an unprotected branch", play: func(s *stage) {
			s.widget()
			s.Unprotect(s.repo, mainRef)
			r := s.ask(s.job("ana", mainRef), claim("ref_protected", "true")).opened()
			r.waits(gate.CheckProtection, "branch main: it is not protected")
		}},
		{name: "attack 27: a push that bypassed review", play: func(s *stage) {
			sha := s.push("eve", mainRef, "Straight to main")
			s.widget()
			r := s.asked()
			r.approve("eve")
			r.waits(gate.CheckCoverage, gate.ShortCommit(sha)+" by @eve", "someone other than @eve")
			r.approve("bo")
			r.signed()
		}},
		{name: "attack 28: who may bypass is hidden, and people are told so", gitlab: gitlabtest.Options{Premium: true}, play: func(s *stage) {
			s.protect(forgetest.Protection{Reviews: 1, Ruleset: true})
			s.widget()
			s.asked().holds(gate.CheckProtection, "who may bypass it is unknown")
		}},
		{
			name: "attack 28: who may bypass is hidden, and the policy asks that nobody may", policy: "branch: {bypass: deny}",
			gitlab: gitlabtest.Options{Premium: true}, play: func(s *stage) {
				s.protect(forgetest.Protection{Reviews: 1, Ruleset: true})
				c := s.widget()
				r := s.asked()
				s.say(c, "bo", "/countersign approve")
				r.waits(gate.CheckProtection, "who may bypass the rules of main could not be read")
			},
		},
		{name: "attack 29: force pushes are allowed", play: func(s *stage) {
			s.protect(forgetest.Protection{Reviews: 1, AllowForcePush: true})
			s.refusesProtection("force pushes allowed")
		}},
		{name: "attack 29: deletion is allowed", on: "github", play: func(s *stage) {
			s.protect(forgetest.Protection{Reviews: 1, AllowDeletion: true})
			s.refusesProtection("deletion allowed")
		}},
		{name: "attack 29: administrators are exempt", on: "github", play: func(s *stage) {
			s.protect(forgetest.Protection{Reviews: 1, AdminsExempt: true})
			s.refusesProtection("administrators are exempt")
		}},
		{
			name: "attack 29: fewer reviews than the policy asks for", policy: "branch: {min_reviews: 2}",
			gitlab: gitlabtest.Options{Premium: true}, play: func(s *stage) {
				s.refusesProtection("asks for 1 reviews, the policy for 2")
			},
		},
		{name: "attack 30: a ruleset that only evaluates", on: "github", play: func(s *stage) {
			s.protect(forgetest.Protection{Reviews: 1, Ruleset: true, Evaluate: true})
			s.refusesProtection("it is not protected")
		}},
		{name: "attack 31: a commit of the fork network under a tag", play: func(s *stage) {
			s.Publish(s.repo)
			fork := s.Fork(s.repo, s.who("mal"), "mal/widget")
			evil := s.Commit(fork, forgetest.CommitSpec{
				Author: s.who("mal"), Message: "From outside", Files: map[string][]byte{"evil": []byte("1")},
			})
			s.Push(fork, s.who("mal"), "refs/heads/evil", evil)
			s.pushed("ana", "refs/tags/v1.0.0", evil)
			s.asked().waits(gate.CheckBranch, "is on none of the branches main")
			s.ask(s.job("ana", mainRef, at(evil))).opened().waits(gate.CheckBranch, "is on none of the branches main")
		}},
		{name: "attack 32: a wildcard rule that is more permissive", on: "gitlab", play: func(s *stage) {
			s.gl.ProtectBranch(s.repo, gitlabtest.BranchRule{
				Name: "m*", Push: []gitlabtest.AccessLevel{{Level: 30}}, AllowForcePush: true,
			})
			s.refusesProtection("force pushes allowed")
		}},
	})
}

// refusesProtection releases under the protection as it is, approved by somebody else.
func (s *stage) refusesProtection(reason string) {
	s.Helper()
	c := s.widget()
	r := s.asked()
	s.say(c, "bo", "/countersign approve")
	r.waits(gate.CheckProtection, "branch main: "+reason)
}
