package gitlabtest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
)

type pipeline struct {
	id, iid   int64
	sha, ref  string // full ref
	source    string // push, web, schedule, api, trigger, pipeline, merge_request_event, external…
	status    string
	by        *account
	created   time.Time
	updated   time.Time
	variables map[string]string
	jobs      []*job
	protected bool // as stored when it was made
}

type job struct {
	id              int64
	pipeline        *pipeline
	name            string
	status          string
	by              *account
	environment     string
	runner          string // gitlab-hosted or self-hosted
	created         time.Time
	finished        time.Time
	protectedAtTime bool
	optional        bool // allow_failure
	manual          bool // when: manual
}

const runnerID = 12270837 // library data: testdata/webhooks/job.json

func (s *Server) newPipeline(p *project, spec pipeline) *pipeline {
	spec.id, spec.iid = s.id("pipeline"), int64(len(p.pipelines)+1)
	spec.created = s.tick()
	spec.updated, spec.protected = spec.created, p.isProtected(spec.ref)
	pl := &spec
	p.pipelines = append(p.pipelines, pl)
	return pl
}

// StartJob starts a pipeline with one running job. The workflow's name is the
// job's; Event is the pipeline source.
func (s *Server) StartJob(r forgetest.Repository, spec forgetest.JobSpec) forgetest.Job {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, by := s.project(r), s.account(spec.Actor)
	if spec.SHA == "" {
		spec.SHA = p.refs[spec.Ref]
	}
	if spec.SHA == "" || refType(spec.Ref) == "" {
		panic(fmt.Sprintf("start job for %q: expected an existing refs/heads/… or refs/tags/…, or a SHA", spec.Ref))
	}
	if spec.Event == "" {
		spec.Event = "push"
	}
	if spec.Workflow == "" {
		spec.Workflow = "release"
	}
	if spec.Runner == "" {
		spec.Runner = "gitlab-hosted"
	}
	pl := s.newPipeline(p, pipeline{sha: spec.SHA, ref: spec.Ref, source: spec.Event, by: by, status: "running"})
	j := &job{
		id: s.id("job"), pipeline: pl, name: spec.Workflow, status: "running", by: by,
		environment: spec.Environment, runner: spec.Runner, created: s.tick(), protectedAtTime: pl.protected,
	}
	pl.jobs = append(pl.jobs, j)
	s.sendJob(p, j)
	s.sendPipeline(p, pl)
	return forgetest.Job{Repository: p.repository(), Spec: spec, RunID: pl.id, ID: j.id}
}

// FinishJob ends it with success.
func (s *Server) FinishJob(j forgetest.Job) { s.EndJob(j, "success") }

// EndJob ends a job as "success", "failed" or "canceled".
func (s *Server) EndJob(j forgetest.Job, state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.project(j.Repository)
	found := s.job(j)
	found.status, found.finished = state, s.tick()
	found.pipeline.status, found.pipeline.updated = state, found.finished
	s.sendJob(p, found)
	s.sendPipeline(p, found.pipeline)
}

// SetPipelineVariables sets the variables that a pipeline was started with.
func (s *Server) SetPipelineVariables(j forgetest.Job, variables map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.job(j).pipeline.variables = maps.Clone(variables)
}

func (s *Server) job(j forgetest.Job) *job {
	if found := s.project(j.Repository).job(j.ID); found != nil {
		return found
	}
	panic(fmt.Sprintf("job %d of %s: expected one from StartJob", j.ID, j.Repository.FullName))
}

func (p *project) job(id int64) *job {
	for _, pl := range p.pipelines {
		for _, j := range pl.jobs {
			if j.id == id {
				return j
			}
		}
	}
	return nil
}

func (p *project) pipeline(id int64) *pipeline {
	for _, pl := range p.pipelines {
		if pl.id == id {
			return pl
		}
	}
	return nil
}

// JobEnv is what a runner sets (API docs: predefined CI/CD variables), with the
// ID token of `id_tokens: COUNTERSIGN_ID_TOKEN: aud: …`.
func (s *Server) JobEnv(j forgetest.Job, audience string) []string {
	token := s.IDToken(j, audience, nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	p, found := s.project(j.Repository), s.job(j)
	pl := found.pipeline
	env := map[string]string{
		"CI": "true", "GITLAB_CI": "true", "CI_SERVER": "yes", "CI_SERVER_URL": s.base, "CI_API_V4_URL": s.APIURL(),
		"CI_API_GRAPHQL_URL": s.GraphQLURL(), "CI_SERVER_VERSION": s.opts.Version,
		"CI_PROJECT_ID": decimal(p.id), "CI_PROJECT_PATH": p.fullPath(), "CI_PROJECT_NAME": p.path,
		"CI_PROJECT_NAMESPACE": p.group.path, "CI_PROJECT_NAMESPACE_ID": decimal(p.group.id),
		"CI_PROJECT_URL": s.webURL(p), "CI_PROJECT_VISIBILITY": p.visibility, "CI_DEFAULT_BRANCH": p.defaultBranch,
		"CI_COMMIT_SHA": pl.sha, "CI_COMMIT_SHORT_SHA": pl.sha[:8], "CI_COMMIT_REF_NAME": shortRef(pl.ref),
		"CI_COMMIT_REF_PROTECTED": strconv.FormatBool(found.protectedAtTime), "CI_CONFIG_PATH": ".gitlab-ci.yml",
		"CI_PIPELINE_ID": decimal(pl.id), "CI_PIPELINE_IID": decimal(pl.iid), "CI_PIPELINE_SOURCE": pl.source,
		"CI_JOB_ID": decimal(found.id), "CI_JOB_NAME": found.name, "CI_JOB_URL": s.webURL(p) + "/-/jobs/" + decimal(found.id),
		"CI_RUNNER_ID": strconv.Itoa(runnerID), "GITLAB_USER_ID": decimal(found.by.id), "GITLAB_USER_LOGIN": found.by.login,
		"GITLAB_USER_NAME": found.by.name, "GITLAB_USER_EMAIL": found.by.email, "COUNTERSIGN_ID_TOKEN": token,
	}
	if refType(pl.ref) == "tag" {
		env["CI_COMMIT_TAG"] = shortRef(pl.ref)
	} else {
		env["CI_COMMIT_BRANCH"] = shortRef(pl.ref)
	}
	if found.environment != "" {
		env["CI_ENVIRONMENT_NAME"] = found.environment
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(env)) {
		out = append(out, name+"="+env[name])
	}
	return out
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }
