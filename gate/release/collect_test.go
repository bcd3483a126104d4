package release_test

import (
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/gatetest"
)

// signed is a release that was signed.
func (w *world) signed() gate.Request {
	w.Helper()
	r := w.opened(1).Request
	w.settle()
	w.says(gatetest.Bo(), "/countersign approve")
	w.settle()
	w.in(r.ID, gate.StatePublished)
	return r
}

func TestCollectBeforeTheEnd(t *testing.T) {
	w := newWorld(t)
	id := w.opened(1).Request.ID
	_, files, err := w.gate.Collect(w.ctx, w.job(), id)
	if e := w.refused(err, gate.Conflict, gate.CodeNotSigned); e.Got != "waiting" || e.Fix == "" || files != nil {
		t.Errorf("got %q, fix %q, files %v", e.Got, e.Fix, files)
	}
	w.settle()
	w.says(gatetest.Bo(), "/countersign deny no")
	w.settle()
	_, files, err = w.gate.Collect(w.ctx, w.job(), id)
	if e := w.refused(err, gate.Conflict, gate.CodeEnded); e.Got != "denied" || e.Fix == "" || files != nil {
		t.Errorf("got %q, fix %q, files %v", e.Got, e.Fix, files)
	}
}

// A signed release can be collected while the forge is still to be told.
func TestCollectWhileTheForgeIsAway(t *testing.T) {
	w := newWorld(t)
	r := w.opened(1).Request
	w.settle()
	w.says(gatetest.Bo(), "/countersign approve")
	w.forge.with(func() { w.forge.postErr = func(gate.Post) error { return unavailable() } })
	w.settle()
	w.in(r.ID, gate.StateSigned)
	w.verifies(r.ID, r)
	w.forge.with(func() { w.forge.postErr = nil })
	w.later(5 * time.Second)
	w.in(r.ID, gate.StatePublished)
}

func TestWhoMaySee(t *testing.T) {
	w := newWorld(t)
	r := w.signed()
	deny := func(name string, code gate.Code, kind gate.Kind, edit func(*gate.Workload)) {
		t.Helper()
		job := w.job(edit)
		rec, err := w.gate.Show(w.ctx, job, r.ID)
		if e := w.refused(err, kind, code); e.Text == "" || e.Fix == "" {
			t.Errorf("%s: %+v", name, e)
		}
		if rec.Request.ID != "" {
			t.Errorf("%s: shown all the same", name)
		}
		rec, files, err := w.gate.Collect(w.ctx, job, r.ID)
		w.refused(err, kind, code)
		if rec.Request.ID != "" || files != nil {
			t.Errorf("%s: collected all the same", name)
		}
	}
	deny("another repository", gate.CodeRequestUnknown, gate.NotFound, func(j *gate.Workload) { j.Repository.ID++ })
	deny("the same number at another forge", gate.CodeRequestUnknown, gate.NotFound, func(j *gate.Workload) { j.Repository.Forge = "gitlab" })
	deny("attack 84: another owner", gate.CodeRequestUnknown, gate.NotFound, func(j *gate.Workload) { j.Owner.ID++ })
	deny("another workflow", gate.CodeNotPermitted, gate.Refused, func(j *gate.Workload) { j.Workflow += "x" })
	deny("a token without id", gate.CodeTokenClaims, gate.Unidentified, func(j *gate.Workload) { j.TokenID = "" })

	other := w.opened(2).Request
	job := w.job()
	_, err := w.gate.Show(w.ctx, job, other.ID)
	w.must(err)
	deny("attack 4: a token of another request", gate.CodeTokenRebound, gate.Refused, func(j *gate.Workload) { *j = job })

	_, err = w.gate.Show(w.ctx, w.job(), newID())
	w.refused(err, gate.NotFound, gate.CodeRequestUnknown)

	// A later run of the workflow, by somebody else, on another event, may.
	rec, err := w.gate.Show(w.ctx, w.job(by(gatetest.Bo()), func(j *gate.Workload) { j.RunID, j.Event = 7002, "workflow_run" }), r.ID)
	if err != nil || rec.State != gate.StatePublished {
		t.Errorf("%s, %v", rec.State, err)
	}
	// The same token may look again and then collect.
	again := w.job()
	for range 2 {
		_, err = w.gate.Show(w.ctx, again, r.ID)
		w.must(err)
	}
	_, _, err = w.gate.Collect(w.ctx, again, r.ID)
	w.must(err)
}

// attack 9: GitLab's ID tokens live as long as their job may, so that the job is asked
// after once they are old.
func TestOldTokenOfAFinishedJob(t *testing.T) {
	w := newWorld(t, onGitLab)
	r := w.signed()
	young, old := w.job(), w.job()
	old.IssuedAt = w.now().Add(-10 * time.Minute)
	w.forge.with(func() { w.forge.run.InProgress = false })
	_, err := w.gate.Show(w.ctx, young, r.ID)
	w.must(err)
	_, err = w.gate.Show(w.ctx, old, r.ID)
	w.refused(err, gate.Unidentified, gate.CodeTokenClaims)
	_, _, err = w.gate.Collect(w.ctx, old, r.ID)
	w.refused(err, gate.Unidentified, gate.CodeTokenClaims)

	w.forge.with(func() { w.forge.runErr = unavailable() })
	_, err = w.gate.Show(w.ctx, old, r.ID)
	w.refused(err, gate.Unavailable, gate.CodeForgeUnavailable)

	w.forge.with(func() { w.forge.run.InProgress, w.forge.runErr = true, nil })
	_, err = w.gate.Show(w.ctx, old, r.ID)
	w.must(err)
}

// GitHub's ID tokens live for minutes: whoever only looks is not held up by its API.
func TestGitHubIsNotAskedAfterTheJob(t *testing.T) {
	w := newWorld(t)
	r := w.signed()
	w.forge.with(func() { w.forge.runErr = unavailable() })
	_, err := w.gate.Show(w.ctx, w.job(func(j *gate.Workload) { j.IssuedAt = w.now().Add(-time.Hour) }), r.ID)
	w.must(err)
}
