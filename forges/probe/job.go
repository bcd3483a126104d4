package probe

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign/gate"
)

func jobFact(id, assumes, used, follows string, check func(context.Context, *session) result) Fact {
	return Fact{ID: id, Area: areaJob, Needs: NeedsJob, Assumes: assumes, Used: used, Follows: follows, check: check}
}

func githubJob() []Fact {
	copes := jobFact("github.job-number", "A job's number is its check run's (check_run_id).", "nothing: the gate follows the link between them",
		"nothing: the gate follows the link between them", githubJobNumber)
	copes.Copes = true
	return []Fact{
		jobFact("github.audience", "A job may ask for an audience as long as the gate's.", "binding an ID token to what is asked (attack 3)",
			"jobs cannot ask: set gitlab_audience for this forge, and approvals alone bind the files", jobAudience),
		jobFact("github.claims", "ID tokens have every claim that the gate pins.", "every request", "jobs cannot ask",
			jobClaims("iss", "sub", "jti", "iat", "nbf", "exp", "repository", "repository_id", "repository_owner_id", "ref", "ref_type", "sha",
				"workflow_ref", "workflow_sha", "job_workflow_ref", "job_workflow_sha", "event_name", "runner_environment", "run_id", "run_attempt", "actor_id")),
		jobFact("github.lifetime", "An ID token lives at most 15 minutes from when it is issued.", "the life of a stolen ID token", "jobs cannot ask", jobLife(15*time.Minute)),
		jobFact("github.jti", "Every ID token has a number of its own (jti).", "using an ID token for one request only (attack 4)",
			"a second ID token of the same job is refused", jobSerial),
		jobFact("github.job", "The job is found by the check run that the ID token names (check_run_id).", "whether the job still runs (attack 11)",
			"the state of the whole run stands for the job's", githubRun),
		copes,
	}
}

func gitlabJob() []Fact {
	return []Fact{
		jobFact("gitlab.audience", "An ID token has the one audience that the CI file names.", "telling the gate's ID tokens from others (attack 2)", "jobs cannot ask", jobAudience),
		jobFact("gitlab.claims", "ID tokens have every claim that the gate pins, the project that the job runs in among them.", "every request", "jobs cannot ask",
			jobClaims("iss", "sub", "jti", "iat", "nbf", "exp", "project_id", "job_project_id", "project_path", "namespace_id", "job_id", "pipeline_id", "pipeline_source",
				"ref", "ref_type", "sha", "ci_config_ref_uri", "ci_config_sha", "runner_environment", "user_id", "user_login")),
		jobFact("gitlab.lifetime", "An ID token lives as long as its job may run, a day at most.", "the life of a stolen ID token",
			"set a timeout for the release job: the gate asks GitLab whether the job still runs", jobLife(24*time.Hour)),
		jobFact("gitlab.jti", "Every ID token has a number of its own (jti).", "using an ID token for one request only (attack 4)",
			"a second ID token of the same job is refused", jobSerial),
		jobFact("gitlab.job", "The job is found by the number that the ID token names.", "whether the job still runs (attack 11)", "jobs cannot ask", gitlabRun),
	}
}

// claims are the first claim set, of the scratch repository.
func (s *session) claims() (Claims, result, bool) {
	if r, is := s.unready(); is {
		return nil, r, false
	}
	if len(s.Claims) == 0 {
		return nil, untold("no claims were given"), false
	}
	name := "repository_id"
	if s.Kind == gate.GitLab {
		name = "project_id"
	}
	for _, c := range s.Claims {
		if c.number(name) != s.id {
			return nil, untold("the claims are of another repository (%s %d, expected %d)", name, c.number(name), s.id), false
		}
	}
	return s.Claims[0], result{}, true
}

func jobAudience(_ context.Context, s *session) result {
	c, r, ok := s.claims()
	if !ok {
		return r
	}
	got, err := c.aud()
	switch want := Audience(s.Kind, s.Server); {
	case err != nil:
		return fails("the ID token has %v", err)
	case got != want:
		return fails("expected an audience of %d characters, got one of %d, or another", len(want), len(got))
	default:
		return holds("%d characters", len(got))
	}
}

func jobClaims(names ...string) func(context.Context, *session) result {
	return func(_ context.Context, s *session) result {
		c, r, ok := s.claims()
		if !ok {
			return r
		}
		if missing := c.missing(names...); len(missing) > 0 {
			return fails("missing: %s", list(missing))
		}
		return holds("%d claims", len(names))
	}
}

func jobLife(most time.Duration) func(context.Context, *session) result {
	return func(_ context.Context, s *session) result {
		c, r, ok := s.claims()
		if !ok {
			return r
		}
		switch life := c.life(); {
		case c.number("iat") == 0 || c.number("exp") == 0:
			return fails("it is not told when it was issued, or when it ends")
		case life <= 0 || life > most:
			return fails("it lives %s", life)
		default:
			return holds("%s", life)
		}
	}
}

func jobSerial(_ context.Context, s *session) result {
	c, r, ok := s.claims()
	switch {
	case !ok:
		return r
	case len(s.Claims) < 2:
		return untold("the claims of one ID token were given: two tell")
	case c.text("jti") == "" || c.text("jti") == s.Claims[1].text("jti"):
		return fails("two ID tokens have the same jti, or none")
	}
	return holds("two ID tokens have two")
}

// run asks the gate's own adapter for the job that the claims speak of.
func (s *session) run(ctx context.Context, w gate.Workload) result {
	w.Forge, w.Kind, w.Repository, w.RepositoryName = s.Forge, s.Kind, s.repositoryID(), s.Repository
	facts, err := s.Adapter.Run(ctx, w)
	if err == nil {
		return holds("found, %s", map[bool]string{true: "in progress", false: "ended"}[facts.InProgress])
	}
	if e := new(gate.Error); errors.As(err, &e) {
		if e.Kind == gate.Unavailable && e.Code == gate.CodeForgeUnavailable {
			return untold("%s", clip(e.Text))
		}
		return fails("%s", clip(e.Text))
	}
	return fails("%s", clip(err.Error()))
}

func githubRun(ctx context.Context, s *session) result {
	c, r, ok := s.claims()
	switch {
	case !ok:
		return r
	case c.number("check_run_id") == 0:
		return fails("the ID token names no check run")
	}
	return s.run(ctx, gate.Workload{
		RunID: c.number("run_id"), RunAttempt: c.number("run_attempt"), JobID: c.number("check_run_id"),
		Event: c.text("event_name"), Commit: c.text("sha"), Ref: c.text("ref"),
	})
}

func githubJobNumber(ctx context.Context, s *session) result {
	c, r, ok := s.claims()
	if !ok {
		return r
	}
	check := strconv.FormatInt(c.number("check_run_id"), 10)
	a := s.repo.get(ctx, nil, s.at("actions", "jobs", check)...)
	if a.err == nil && a.status == 404 {
		return fails("there is no job with the check run's number")
	}
	var job struct {
		CheckRunURL string `json:"check_run_url"`
	}
	if r, ok := a.read(&job); !ok {
		return r
	}
	if !strings.HasSuffix(job.CheckRunURL, "/check-runs/"+check) {
		return fails("the job with the check run's number has another check run")
	}
	return holds("the job has it")
}

func gitlabRun(ctx context.Context, s *session) result {
	c, r, ok := s.claims()
	if !ok {
		return r
	}
	return s.run(ctx, gate.Workload{
		RunID: c.number("pipeline_id"), RunAttempt: 1, JobID: c.number("job_id"), Event: c.text("pipeline_source"), Commit: c.text("sha"),
	})
}
