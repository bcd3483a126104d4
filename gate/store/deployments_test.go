package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/gate"
)

const runID = 7

func deployment(environment string, requested time.Time) gate.Deployment {
	return gate.Deployment{Repository: repository(), RunID: runID, Environment: environment, Requested: requested}
}

func (w *world) waitingJobs(want ...gate.Deployment) {
	w.Helper()
	got, err := w.s.Deployments(w.ctx, repository(), runID)
	w.must(err)
	if len(want) == 0 {
		want = []gate.Deployment{}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		w.Fatal(diff)
	}
}

func answer(rec gate.Record, d gate.Deployment, leave gate.Leave) gate.Post {
	p := post(rec.Request.ID, gate.PostDeployment, d.Environment)
	p.Deployment, p.Leave = d, leave
	return p
}

func (w *world) answered(p gate.Post) {
	w.Helper()
	got := w.postDue(gate.PostDeployment)
	if diff := cmp.Diff(p, got); diff != "" {
		w.Fatal(diff)
	}
	w.must(w.s.Posted(w.ctx, got, ""))
}

func TestJobWaitsUntilItHasItsVerdict(t *testing.T) {
	onBoth(t, func(w *world) {
		w.waitingJobs()
		now := time.Now().UTC().Truncate(time.Microsecond)
		second, first := deployment("production", now.Add(time.Second)), deployment("staging", now)
		w.heard(gate.Heard{Deployments: []gate.Deployment{second, first}})
		w.must(w.s.Hear(w.ctx, gate.Heard{Deployments: []gate.Deployment{first}})) // once
		w.waitingJobs(first, second)
		elsewhere, err := w.s.Deployments(w.ctx, repository(), runID+1)
		w.must(err)
		if len(elsewhere) != 0 {
			w.Errorf("expected nothing of another run, got %v", elsewhere)
		}
		rec := w.signed("a", check("", gate.PostSuccess))
		w.must(w.s.Posted(w.ctx, w.postDue(gate.PostCheck), "1"))
		progress := answer(rec, first, "")
		w.told(progress)
		w.answered(progress)
		w.waitingJobs(first, second) // progress is no verdict
		given := answer(rec, first, gate.LeaveGiven)
		w.told(given)
		w.waitingJobs(first, second) // the forge was not told yet
		w.answered(given)
		w.waitingJobs(second)
		w.heard(gate.Heard{Deployments: []gate.Deployment{first}}) // the same asking once more
		w.waitingJobs(second)
		denied := w.judged(w.opened("b"), gate.StateDenied)
		refused := answer(denied, second, gate.LeaveRefused)
		w.told(refused)
		w.answered(refused)
		w.waitingJobs()
	})
}

// A run keeps its number when it is run again, and its job asks again.
func TestJobThatRunsAgainWaitsAgain(t *testing.T) {
	onBoth(t, func(w *world) {
		now := time.Now().UTC().Truncate(time.Microsecond)
		d := deployment("production", now)
		w.heard(gate.Heard{Deployments: []gate.Deployment{d}})
		p := answer(w.judged(w.opened("a"), gate.StateDenied), d, gate.LeaveRefused)
		w.told(p)
		w.answered(p)
		w.waitingJobs()
		again := deployment("production", now.Add(minute))
		w.heard(gate.Heard{Deployments: []gate.Deployment{again}})
		w.waitingJobs(again)
		w.heard(gate.Heard{Deployments: []gate.Deployment{deployment("production", now.Add(2*minute))}})
		w.waitingJobs(again)                                     // it waits already
		w.refused(gate.CodeTransition, w.s.Posted(w.ctx, p, "")) // the first verdict, told twice
		w.waitingJobs(again)
	})
}

// The newest word goes to the forge, but progress never takes a verdict's place.
func TestVerdictIsNotOvertaken(t *testing.T) {
	onBoth(t, func(w *world) {
		d := deployment("production", time.Now().UTC().Truncate(time.Microsecond))
		w.heard(gate.Heard{Deployments: []gate.Deployment{d}})
		rec := w.judged(w.opened("a"), gate.StateDenied)
		verdict := answer(rec, d, gate.LeaveRefused)
		w.told(answer(rec, d, ""), answer(rec, d, ""))
		w.told(verdict, answer(rec, d, ""))
		w.answered(verdict)
		w.nothingToPost()
		w.waitingJobs()
	})
}

func TestDeploymentsThatCannotBeKept(t *testing.T) {
	onBoth(t, func(w *world) {
		ok := deployment("production", time.Now())
		homeless, runless, nameless := ok, ok, ok
		homeless.Repository = gate.RepositoryID{}
		runless.RunID = 0
		nameless.Environment = ""
		for name, d := range map[string]gate.Deployment{"no repository": homeless, "no run": runless, "no environment": nameless} {
			if err := w.s.Hear(w.ctx, gate.Heard{Deployments: []gate.Deployment{d}}); gate.CodeOf(err) != gate.CodeInternal {
				w.Errorf("%s: expected %s, got %v", name, gate.CodeInternal, err)
			}
		}
		w.waitingJobs()
	})
}
