package githubtest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
)

const (
	// maxReports and maxReport are GitHub's limits for the reports on one deployment (docs,
	// "Creating custom deployment protection rules"): times, and characters each.
	maxReports = 10
	maxReport  = 1024
)

// A DeployWorld is a forge whose jobs can wait for the gate before they use an
// environment, without a runner meanwhile. Only GitHub is one.
type DeployWorld interface {
	// GuardEnvironment makes the gate's App a custom deployment protection rule of the
	// environment: jobs that name it wait from now on.
	GuardEnvironment(repo forgetest.Repository, environment string)
	// AddDeployJob starts one more job in the attempt of j, for the environment.
	AddDeployJob(j forgetest.Job, environment string) forgetest.Job
	// CancelJob ends a job without success, waiting or not.
	CancelJob(j forgetest.Job)
	// Deployment is what the gate said to the job so far.
	Deployment(j forgetest.Job) Deployment
}

var _ DeployWorld = (*Server)(nil)

// Deployment is a job's wait for an environment as its people see it.
type Deployment struct {
	// State is "waiting", "approved", "rejected" or "cancelled"; "" for a job that never
	// waited.
	State string
	// Comment came with the verdict.
	Comment string
	// Reports came before it, oldest first.
	Reports []string
}

// environment is one that jobs can name; guarded where the App is a custom deployment
// protection rule of it.
type environment struct {
	id, rule int64
	name     string
	guarded  bool
	made     time.Time
}

// deployment is a job's wait for a guarded environment.
type deployment struct {
	Deployment

	id  int64
	env *environment
	at  time.Time
}

// GuardEnvironment makes the App a custom deployment protection rule of the environment.
func (s *Server) GuardEnvironment(repo forgetest.Repository, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.environment(s.repository(repo), name).guarded = true
}

// AddEnvironment makes an environment that nobody guards.
func (s *Server) AddEnvironment(repo forgetest.Repository, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.environment(s.repository(repo), name)
}

// environment finds an environment or makes it.
func (s *Server) environment(r *repository, name string) *environment {
	if e := r.environmentOf(name); e != nil {
		return e
	}
	e := &environment{id: s.next("environment"), rule: s.next("protection"), name: name, made: s.now()}
	r.environments = append(r.environments, e)
	return e
}

// environmentOf finds an environment. Names are not case sensitive (docs, "Managing
// environments for deployment").
func (r *repository) environmentOf(name string) *environment {
	for _, e := range r.environments {
		if strings.EqualFold(e.name, name) {
			return e
		}
	}
	return nil
}

// guards finds a guarded environment.
func (r *repository) guards(name string) *environment {
	if e := r.environmentOf(name); e != nil && e.guarded {
		return e
	}
	return nil
}

// AddDeployJob starts one more job in the attempt of j, for the environment.
func (s *Server) AddDeployJob(j forgetest.Job, environment string) forgetest.Job {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.job(j)
	spec := old.spec
	spec.Environment = environment
	return s.startJob(s.repository(j.Repository), old.run, old.attempt, spec)
}

// CancelJob ends a job without success, waiting or not.
func (s *Server) CancelJob(j forgetest.Job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	y := s.job(j)
	if y.waits() {
		y.deployment.State = "cancelled"
	}
	s.endJob(s.repository(j.Repository), y, "cancelled")
}

// Deployment is what the gate said to the job so far.
func (s *Server) Deployment(j forgetest.Job) Deployment {
	s.mu.Lock()
	defer s.mu.Unlock()
	y := s.job(j)
	if y.deployment == nil {
		return Deployment{}
	}
	out := y.deployment.Deployment
	out.Reports = slices.Clone(out.Reports)
	return out
}

// hold makes a job for a guarded environment wait, and asks the App.
func (s *Server) hold(r *repository, y *job) bool {
	e := r.guards(y.spec.Environment)
	if y.spec.Environment == "" || e == nil {
		return false
	}
	y.deployment = &deployment{id: s.next("deployment"), env: e, at: s.now(), Deployment: Deployment{State: "waiting"}}
	y.check.status = "waiting"
	by := s.accounts[y.attempt.triggering]
	s.emit(r, "workflow_job", "waiting", by, obj{"workflow_job": s.jobJSON(r, y)})
	s.emit(r, "deployment_protection_rule", "requested", by, obj{
		"environment": e.name, "event": y.run.event, "pull_requests": []obj{}, "deployment": s.deploymentJSON(r, y),
		"deployment_callback_url": s.repoAPI(r, "/actions/runs/%d/deployment_protection_rule", y.run.id),
	})
	return true
}

// deploymentJSON is `components.schemas.deployment`.
func (s *Server) deploymentJSON(r *repository, y *job) obj {
	d := y.deployment
	self := s.repoAPI(r, "/deployments/%d", d.id)
	return obj{
		"id": d.id, "node_id": nodeID("DE", d.id), "url": self, "statuses_url": self + "/statuses", "repository_url": s.repoAPI(r, ""),
		"sha": y.run.sha, "ref": branchOf(y.run.ref), "task": "deploy", "payload": obj{}, "environment": d.env.name,
		"original_environment": d.env.name, "description": nil, "creator": s.userJSON(s.accounts[y.attempt.triggering]),
		"created_at": stamp(d.at), "updated_at": stamp(d.at), "transient_environment": false, "production_environment": false,
		"performed_via_github_app": nil,
	}
}

func (y *job) waits() bool { return y.deployment != nil && y.deployment.State == "waiting" }

// runs panics for a job that has no runner: what asks for it would never happen.
func (y *job) runs() *job {
	if y.waits() {
		panic(fmt.Sprintf("use job %d: expected one that runs, it waits for environment %q", y.id, y.deployment.env.name))
	}
	return y
}

// progress is the job's status and conclusion.
func (y *job) progress() (status string, conclusion any) {
	if y.waits() {
		return "waiting", nil
	}
	if y.done.IsZero() {
		return "in_progress", nil
	}
	return "completed", y.check.conclusion
}

// progress is the attempt's status and conclusion: it waits while nothing of it runs.
func (a *attempt) progress() (status string, conclusion any) {
	waits, failed := len(a.jobs) > 0, "success"
	for _, y := range a.jobs {
		waits = waits && (y.waits() || !y.done.IsZero())
		if !y.done.IsZero() && y.check.conclusion != "success" && failed == "success" {
			failed = y.check.conclusion
		}
	}
	switch {
	case !a.done.IsZero():
		return "completed", failed
	case waits:
		return "waiting", nil
	}
	return "in_progress", nil
}
