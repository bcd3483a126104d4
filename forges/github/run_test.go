package github_test

import (
	"testing"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
	"github.com/countersign/countersign/gate"
)

// A run that somebody deleted, or that never was, is no job's: it is refused at once, and
// not waited for (attack 11).
func TestNoSuchRun(t *testing.T) {
	for name, spoil := range map[string]func(w *gate.Workload){
		"no such run":                func(w *gate.Workload) { w.RunID += 1000 },
		"no such attempt":            func(w *gate.Workload) { w.RunAttempt = 77 },
		"no such attempt, older one": func(w *gate.Workload) { w.RunAttempt, w.JobID = 77, 0 },
	} {
		w := newTeam(t, githubtest.Options{})
		job := w.StartJob(w.repo, forgetest.JobSpec{Ref: mainRef, Workflow: "release.yml", Actor: w.ana})
		wl := workload(w, job)
		spoil(&wl)
		for _, warm := range []bool{false, true} {
			if warm {
				known(t, "repository", w.evidence().Repository)
			}
			_, err := w.forge.Run(t.Context(), wl)
			if gate.CodeOf(err) != gate.CodeTokenClaims || gate.KindOf(err) != gate.Unidentified || len(gate.ClaimsOf(err)) != 2 {
				t.Errorf("%s, warm %t: expected %s that marks two claims, got %v", name, warm, gate.CodeTokenClaims, err)
			}
		}
	}
	// Where the repository is not reached there is nothing to say about its runs.
	w := newTeam(t, githubtest.Options{})
	job := w.StartJob(w.repo, forgetest.JobSpec{Ref: mainRef, Workflow: "release.yml", Actor: w.ana})
	w.Uninstall(w.repo)
	if _, err := w.forge.Run(t.Context(), workload(w, job)); gate.CodeOf(err) != gate.CodeRepositoryUnknown {
		t.Errorf("without the App: expected %s, got %v", gate.CodeRepositoryUnknown, err)
	}
}
