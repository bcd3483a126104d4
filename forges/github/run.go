package github

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/countersign/countersign/gate"
)

// runJSON is REST API's schema workflow-run, in part.
type runJSON struct {
	ID              int64     `json:"id"`
	RunAttempt      int64     `json:"run_attempt"`
	Status          string    `json:"status"`
	HeadSHA         string    `json:"head_sha"`
	Event           string    `json:"event"`
	Actor           *userJSON `json:"actor"`
	TriggeringActor *userJSON `json:"triggering_actor"`
	Repository      numbered  `json:"repository"`
}

// jobJSON is REST API's schema job, in part.
type jobJSON struct {
	ID          int64  `json:"id"`
	Name        string `json:"name"`
	Status      string `json:"status"`
	RunID       int64  `json:"run_id"`
	RunAttempt  int64  `json:"run_attempt"`
	CheckRunURL string `json:"check_run_url"`
}

// Run reads the run attempt and the job that w says it is (attacks 11, 15 and 18).
// Where GitHub is too old to name the job in the ID token, the attempt's own state
// stands for it. Errors: CodeTokenClaims where there is no such run or it is not what the claims say;
// kind Unavailable where it cannot be read, or the job is not listed yet.
func (f *Forge) Run(ctx context.Context, w gate.Workload) (gate.RunFacts, error) {
	op := fmt.Sprintf("read run %d attempt %d of %s", w.RunID, w.RunAttempt, w.RepositoryName)
	var run runJSON
	var job jobJSON
	err := f.with(ctx, w.Repository, w.RepositoryName, func(repo *repository) (err error) {
		attempt := repo.at("actions", "runs", strconv.FormatInt(w.RunID, 10), "attempts", strconv.FormatInt(w.RunAttempt, 10))
		if err := repo.get(ctx, &run, nil, attempt...); err != nil {
			gone, unsure := repo.gone(err)
			if gone {
				return noRun(w, err)
			}
			return cmp.Or(unsure, err)
		}
		if w.JobID != 0 {
			job, err = repo.job(ctx, attempt, w)
		}
		return err
	})
	if err != nil {
		return gate.RunFacts{}, workError(op, w.Repository, err)
	}
	if run.ID != w.RunID || run.RunAttempt != w.RunAttempt || run.Repository.ID != w.Repository.ID || run.Event != w.Event {
		return gate.RunFacts{}, &gate.Error{
			Kind: gate.Unidentified, Code: gate.CodeTokenClaims, Text: "the run is not what the ID token says",
			Expected: fmt.Sprintf("run %d attempt %d on %s", w.RunID, w.RunAttempt, w.Event),
			Got:      fmt.Sprintf("run %d attempt %d on %s", run.ID, run.RunAttempt, run.Event), Fix: "ask with the ID token of the job itself",
			Claims: []gate.ClaimCheck{
				{Claim: "run_id", Expected: fmt.Sprintf("%d, as GitHub says", run.ID), OK: run.ID == w.RunID},
				{Claim: "run_attempt", Expected: fmt.Sprintf("%d, as GitHub says", run.RunAttempt), OK: run.RunAttempt == w.RunAttempt},
				{Claim: "repository_id", Expected: fmt.Sprintf("%d, as GitHub says", run.Repository.ID), OK: run.Repository.ID == w.Repository.ID},
				{Claim: "event_name", Expected: run.Event + ", as GitHub says", OK: run.Event == w.Event},
			},
		}
	}
	facts := gate.RunFacts{RunID: run.ID, Attempt: run.RunAttempt, Commit: run.HeadSHA, InProgress: run.Status == "in_progress"}
	for _, u := range []*userJSON{run.Actor, run.TriggeringActor} {
		a, ok := f.toAccount(u)
		if !ok {
			return gate.RunFacts{}, unexpected(op, "GitHub does not say who started it")
		}
		if !slices.ContainsFunc(facts.Actors, func(b gate.Account) bool { return b.ID == a.ID }) {
			facts.Actors = append(facts.Actors, a)
		}
	}
	if w.JobID == 0 {
		return facts, nil
	}
	facts.Job, facts.InProgress = job.Name, job.Status == "in_progress"
	return facts, nil
}

// noRun: GitHub does not know the run attempt, in a repository that it knows.
func noRun(w gate.Workload, err error) error {
	return &gate.Error{
		Kind: gate.Unidentified, Code: gate.CodeTokenClaims, Text: "the run was not found: it may have been deleted",
		Expected: "a run of " + w.RepositoryName + " that GitHub has", Got: fmt.Sprintf("run %d attempt %d", w.RunID, w.RunAttempt),
		Fix: "start the release workflow again, and ask from the job that runs", Err: err,
		Claims: []gate.ClaimCheck{
			{Claim: "run_id", Expected: "a run that GitHub has"}, {Claim: "run_attempt", Expected: "an attempt of it that GitHub has"},
		},
	}
}

// job finds the job by its check run: GitHub links the two, and nowhere calls their
// numbers equal.
func (r *repository) job(ctx context.Context, attempt []string, w gate.Workload) (jobJSON, error) {
	type jobs struct {
		Jobs []jobJSON `json:"jobs"`
	}
	var found []jobJSON
	err := pages(ctx, r.caller, nil, func(page jobs) (bool, error) {
		for _, j := range page.Jobs {
			if strings.HasSuffix(j.CheckRunURL, "/check-runs/"+strconv.FormatInt(w.JobID, 10)) {
				found = append(found, j)
			}
		}
		return true, nil
	}, append(slices.Clone(attempt), "jobs")...)
	if err != nil {
		return jobJSON{}, err
	}
	if len(found) != 1 || found[0].RunID != w.RunID {
		return jobJSON{}, unexpected(fmt.Sprintf("find the job of check run %d", w.JobID), "GitHub does not list it")
	}
	return found[0], nil
}

func unexpected(op, text string) *gate.Error {
	return &gate.Error{
		Kind: gate.Unavailable, Code: gate.CodeForgeUnexpected, Text: op + ": " + text,
		Fix: "it is tried again; if this stays, the operator finds the cause in the server's log",
	}
}

// workError is what it means that work in a repository failed, or could not begin.
func workError(op string, id gate.RepositoryID, err error) *gate.Error {
	var opening *openError
	if errors.As(err, &opening) {
		return repositoryError(op, id, opening.error)
	}
	return classify(op, err)
}

// repositoryError is what it means that a repository cannot be opened.
func repositoryError(op string, id gate.RepositoryID, err error) *gate.Error {
	if errors.Is(err, errNotInstalled) {
		return &gate.Error{
			Kind: gate.NotFound, Code: gate.CodeRepositoryUnknown, Text: "no credential of the gate reaches repository " + id.String(),
			Expected: "a repository with the gate's App", Got: "one without it, or none",
			Fix: "install the gate's App on it", Err: fmt.Errorf("%s: %w", op, err),
		}
	}
	return classify(op, err)
}
