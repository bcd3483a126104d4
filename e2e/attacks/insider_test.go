package attacks_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/verify"
)

// green posts a successful status in the gate's own words, as somebody at the forge.
func (s *stage) green(sha, context string) {
	s.Helper()
	url := fmt.Sprintf("%s/repos/%s/statuses/%s", s.APIURL(), s.repo.FullName, sha)
	name, value := "Authorization", "Bearer "
	if s.gl != nil {
		url = fmt.Sprintf("%s/projects/%d/statuses/%s", s.APIURL(), s.repo.ID, sha)
		name, value = "Private-Token", s.gl.PersonalToken(s.who("eve"))
	} else {
		value += s.gh.InstallationToken(s.repo)
	}
	body, err := json.Marshal(map[string]string{"state": "success", "context": context, "name": context, "description": "Signed"})
	s.must(err)
	req, err := http.NewRequestWithContext(s.Context(), http.MethodPost, url, bytes.NewReader(body))
	s.must(err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(name, value)
	if a := s.answer(req); a.status != http.StatusCreated {
		s.Fatalf("expected the forge to take the forged status, got %d %s", a.status, a.raw)
	}
}

// uninstall takes the gate off the repository.
func (s *stage) uninstall() {
	s.Helper()
	if s.gl != nil {
		s.SetRole(s.repo, s.gl.BotUser(), forgetest.RoleNone)
		return
	}
	s.gh.Uninstall(s.repo)
}

func TestInsiders(t *testing.T) {
	play(t, []row{
		{name: "attack 82: a forged green check", play: func(s *stage) {
			s.widget()
			r := s.asked()
			s.green(s.commitOf(r.job), "countersign/release")
			s.nudge()
			r.waits(gate.CheckApprovals, "0 of 1")
			r.collect().refused(gate.CodeNotSigned, "waiting")
			forged := []byte(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{},"messageSignature":{}}`)
			if v := verify.Artifact(forged, verify.Under(s.key(lineage)), gate.SHA256([]byte("what was built")), verify.Expect{}); v.OK() {
				s.Errorf("expected a verifier to look at signatures alone, got %+v", v)
			}
		}},
		{name: "attack 82: a signature by another key of the same gate", policy: "key: acme-release", play: func(s *stage) {
			s.widget()
			r := s.asked()
			r.approve("bo")
			r.signed()
			bundle := r.bundles()["widget.tgz.sigstore.json"]
			if v := verify.Artifact(bundle, verify.Under(s.key("other-release")), gate.SHA256([]byte("what was built")), verify.Expect{}); v.OK() {
				s.Errorf("expected the other key not to verify it, got %+v", v)
			}
		}},
		{name: "attack 83: the gate is taken off the repository in mid-flight", policy: two, play: func(s *stage) {
			c := s.widget()
			r := s.asked()
			r.approve("bo")
			s.uninstall()
			s.say(c, "cy", "/countersign approve")
			if s.gl != nil { // GitLab answers the same to who may not see a project and to who asks for none
				s.later(6 * time.Minute)
				r.unread()
				r.waits(gate.CheckRepository, "could not be read")
				return
			}
			r.ends(gate.StateVoid, gate.CheckRepository, "the repository is gone")
		}},
		{name: "attack 84: the repository is transferred", policy: two, play: func(s *stage) {
			c := s.widget()
			r := s.asked()
			r.approve("bo")
			why := "the repository is gone" // with it goes the App, which is installed per owner
			if s.gl != nil {
				s.gl.Rename(s.repo, "mallory/widget")
				why = "the repository changed its owner"
			} else {
				s.gh.TransferRepository(s.repo, "mallory")
			}
			s.say(c, "cy", "/countersign approve")
			r.ends(gate.StateVoid, gate.CheckRepository, why)
		}},
		{name: "attack 85: an administrator lets the environment's job through", play: func(s *stage) {
			s.widget()
			j := s.job("eve", "refs/tags/v1.0.0", func(j *forgetest.JobSpec) { j.Environment = "release" })
			r := s.ask(j).opened() // it runs: the forge asked nobody, or an administrator bypassed it
			r.waits(gate.CheckCoverage, "someone other than @ana")
			r.approve("eve")
			r.waits(gate.CheckIndependent, "@eve: asked for the release")
		}},
		{name: "attack 86: an administrator impersonates the author", on: "gitlab", play: func(s *stage) {
			s.widget()
			r := s.asked()
			r.approve("ana") // GitLab shows it as ana's; it covers no more than ana's
			r.waits(gate.CheckApprovals, "that of @ana does not count: @ana is an author of !1")
		}},
		{name: "attack 86: an administrator impersonates one of two approvers", on: "gitlab", policy: two, play: func(s *stage) {
			s.widget()
			r := s.asked()
			r.approve("bo")
			r.approve("bo")
			r.waits(gate.CheckApprovals, "1 of 2")
		}},
		{name: "attack 93: the author edits the merge request's approval rules", on: "gitlab", gitlab: gitlabtest.Options{Premium: true}, play: func(s *stage) {
			c := s.propose("bo", "gadget")
			s.gl.OverwriteApprovalRules(c)
			s.Review(c, s.who("bo"), forgetest.ReviewApprove)
			s.clock.pass(deed)
			s.merge(c, "eve")
			s.widget()
			r := s.asked()
			r.approve("bo")
			r.waits(gate.CheckCoverage, "1 of 2 changes not yet covered", "someone other than @bo")
		}},
	})
}
