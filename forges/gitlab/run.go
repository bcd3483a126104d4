package gitlab

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/countersign/countersign/gate"
)

// job is one CI job (API docs: jobs, get a single job).
type job struct {
	ID     int64  `json:"id"`
	Name   string `json:"name"`
	Status string `json:"status"`
	Commit struct {
		ID string `json:"id"`
	} `json:"commit"`
	Pipeline struct {
		ID        int64  `json:"id"`
		ProjectID int64  `json:"project_id"`
		SHA       string `json:"sha"`
	} `json:"pipeline"`
	User *user `json:"user"`
}

// pipeline is one pipeline (API docs: pipelines, get a single pipeline).
type pipeline struct {
	ID   int64    `json:"id"`
	SHA  string   `json:"sha"`
	User *account `json:"user"`
}

// Run reads the job that w says it is, and the pipeline around it: whoever
// started either asked for the release (attack 15), and with no variables but those
// of the CI file.
func (f *Forge) Run(ctx context.Context, w gate.Workload) (gate.RunFacts, error) {
	if w.Repository.Forge != f.forge || w.JobID <= 0 || w.RunID <= 0 {
		return gate.RunFacts{}, noJob(w, fmt.Errorf("job %d of pipeline %d: %w", w.JobID, w.RunID, errUnexpected))
	}
	s := f.session(w.Repository)
	j, err := fetch[job](ctx, s, s.path("/jobs/%d", w.JobID), nil)
	if isNotFound(err) {
		if _, err := s.readProject(ctx); err != nil {
			return gate.RunFacts{}, noProject(err)
		}
		return gate.RunFacts{}, noJob(w, err)
	}
	if err != nil {
		return gate.RunFacts{}, failure("the job that asks", err)
	}
	if j.ID != w.JobID || j.Name == "" || !isSHA(j.Commit.ID) || j.User == nil {
		return gate.RunFacts{}, failure("the job that asks", fmt.Errorf("job %d: %w", j.ID, errUnexpected))
	}
	if j.Pipeline.ID != w.RunID {
		return gate.RunFacts{}, noJob(w, fmt.Errorf("job %d is of pipeline %d: %w", j.ID, j.Pipeline.ID, errUnexpected))
	}
	p, err := fetch[pipeline](ctx, s, s.path("/pipelines/%d", w.RunID), nil)
	if err != nil {
		return gate.RunFacts{}, failure("the pipeline that asks", err)
	}
	if p.ID != w.RunID || p.SHA != j.Commit.ID || p.User == nil {
		return gate.RunFacts{}, failure("the pipeline that asks", fmt.Errorf("pipeline %d at %q: %w", p.ID, p.SHA, errUnexpected))
	}
	if err := s.noVariables(ctx, p); err != nil {
		return gate.RunFacts{}, err
	}
	facts := gate.RunFacts{
		RunID: p.ID, Attempt: 1, Job: j.Name, InProgress: j.Status == "running", Commit: j.Commit.ID,
	}
	if j.User.ID > 0 && j.User.Username != "" && j.User.Bot != nil {
		s.crowd.put(s.toAccount(*j.User)) // shown in full here (source: lib/api/entities/ci/job_basic.rb)
	}
	for _, who := range []*account{&j.User.account, p.User} {
		a, err := s.readAccount(ctx, who.ID)
		if err != nil {
			return gate.RunFacts{}, failure("who started the job", err)
		}
		if !slices.Contains(facts.Actors, a) {
			facts.Actors = append(facts.Actors, a)
		}
	}
	return facts, nil
}

// noVariables refuses a pipeline that was started with variables of its own (API docs:
// pipelines, list variables): they come before what the CI file says and can change
// what it builds, and no review ever saw them (attack 20). Their values may be secret
// and are repeated nowhere.
func (s *session) noVariables(ctx context.Context, p pipeline) error {
	rows, err := fetchAll[struct {
		Key string `json:"key"`
	}](ctx, s, s.path("/pipelines/%d/variables", p.ID), nil)
	if err != nil {
		return failure("the pipeline's variables", err)
	}
	if len(rows) == 0 {
		return nil
	}
	var keys []string
	for _, v := range rows {
		keys = append(keys, v.Key)
	}
	slices.Sort(keys)
	return &gate.Error{
		Kind: gate.Refused, Code: gate.CodeNotPermitted, Text: "the pipeline was started with variables of its own",
		Expected: "a pipeline that the CI file alone decides about", Got: strconv.Quote(strings.Join(keys, ", ")),
		Fix: "start the pipeline again without variables; what a release needs belongs into .gitlab-ci.yml",
	}
}

func noProject(err error) error {
	if !isNotFound(err) {
		return failure("the project", err)
	}
	return &gate.Error{
		Kind: gate.NotFound, Code: gate.CodeRepositoryUnknown, Text: "the gate's GitLab account cannot see the project",
		Expected: "a project of which it is a member", Got: "none that it sees",
		Fix: "make the gate's account Maintainer of the project", Err: err,
	}
}

// noJob: the ID token names a job that GitLab does not know, or not in that pipeline.
func noJob(w gate.Workload, err error) error {
	text := "GitLab knows no such job"
	if isNotFound(err) {
		text = "the run was not found: it may have been deleted"
	}
	return &gate.Error{
		Kind: gate.Unidentified, Code: gate.CodeTokenClaims, Text: text,
		Expected: fmt.Sprintf("a running job of pipeline %d", w.RunID), Got: fmt.Sprintf("job %d", w.JobID),
		Fix: "start the pipeline again, and ask from the job that runs", Err: err,
		Claims: []gate.ClaimCheck{
			{Claim: "pipeline_id", Expected: "the pipeline of the job"}, {Claim: "job_id", Expected: fmt.Sprintf("a running job of pipeline %d", w.RunID)},
		},
	}
}
