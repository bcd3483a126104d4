package githubtest

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
)

// run is one workflow run; attempts are counted from 1.
type run struct {
	id, number int64
	workflow   string // path of the workflow file
	event      string
	ref, sha   string
	actor      int64
	attempts   []*attempt
	created    time.Time
}

// attempt is one try of a run; its triggering actor is who re-ran it.
type attempt struct {
	number     int
	triggering int64
	jobs       []*job
	started    time.Time
	done       time.Time
}

// job is one job of one attempt.
type job struct {
	id      int64
	run     *run
	attempt *attempt
	check   *checkRun
	spec    forgetest.JobSpec
	// deployment is the wait for a guarded environment, nil where there was none.
	deployment *deployment
	secret     string // the runner's ACTIONS_ID_TOKEN_REQUEST_TOKEN
	started    time.Time
	done       time.Time
}

// StartJob starts a workflow run with one job, in progress. GitHub-hosted unless the
// spec names a runner: "self-hosted" is one.
func (s *Server) StartJob(repo forgetest.Repository, spec forgetest.JobSpec) forgetest.Job {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repository(repo)
	if spec.Event == "" {
		spec.Event = "push"
	}
	if spec.SHA == "" {
		spec.SHA = r.head(spec.Ref)
	}
	if r.net.graph.Get(spec.SHA) == nil || spec.Workflow == "" {
		panic(fmt.Sprintf("start a job at %q of %q: expected a ref with a commit, and a workflow", spec.Ref, repo.FullName))
	}
	r.runNumber++
	x := &run{
		id: s.next("run"), number: r.runNumber, workflow: ".github/workflows/" + strings.TrimPrefix(spec.Workflow, ".github/workflows/"),
		event: spec.Event, ref: spec.Ref, sha: spec.SHA, actor: s.who(spec.Actor).id, created: s.now(),
	}
	r.runs[x.id] = x
	s.emit(r, "workflow_run", "requested", s.accounts[x.actor], obj{"workflow_run": s.runJSON(r, x, nil), "workflow": s.workflowJSON(r, x)})
	return s.startAttempt(r, x, spec)
}

// Rerun runs the job's run again as by: the same run, one attempt more.
func (s *Server) Rerun(j forgetest.Job, by forgetest.Person) forgetest.Job {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repository(j.Repository)
	old := s.job(j)
	spec := old.spec
	spec.Actor = by
	return s.startAttempt(r, old.run, spec)
}

// AddJob starts one more job in the attempt of j: its sibling in the same workflow.
func (s *Server) AddJob(j forgetest.Job) forgetest.Job {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.job(j)
	return s.startJob(s.repository(j.Repository), old.run, old.attempt, old.spec)
}

func (s *Server) startAttempt(r *repository, x *run, spec forgetest.JobSpec) forgetest.Job {
	a := &attempt{number: len(x.attempts) + 1, triggering: s.who(spec.Actor).id, started: s.now()}
	x.attempts = append(x.attempts, a)
	return s.startJob(r, x, a, spec)
}

func (s *Server) startJob(r *repository, x *run, a *attempt, spec forgetest.JobSpec) forgetest.Job {
	y := &job{id: s.next("job"), run: x, attempt: a, spec: spec, secret: newTokenValue(), started: s.now()}
	y.check = &checkRun{
		id: y.id, app: actionsApp, suite: x.id, sha: x.sha, name: jobName(y), status: "in_progress", started: y.started, created: y.started,
	}
	if s.opts.Switches.JobIDIsNotCheckRunID {
		y.check.id = s.next("check")
	}
	a.jobs = append(a.jobs, y)
	r.jobs[y.id] = y
	r.checks = append(r.checks, y.check)
	if !s.hold(r, y) {
		s.emit(r, "workflow_job", "in_progress", s.accounts[a.triggering], obj{"workflow_job": s.jobJSON(r, y)})
	}
	return forgetest.Job{Repository: s.reference(r), Spec: spec, RunID: x.id, ID: y.id}
}

// FinishJob ends the job with success; its ID tokens can no longer be asked for.
func (s *Server) FinishJob(j forgetest.Job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endJob(s.repository(j.Repository), s.job(j).runs(), "success")
}

func (s *Server) endJob(r *repository, y *job, conclusion string) {
	y.done = s.now()
	y.check.status, y.check.conclusion, y.check.completed = "completed", conclusion, y.done
	s.emit(r, "workflow_job", "completed", s.accounts[y.attempt.triggering], obj{"workflow_job": s.jobJSON(r, y)})
	for _, sibling := range y.attempt.jobs {
		if sibling.done.IsZero() {
			return
		}
	}
	y.attempt.done = y.done
	s.emit(r, "workflow_run", "completed", s.accounts[y.attempt.triggering], obj{
		"workflow_run": s.runJSON(r, y.run, y.attempt), "workflow": s.workflowJSON(r, y.run),
	})
}

func (s *Server) job(j forgetest.Job) *job {
	y := s.repository(j.Repository).jobs[j.ID]
	if y == nil {
		panic(fmt.Sprintf("use job %d of %q: expected one that was started", j.ID, j.Repository.FullName))
	}
	return y
}

// jobName is the job's key in the workflow: the workflow's name without its ending.
func jobName(y *job) string {
	name := y.run.workflow[strings.LastIndex(y.run.workflow, "/")+1:]
	return strings.TrimSuffix(strings.TrimSuffix(name, ".yml"), ".yaml")
}

// branchOf is the branch or tag name of a full ref.
func branchOf(ref string) string {
	_, short := refKind(ref)
	return short
}

// runJSON is `components.schemas.workflow-run`; without an attempt, of the latest one.
func (s *Server) runJSON(r *repository, x *run, a *attempt) obj {
	self := s.repoAPI(r, "/actions/runs/%d", x.id)
	status, conclusion, number, triggering, started := "queued", any(nil), 1, x.actor, x.created
	if a == nil && len(x.attempts) > 0 {
		a = x.attempts[len(x.attempts)-1]
	}
	if a != nil {
		status, conclusion = a.progress()
		number, triggering, started = a.number, a.triggering, a.started
	}
	var previous any
	if number > 1 {
		previous = fmt.Sprintf("%s/attempts/%d", self, number-1)
	}
	commit := r.net.graph.Get(x.sha)
	workflow := s.workflowJSON(r, x)
	repository := s.repositoryJSON(r)
	return obj{
		"id": x.id, "node_id": nodeID("WFR", x.id), "name": workflow["name"], "head_branch": branchOf(x.ref), "head_sha": x.sha,
		"path": x.workflow, "run_number": x.number, "run_attempt": number, "event": x.event, "status": status,
		"conclusion": conclusion, "workflow_id": workflow["id"], "url": self, "html_url": s.repoWeb(r, "/actions/runs/%d", x.id),
		"display_title": commit.Message, "pull_requests": []obj{}, "referenced_workflows": []obj{},
		"check_suite_id": x.id, "check_suite_node_id": nodeID("CS", x.id),
		"created_at": stamp(x.created), "updated_at": stamp(started), "run_started_at": stamp(started),
		"actor": s.userJSON(s.accounts[x.actor]), "triggering_actor": s.userJSON(s.accounts[triggering]),
		"jobs_url": self + "/jobs", "logs_url": self + "/logs", "check_suite_url": s.repoAPI(r, "/check-suites/%d", x.id),
		"artifacts_url": self + "/artifacts", "cancel_url": self + "/cancel", "rerun_url": self + "/rerun",
		"previous_attempt_url": previous, "workflow_url": workflow["url"],
		"head_commit": obj{
			"id": x.sha, "tree_id": treeSHA(x.sha), "message": commit.Message, "timestamp": stamp(commit.When),
			"author":    obj{"name": gitName(commit.Author), "email": commit.Author.Email},
			"committer": obj{"name": gitName(commit.Committer), "email": commit.Committer.Email},
		},
		"repository": repository, "head_repository": repository,
	}
}

func (s *Server) workflowJSON(r *repository, x *run) obj {
	id := firstNumber("workflow") + int64(len(x.workflow))
	return obj{
		"id": id, "node_id": nodeID("W", id), "name": x.workflow, "path": x.workflow, "state": "active",
		"url": s.repoAPI(r, "/actions/workflows/%d", id), "html_url": s.repoWeb(r, "/blob/main/%s", x.workflow),
		"badge_url": s.repoWeb(r, "/workflows/badge.svg"), "created_at": stamp(r.created), "updated_at": stamp(r.created),
	}
}

// jobJSON is `components.schemas.job`.
func (s *Server) jobJSON(r *repository, y *job) obj {
	status, conclusion := y.progress()
	labels := []string{"ubuntu-latest"}
	if y.spec.Runner != "" {
		labels = []string{y.spec.Runner}
	}
	return obj{
		"id": y.id, "run_id": y.run.id, "run_url": s.repoAPI(r, "/actions/runs/%d", y.run.id), "run_attempt": y.attempt.number,
		"node_id": nodeID("CR", y.id), "head_sha": y.run.sha, "url": s.repoAPI(r, "/actions/jobs/%d", y.id),
		"html_url": s.repoWeb(r, "/actions/runs/%d/job/%d", y.run.id, y.id), "status": status, "conclusion": conclusion,
		"created_at": stamp(y.started), "started_at": stamp(y.started), "completed_at": stampOrNull(y.done), "name": jobName(y),
		"steps": []obj{}, "check_run_url": s.repoAPI(r, "/check-runs/%d", y.check.id), "labels": labels, "runner_id": 1,
		"runner_name": "runner 1", "runner_group_id": 1, "runner_group_name": "Default", "workflow_name": y.run.workflow,
		"head_branch": branchOf(y.run.ref),
	}
}

func (c *call) attemptOf() (*run, *attempt) {
	x := c.repo.runs[c.number("run_id")]
	if x == nil {
		return nil, nil
	}
	for _, a := range x.attempts {
		if int64(a.number) == c.number("attempt_number") {
			return x, a
		}
	}
	return x, nil
}

func getRun(c *call) reply {
	x := c.repo.runs[c.number("run_id")]
	if x == nil {
		return notFound()
	}
	return ok(c.runJSON(c.repo, x, nil))
}

func getRunAttempt(c *call) reply {
	x, a := c.attemptOf()
	if a == nil {
		return notFound()
	}
	return ok(c.runJSON(c.repo, x, a))
}

func listAttemptJobs(c *call) reply {
	_, a := c.attemptOf()
	if a == nil {
		return problem(http.StatusNotFound, "Not Found")
	}
	return wrapped(c, "jobs", a.jobs, func(y *job) obj { return c.jobJSON(c.repo, y) })
}

func getJob(c *call) reply {
	y := c.repo.jobs[c.number("job_id")]
	if y == nil {
		return notFound()
	}
	return ok(c.jobJSON(c.repo, y))
}
