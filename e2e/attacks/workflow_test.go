package attacks_test

import (
	"testing"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/gate"
)

// event starts the job by another event than a push.
func event(name string) func(*forgetest.JobSpec) {
	return func(j *forgetest.JobSpec) { j.Event = name }
}

// at runs the job for a commit other than the ref's.
func at(sha string) func(*forgetest.JobSpec) {
	return func(j *forgetest.JobSpec) { j.SHA = sha }
}

// named is the job or workflow of another name.
func named(name string) func(*forgetest.JobSpec) {
	return func(j *forgetest.JobSpec) { j.Workflow = name }
}

// stream asks for the policy's stream by its name, so that nothing has to fit.
func stream(a *asking) { a.ask.Stream = "release" }

const elsewhere = "0123456789012345678901234567890123456789"

func TestWorkflows(t *testing.T) {
	play(t, []row{
		{name: "attack 12: a run that a fork can set off", on: "github", play: func(s *stage) {
			s.widget()
			for _, e := range []string{"pull_request_target", "workflow_run", "issue_comment"} {
				s.ask(s.job("ana", mainRef, event(e)), files(e)).opened().ends(gate.StateDenied, gate.CheckIdentity, e)
			}
			j := s.job("ana", mainRef, event("pull_request"))
			s.ask(j, claim("ref", "refs/pull/1/merge")).refused(gate.CodeTokenClaims, "refs/pull/1/merge")
		}},
		{name: "attack 12: a merge request's pipeline", on: "gitlab", play: func(s *stage) {
			s.widget()
			for _, e := range []string{"merge_request_event", "external_pull_request_event"} {
				s.ask(s.job("ana", mainRef, event(e))).refused(gate.CodeTokenClaims, e)
			}
			j := s.job("ana", mainRef)
			s.ask(j, claim("job_project_id", "4711")).refused(gate.CodeTokenClaims, "job_project_id")
		}},
		{name: "attack 12: a policy that lets forks release", play: func(s *stage) {
			e := "pull_request_target"
			if s.gl != nil {
				e = "merge_request_event"
			}
			s.adopts(policyFile("from: {events: [push, "+e+"]}")).refused(gate.CodePolicyInvalid, e)
		}},
		{name: "attack 13: a dispatch from a feature branch", play: func(s *stage) {
			s.widget()
			s.pushed("ana", "refs/heads/feature", s.commit(s.who("ana"), mainRef, "Not reviewed"))
			dispatch := "workflow_dispatch"
			if s.gl != nil {
				dispatch = "web"
			}
			j := s.job("ana", "refs/heads/feature", event(dispatch))
			s.ask(j).refused(gate.CodeStreamUnknown, "main", "feature")
			s.ask(j, stream).opened().ends(gate.StateDenied, gate.CheckRef, "feature")
		}},
		{name: "attack 14: a workflow of another commit than is released", play: func(s *stage) {
			s.widget()
			j := s.job("ana", "refs/tags/v1.0.0")
			if s.gl != nil {
				s.ask(j, claim("ci_config_sha", elsewhere)).opened().ends(gate.StateDenied, gate.CheckIdentity, elsewhere)
				s.ask(j, claim("ci_config_ref_uri", "gitlab.example/evil/ci//.gitlab-ci.yml@refs/heads/main")).
					refused(gate.CodeTokenClaims, "evil/ci")
				return
			}
			s.ask(j, claim("workflow_sha", elsewhere)).opened().ends(gate.StateDenied, gate.CheckIdentity, elsewhere)
			s.ask(j, files("a"), claim("job_workflow_sha", elsewhere)).opened().ends(gate.StateDenied, gate.CheckIdentity, elsewhere)
			const evil = "evil/ci/.github/workflows/release.yml@refs/heads/main"
			s.ask(j, files("b"), claim("job_workflow_ref", evil)).opened().ends(gate.StateDenied, gate.CheckIdentity, evil)
			s.ask(j, claim("workflow_ref", evil)).refused(gate.CodeTokenClaims, "evil/ci")
		}},
		{name: "attack 14: another workflow of the repository", on: "github", play: func(s *stage) {
			s.widget()
			j := s.job("ana", "refs/tags/v1.0.0", named("ci.yml"))
			s.ask(j).refused(gate.CodeStreamUnknown, "release.yml", "ci.yml")
			s.ask(j, stream).opened().ends(gate.StateDenied, gate.CheckIdentity, "ci.yml")
		}},
		{name: "attack 15: who runs the workflow again approves alone", play: func(s *stage) {
			s.widget()
			r := s.asked()
			again := s.ask(s.rerun(r.job, "bo")).opened()
			if again.id != r.id || !again.joined {
				s.Fatalf("expected the re-run to join %s, got %s", r.id, again.id)
			}
			r.approve("bo")
			r.waits(gate.CheckIndependent, "@bo: asked for the release")
			r.approve("cy")
			r.signed()
		}},
		{name: "attack 16: an old run is run again after the tag moved", play: func(s *stage) {
			s.widget()
			old := s.Head(s.repo, "refs/tags/v1.0.0")
			s.merge(s.propose("bo", "gadget"), "eve")
			s.pushed("ana", "refs/tags/v1.0.0", s.Head(s.repo, mainRef))
			s.ask(s.job("ana", "refs/tags/v1.0.0", at(old))).opened().ends(gate.StateVoid, gate.CheckRef, "v1.0.0 moved")
		}},
		{name: "attack 16: an old run from a branch, older than the last release", play: func(s *stage) {
			s.merge(s.propose("ana", "widget"), "eve")
			old := s.Head(s.repo, mainRef)
			s.merge(s.propose("ana", "gadget"), "eve")
			r := s.ask(s.job("ana", mainRef)).opened()
			r.approve("bo")
			r.signed()
			again := s.ask(s.job("ana", mainRef, at(old)), files("old")).opened()
			again.waits(gate.CheckCoverage, "is in no change, and was not released before")
		}},
		{name: "attack 17: a self-hosted runner", on: "github", policy: "identity: {runner: github-hosted}", play: selfHosted},
		{name: "attack 17: a self-hosted runner", on: "gitlab", policy: "identity: {runner: gitlab-hosted}", play: selfHosted},
		{name: "attack 18: a sibling job of the pipeline", on: "gitlab", play: func(s *stage) {
			s.widget()
			j := s.job("ana", "refs/tags/v1.0.0", named("test"))
			s.ask(j).refused(gate.CodeStreamUnknown, "job release", "job test")
			s.ask(j, stream).opened().ends(gate.StateDenied, gate.CheckIdentity, "the job is test")
		}},
		{name: "attack 18: a job of another run", on: "github", play: func(s *stage) {
			s.widget()
			j := s.job("ana", "refs/tags/v1.0.0")
			other := s.job("ana", "refs/tags/v1.0.0", named("ci.yml"))
			s.ask(j, claim("check_run_id", decimal(other.ID))).refused(gate.CodeForgeUnexpected, "find the job of check run")
		}},
		{name: "attack 19: a pipeline that another one triggered", on: "gitlab", play: func(s *stage) {
			s.widget()
			for _, e := range []string{"pipeline", "parent_pipeline", "trigger", "external", "chat"} {
				s.ask(s.job("ana", "refs/tags/v1.0.0", event(e)), files(e)).opened().
					ends(gate.StateDenied, gate.CheckIdentity, e)
			}
		}},
		{name: "attack 20: variables injected into the pipeline", on: "gitlab", play: func(s *stage) {
			s.widget()
			j := s.job("ana", "refs/tags/v1.0.0", event("web"))
			s.gl.SetPipelineVariables(j, map[string]string{"GOFLAGS": "-ldflags=-X=evil"})
			s.ask(j).refused(gate.CodeNotPermitted, "GOFLAGS")
		}},
	})
}

// selfHosted asks from a runner that is the attacker's own, and then from the forge's.
func selfHosted(s *stage) {
	s.widget()
	s.ask(s.job("ana", "refs/tags/v1.0.0", func(j *forgetest.JobSpec) { j.Runner = "self-hosted" })).opened().
		ends(gate.StateDenied, gate.CheckIdentity, "the job's runner is self-hosted")
	s.ask(s.job("ana", "refs/tags/v1.0.0")).opened().holds(gate.CheckIdentity)
}
