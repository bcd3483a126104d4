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
	RunURL      string `json:"run_url"`
	HeadSHA     string `json:"head_sha"`
	CheckRunURL string `json:"check_run_url"`
}

// ofCheckRun reports whether GitHub links the job to a check run.
func (j jobJSON) ofCheckRun(id int64) bool {
	return strings.HasSuffix(j.CheckRunURL, "/check-runs/"+strconv.FormatInt(id, 10))
}

// fits reports whether the job is the one of which w's ID token speaks, in a repository
// of that full name.
func (j jobJSON) fits(w gate.Workload, name string) bool {
	run := strings.ToLower("/repos/" + name + "/actions/runs/" + strconv.FormatInt(w.RunID, 10))
	return j.ID == w.JobID && j.ofCheckRun(w.JobID) && j.RunID == w.RunID && j.RunAttempt == w.RunAttempt &&
		strings.HasSuffix(strings.ToLower(j.RunURL), run) && j.HeadSHA == w.Commit && j.Name != "" && j.Status != ""
}

// Run reads the job that w says it is (attacks 11, 15 and 18). A first attempt's job tells
// all that the gate asks in one call; else the run attempt and the list of its jobs do.
// Where GitHub is too old to name the job in the ID token, the attempt's own state stands
// for it. Errors: CodeTokenClaims where there is no such run or it is not what the claims say;
// kind Unavailable where it cannot be read, or the job is not listed yet.
func (f *Forge) Run(ctx context.Context, w gate.Workload) (gate.RunFacts, error) {
	var facts gate.RunFacts
	err := f.with(ctx, w.Repository, w.RepositoryName, func(repo *repository) error {
		found, ok, err := repo.firstJob(ctx, w)
		if err == nil && !ok {
			found, err = repo.attempt(ctx, w)
		}
		facts = found
		return err
	})
	if err != nil {
		return gate.RunFacts{}, workError(readRun(w), w.Repository, err)
	}
	return facts, nil
}

func readRun(w gate.Workload) string {
	return fmt.Sprintf("read run %d attempt %d of %s", w.RunID, w.RunAttempt, w.RepositoryName)
}

// firstJob asks for the job by its check run's number; ok is false where the answer does
// not show that it is the same job, and then says nothing. GitHub links the two and calls
// their numbers equal nowhere, so the job itself has to name its check run, its run, attempt,
// commit and repository. Who triggered a first attempt is the run's actor ("the account
// that triggered the initial workflow run"), whom the ID token names, as it does the event.
// A later attempt may be anybody's, and goes the long way (attack 15).
func (r *repository) firstJob(ctx context.Context, w gate.Workload) (facts gate.RunFacts, ok bool, err error) {
	told := w.RunAttempt == 1 && w.JobID > 0 && w.RunID > 0 && isSHA(w.Commit) && w.Actor.ID.ID > 0 && w.Actor.ID.Forge == r.forge.cfg.Forge
	// The name of which the token speaks is minutes old; the one last read may be a former one.
	if !told || !strings.EqualFold(w.RepositoryName, r.owner+"/"+r.name) || r.forge.memory.isRenumbered(r.forge.cfg.Now()) {
		return gate.RunFacts{}, false, nil
	}
	var job jobJSON
	err = r.get(ctx, &job, nil, r.at("actions", "jobs", strconv.FormatInt(w.JobID, 10))...)
	switch {
	case isNotFound(err):
		return gate.RunFacts{}, false, nil // nothing follows from it: the list of jobs tells
	case err != nil:
		return gate.RunFacts{}, false, err
	case !job.fits(w, r.owner+"/"+r.name):
		return gate.RunFacts{}, false, nil
	}
	return gate.RunFacts{
		RunID: job.RunID, Attempt: job.RunAttempt, Commit: job.HeadSHA, Job: job.Name,
		InProgress: job.Status == "in_progress", Actors: []gate.Account{w.Actor},
	}, true, nil
}

// attempt reads the run attempt and finds the job among those it lists.
func (r *repository) attempt(ctx context.Context, w gate.Workload) (gate.RunFacts, error) {
	var run runJSON
	at := r.at("actions", "runs", strconv.FormatInt(w.RunID, 10), "attempts", strconv.FormatInt(w.RunAttempt, 10))
	if err := r.get(ctx, &run, nil, at...); err != nil {
		gone, unsure := r.gone(err)
		if gone {
			return gate.RunFacts{}, noRun(w, err)
		}
		return gate.RunFacts{}, cmp.Or(unsure, err)
	}
	if err := run.check(w); err != nil {
		return gate.RunFacts{}, err
	}
	facts := gate.RunFacts{RunID: run.ID, Attempt: run.RunAttempt, Commit: run.HeadSHA, InProgress: run.Status == "in_progress"}
	for _, u := range []*userJSON{run.Actor, run.TriggeringActor} {
		a, ok := r.forge.toAccount(u)
		if !ok {
			return gate.RunFacts{}, unexpected(readRun(w), "GitHub does not say who started it")
		}
		if !slices.ContainsFunc(facts.Actors, func(b gate.Account) bool { return b.ID == a.ID }) {
			facts.Actors = append(facts.Actors, a)
		}
	}
	if w.JobID == 0 {
		return facts, nil
	}
	job, err := r.job(ctx, at, w)
	if err != nil {
		return gate.RunFacts{}, err
	}
	if job.ID != w.JobID {
		r.forge.memory.renumber(r.forge.cfg.Now())
	}
	facts.Job, facts.InProgress = job.Name, job.Status == "in_progress"
	return facts, nil
}

// check holds the run against what the claims say of it.
func (run runJSON) check(w gate.Workload) error {
	claims := []gate.ClaimCheck{
		{Claim: "run_id", Expected: fmt.Sprintf("%d, as GitHub says", run.ID), OK: run.ID == w.RunID},
		{Claim: "run_attempt", Expected: fmt.Sprintf("%d, as GitHub says", run.RunAttempt), OK: run.RunAttempt == w.RunAttempt},
		{Claim: "repository_id", Expected: fmt.Sprintf("%d, as GitHub says", run.Repository.ID), OK: run.Repository.ID == w.Repository.ID},
		{Claim: "event_name", Expected: run.Event + ", as GitHub says", OK: run.Event == w.Event},
	}
	if !slices.ContainsFunc(claims, func(c gate.ClaimCheck) bool { return !c.OK }) {
		return nil
	}
	return &gate.Error{
		Kind: gate.Unidentified, Code: gate.CodeTokenClaims, Text: "the run is not what the ID token says",
		Expected: fmt.Sprintf("run %d attempt %d on %s", w.RunID, w.RunAttempt, w.Event),
		Got:      fmt.Sprintf("run %d attempt %d on %s", run.ID, run.RunAttempt, run.Event), Fix: "ask with the ID token of the job itself",
		Claims: claims,
	}
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
			if j.ofCheckRun(w.JobID) {
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
