package gitlab

import (
	"context"
	"fmt"
	"slices"

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
	User *account `json:"user"`
}

// pipeline is one pipeline (API docs: pipelines, get a single pipeline).
type pipeline struct {
	ID   int64    `json:"id"`
	SHA  string   `json:"sha"`
	User *account `json:"user"`
}

// Run reads the job that w says it is, and the pipeline around it: whoever
// started either asked for the release (attack 15).
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
	facts := gate.RunFacts{
		RunID: p.ID, Attempt: 1, Job: j.Name, InProgress: j.Status == "running", Commit: j.Commit.ID,
	}
	for _, who := range []*account{j.User, p.User} {
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

func noProject(err error) error {
	if !isNotFound(err) {
		return failure("the project", err)
	}
	return &gate.Error{
		Kind: gate.NotFound, Code: gate.CodeRepositoryUnknown, Text: "the gate's GitLab account cannot see the project",
		Fix: "make the gate's account Maintainer of the project", Err: err,
	}
}

// noJob: the ID token names a job that GitLab does not know in that pipeline.
func noJob(w gate.Workload, err error) error {
	return &gate.Error{
		Kind: gate.Unidentified, Code: gate.CodeTokenClaims, Text: "GitLab knows no such job",
		Expected: fmt.Sprintf("a running job of pipeline %d", w.RunID), Got: fmt.Sprintf("job %d", w.JobID),
		Fix: "ask with the ID token of the job that runs", Err: err,
	}
}
