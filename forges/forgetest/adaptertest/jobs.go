package adaptertest

import (
	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/gate"
)

func jobRows() []row {
	return []row{
		{"a job in progress", func(s *stage) {
			job := s.StartJob(s.repo, forgetest.JobSpec{Ref: main, Workflow: s.workflow(), Actor: s.ana})
			run, err := s.adapter.Run(s.t.Context(), s.workload(job))
			if err != nil {
				s.t.Fatal(err)
			}
			s.equal("run", run.RunID, job.RunID)
			s.equal("attempt", run.Attempt, 1)
			s.equal("commit", run.Commit, s.Head(s.repo, main))
			s.equal("in progress", run.InProgress, true)
			if run.Job == "" {
				s.t.Error("job: expected a name")
			}
			if len(run.Actors) != 1 || run.Actors[0].ID != id(s.ana) {
				s.t.Errorf("actors: got %v, want ana alone", run.Actors)
			}
		}},
		{"a finished job (attack 11)", func(s *stage) {
			job := s.StartJob(s.repo, forgetest.JobSpec{Ref: main, Workflow: s.workflow(), Actor: s.ana})
			s.FinishJob(job)
			run, err := s.adapter.Run(s.t.Context(), s.workload(job))
			if err != nil {
				s.t.Fatal(err)
			}
			s.equal("in progress", run.InProgress, false)
		}},
		{"a run that the forge does not have", func(s *stage) {
			job := s.StartJob(s.repo, forgetest.JobSpec{Ref: main, Workflow: s.workflow(), Actor: s.ana})
			w := s.workload(job)
			w.RunID++
			if run, err := s.adapter.Run(s.t.Context(), w); err == nil {
				s.t.Errorf("run: expected an error, got %+v", run)
			}
		}},
		{"a run while the forge is down is tried again", func(s *stage) {
			job := s.StartJob(s.repo, forgetest.JobSpec{Ref: main, Workflow: s.workflow(), Actor: s.ana})
			defer s.Fail(forgetest.Fault{Status: 500})()
			_, err := s.adapter.Run(s.t.Context(), s.workload(job))
			s.equal("kind", gate.KindOf(err), gate.Unavailable)
			s.equal("code", gate.CodeOf(err), gate.CodeForgeUnavailable)
		}},
	}
}

func (s *stage) workflow() string {
	if s.Name() == "github" {
		return "release.yml"
	}
	return "release"
}

func (s *stage) workload(j forgetest.Job) gate.Workload {
	kind := gate.GitHub
	if s.Name() == "gitlab" {
		kind = gate.GitLab
	}
	sha := j.Spec.SHA
	if sha == "" {
		sha = s.Head(s.repo, j.Spec.Ref)
	}
	return gate.Workload{
		Forge: ForgeID, Kind: kind, Issuer: s.Issuer(), Repository: s.repository(), RepositoryName: s.repo.FullName,
		Owner: gate.AccountID{Forge: ForgeID, ID: s.repo.OwnerID}, Ref: j.Spec.Ref, Commit: sha, Event: "push",
		RunID: j.RunID, RunAttempt: 1, JobID: j.ID, Actor: gate.Account{ID: id(j.Spec.Actor), Login: j.Spec.Actor.Login, Human: true},
	}
}

func policyRows() []row {
	const file = "version: 1\nreleases:\n  - workflow: release.yml\n"
	return []row{
		{"the file at the default branch's head", func(s *stage) {
			sha := s.Commit(s.repo, forgetest.CommitSpec{
				Author: s.ana, Message: "Add the policy", Files: map[string][]byte{".countersign.yaml": []byte(file)},
			})
			s.Push(s.repo, s.ana, main, sha)
			got, err := s.adapter.PolicyFile(s.t.Context(), s.repository())
			if err != nil {
				s.t.Fatal(err)
			}
			s.equal("content", string(got.Content), file)
			s.equal("commit", got.Commit, sha)
			s.equal("path", got.Path, ".countersign.yaml")
			s.equal("repository", got.Repository.ID, s.repository())
			s.equal("owner", got.Repository.Owner.ID, s.repo.OwnerID)
			s.equal("default branch", got.Repository.DefaultBranch, "main")
		}},
		{"no file", func(s *stage) {
			_, err := s.adapter.PolicyFile(s.t.Context(), s.repository())
			s.equal("code", gate.CodeOf(err), gate.CodePolicyMissing)
			s.equal("kind", gate.KindOf(err), gate.NotFound)
		}},
		{"a repository that no credential reaches", func(s *stage) {
			_, err := s.adapter.PolicyFile(s.t.Context(), gate.RepositoryID{Forge: ForgeID, ID: 123456789})
			s.equal("code", gate.CodeOf(err), gate.CodeRepositoryUnknown)
		}},
		{"a forge that is down", func(s *stage) {
			defer s.Fail(forgetest.Fault{Status: 500})()
			_, err := s.adapter.PolicyFile(s.t.Context(), s.repository())
			s.equal("code", gate.CodeOf(err), gate.CodePolicyUnreadable)
			s.equal("kind", gate.KindOf(err), gate.Unavailable)
		}},
	}
}
