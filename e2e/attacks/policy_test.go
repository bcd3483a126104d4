package attacks_test

import (
	"testing"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/gate"
)

// weaker is a policy that asks for less than two approvals.
const weaker = "approvals: [{from: [write], count: 1}]"

// proposePolicy opens a change that replaces the policy file.
func (s *stage) proposePolicy(by, lines string) forgetest.Change {
	s.Helper()
	return s.proposed(by, "policy", s.Commit(s.repo, forgetest.CommitSpec{
		Author: s.who(by), Message: "Ask for less", Files: map[string][]byte{".countersign.yaml": []byte(policyFile(lines))},
	}))
}

func TestPolicies(t *testing.T) {
	play(t, []row{
		{name: "attack 75: a change that weakens the policy it is judged by", policy: two, play: func(s *stage) {
			s.merge(s.proposePolicy("ana", weaker), "eve")
			s.widget()
			r := s.asked()
			r.approve("bo")
			r.waits(gate.CheckApprovals, "1 of 2")
		}},
		{name: "attack 75: a tag on a commit that holds a weaker policy", policy: two, play: func(s *stage) {
			c := s.proposePolicy("ana", weaker)
			r := s.released(c)
			r.approve("bo")
			r.waits(gate.CheckApprovals, "1 of 2")
		}},
		{name: "attack 76: a policy that is adopted while a release waits", policy: two, play: func(s *stage) {
			s.widget()
			r := s.asked()
			r.approve("bo")
			if a := s.adopts(policyFile(weaker)); a.err != nil {
				s.Fatal(a.err)
			}
			s.settle()
			r.ends(gate.StateVoid, gate.CheckPolicy, "another policy is in force since the request")
		}},
		{name: "attack 76: the policy file is taken away", play: func(s *stage) {
			s.pushed("eve", mainRef, s.Commit(s.repo, forgetest.CommitSpec{
				Author: s.who("eve"), Message: "No policy", Files: map[string][]byte{".countersign.yaml": nil},
			}))
			s.widget()
			s.settle()
			s.ask(s.job("ana", "refs/tags/v1.0.0")).refused(gate.CodePolicyMissing, ".countersign.yaml")
		}},
		{name: "attack 77: CODEOWNERS edited in the change", play: func(s *stage) {
			c := s.proposed("ana", "owners", s.Commit(s.repo, forgetest.CommitSpec{
				Author: s.who("ana"), Message: "Own everything", Files: map[string][]byte{"CODEOWNERS": []byte("* @ana @gus\n")},
			}))
			r := s.released(c)
			r.approve("gus")
			r.waits(gate.CheckApprovals, "that of @gus does not count")
			s.adopts(policyFile("approvals: [{from: [codeowners]}]")).refused(gate.CodePolicyInvalid, "codeowners")
		}},
		{name: "attack 78: YAML that reads two ways", play: func(s *stage) {
			for what, file := range map[string]string{
				"a field twice":    "version: 1\nreleases:\n  - workflow: release.yml\n    job: release\n    job: evil\n",
				"an anchor":        "version: 1\nreleases:\n  - &a\n    workflow: release.yml\n    job: release\n",
				"an alias":         "version: 1\nreleases:\n  - workflow: release.yml\n    job: *a\n",
				"an unknown field": "version: 1\nreleases:\n  - workflow: release.yml\n    job: release\n    aprovals: []\n",
				"a tag":            "version: 1\nreleases:\n  - workflow: release.yml\n    job: !!str release\n",
				"a second one":     "version: 1\nreleases:\n  - workflow: release.yml\n    job: release\n---\nversion: 1\n",
			} {
				s.Log(what)
				s.adopts(file).refused(gate.CodePolicyInvalid, ".countersign.yaml:")
			}
		}},
	})
}
