package gitlab_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
	"github.com/countersign/countersign/gate"
)

// attacks 11, 15 and 18
func TestRun(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	s.tag(s.base)
	job := s.StartJob(s.repo, forgetest.JobSpec{Ref: "refs/tags/v1.0.0", Workflow: "release", Actor: s.ana})
	other := s.StartJob(s.repo, forgetest.JobSpec{Ref: "refs/tags/v1.0.0", Workflow: "test", Actor: s.bo})
	claim := gate.Workload{Forge: "gl", Repository: s.id(), RunID: job.RunID, JobID: job.ID, RunAttempt: 1, Commit: s.base}
	run, err := s.forge.Run(context.Background(), claim)
	if err != nil {
		t.Fatal(err)
	}
	if run.RunID != job.RunID || run.Attempt != 1 || run.Job != "release" || !run.InProgress || run.Commit != s.base ||
		len(run.Actors) != 1 || run.Actors[0].ID.ID != s.ana.ID || !run.Actors[0].Human {
		t.Errorf("run: %+v", run)
	}
	s.FinishJob(job)
	if run, err = s.forge.Run(context.Background(), claim); err != nil || run.InProgress {
		t.Errorf("a finished job: %+v, %v", run, err)
	}
	for name, spoil := range map[string]func(*gate.Workload){
		"a job of another pipeline": func(w *gate.Workload) { w.JobID = other.ID },
		"a job that is not there":   func(w *gate.Workload) { w.JobID = 1 },
		"no job":                    func(w *gate.Workload) { w.JobID = 0 },
		"another forge":             func(w *gate.Workload) { w.Repository.Forge = "x" },
	} {
		w := claim
		spoil(&w)
		if _, err := s.forge.Run(context.Background(), w); gate.CodeOf(err) != gate.CodeTokenClaims {
			t.Errorf("%s: expected %s, got %v", name, gate.CodeTokenClaims, err)
		}
	}
	claim.Repository.ID = 424242
	if _, err := s.forge.Run(context.Background(), claim); gate.CodeOf(err) != gate.CodeRepositoryUnknown {
		t.Errorf("a project out of sight: expected %s, got %v", gate.CodeRepositoryUnknown, err)
	}
}

// attack 20
func TestRunWithVariables(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	job := s.StartJob(s.repo, forgetest.JobSpec{Ref: "refs/heads/main", Event: "web", Actor: s.ana})
	s.SetPipelineVariables(job, map[string]string{"B_FLAGS": "hunter2", "A_FLAGS": "x"})
	claim := gate.Workload{Forge: "gl", Repository: s.id(), RunID: job.RunID, JobID: job.ID, RunAttempt: 1}
	_, err := s.forge.Run(context.Background(), claim)
	if gate.CodeOf(err) != gate.CodeNotPermitted || !strings.Contains(err.Error(), "A_FLAGS, B_FLAGS") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("expected a refusal that names the variables and not their values, got %v", err)
	}
}

func TestRunFaults(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	job := s.StartJob(s.repo, forgetest.JobSpec{Ref: "refs/heads/main", Actor: s.ana})
	claim := gate.Workload{Forge: "gl", Repository: s.id(), RunID: job.RunID, JobID: job.ID, RunAttempt: 1}
	for _, path := range []string{"/jobs/", "/pipelines/", "/variables"} {
		for _, fault := range []forgetest.Fault{{Status: 500}, {Status: 429}, {}, {Status: 200, Body: "null"}, {Status: 200, Body: "{"}} {
			fault.Path = path
			restore := s.Fail(fault)
			_, err := s.forge.Run(context.Background(), claim)
			restore()
			if gate.KindOf(err) != gate.Unavailable {
				t.Errorf("%s with %d %q: expected an error that may pass, got %v", path, fault.Status, fault.Body, err)
			}
		}
	}
}

// Where the job does not say whether its user is a bot, the user is looked at.
func TestRunLooksAtUsersThatAreNotShownInFull(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	job := s.StartJob(s.repo, forgetest.JobSpec{Ref: "refs/heads/main", Actor: s.ana})
	claim := gate.Workload{Forge: "gl", Repository: s.id(), RunID: job.RunID, JobID: job.ID, RunAttempt: 1}
	defer s.Fail(forgetest.Fault{Path: "/jobs/", Status: 200, Body: fmt.Sprintf(
		`{"id":%d,"name":"release","status":"running","commit":{"id":%q},"pipeline":{"id":%d},"user":{"id":%d,"username":"ana"}}`,
		job.ID, s.base, job.RunID, s.ana.ID)})()
	if run, err := s.forge.Run(context.Background(), claim); err != nil || len(run.Actors) != 1 || !run.Actors[0].Human {
		t.Errorf("run: %+v, %v", run, err)
	}
	defer s.Fail(forgetest.Fault{Path: "/api/v4/users/", Status: 500})()
	if _, err := s.forge.Run(context.Background(), claim); gate.KindOf(err) != gate.Unavailable {
		t.Errorf("expected an error that may pass, got %v", err)
	}
}

func TestPolicyFile(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	sha := s.Commit(s.repo, forgetest.CommitSpec{
		Author: s.ana, Message: "Policy", Files: map[string][]byte{".countersign.yaml": []byte("version: 1\n")},
	})
	s.Push(s.repo, s.ana, "refs/heads/main", sha)
	s.Rename(s.repo, "acme/gadget")
	f, err := s.forge.PolicyFile(context.Background(), s.id())
	if err != nil || f.Commit != sha || string(f.Content) != "version: 1\n" || f.Repository.FullName != "acme/gadget" {
		t.Errorf("policy file: %+v, %v", f, err)
	}
	for path, code := range map[string]gate.Code{
		"/repository/files/": gate.CodePolicyMissing, "/repository/": gate.CodePolicyUnreadable,
	} {
		restore := s.Fail(forgetest.Fault{Path: path, Status: 404})
		if _, err := s.forge.PolicyFile(context.Background(), s.id()); gate.CodeOf(err) != code {
			t.Errorf("%s is 404: expected %s, got %v", path, code, err)
		}
		restore()
	}
	restore := s.Fail(forgetest.Fault{Path: "/repository/files/", Status: 200, Body: `{"content":"%","encoding":"base64","commit_id":"` + sha + `"}`})
	defer restore()
	if _, err := s.forge.PolicyFile(context.Background(), s.id()); gate.CodeOf(err) != gate.CodePolicyUnreadable {
		t.Errorf("a file that does not decode: %v", err)
	}
}
