package release_test

import (
	"strings"
	"testing"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/gatetest"
	"github.com/countersign/countersign/gate/release"
)

// Who may collect: the workflow that asked, and the one that the policy names, as a
// branch that may release has it.
func TestWhoMayCollect(t *testing.T) {
	w := newWorld(t)
	w.forge.with(func() {
		w.forge.file = []byte(strings.Replace(policyFile, "branch: {min_reviews: 1}", "finish: finish.yml", 1))
	})
	_, err := w.gate.Adopt(w.ctx, release.Adoption{Repository: gatetest.Repository(), Baseline: gatetest.Baseline, By: "root"})
	w.must(err)
	id := w.opened(1).Request.ID
	w.settle()
	w.says(gatetest.Bo(), "/countersign approve")
	w.settle()
	runs := func(workflow, ref string) func(*gate.Workload) {
		return func(l *gate.Workload) {
			l.Workflow, l.WorkflowRef = l.RepositoryName+"/.github/workflows/"+workflow, ref
		}
	}
	renamed := func(l *gate.Workload) {
		l.RepositoryName = "acme/renamed"
		l.Workflow = "acme/renamed/" + gatetest.Workflow
	}
	for name, row := range map[string]struct {
		job func(*gate.Workload)
		may bool
	}{
		"the workflow that asked":                        {runs("release.yml", gatetest.Ref), true},
		"the finishing workflow, as main has it":         {runs("finish.yml", "refs/heads/main"), true},
		"attack 13: the finishing workflow of a feature": {runs("finish.yml", "refs/heads/feature"), false},
		"attack 14: another workflow":                    {runs("test.yml", "refs/heads/main"), false},
		"the repository was renamed since":               {renamed, true},
	} {
		_, _, err := w.gate.Collect(w.ctx, w.job(row.job), id)
		switch {
		case row.may:
			if err != nil {
				t.Errorf("%s: expected the files, got %v", name, err)
			}
		default:
			w.refused(err, gate.Refused, gate.CodeNotPermitted)
		}
	}
}

func TestBaselineHasToBeOnTheDefaultBranch(t *testing.T) {
	w := newWorld(t)
	w.forge.with(func() {
		w.forge.edit = func(_ gate.Request, e *gate.Evidence) { e.Changes = gate.Unknown[[]gate.Change]("no common history") }
	})
	_, err := w.gate.Adopt(w.ctx, release.Adoption{Repository: gatetest.Repository(), Baseline: gatetest.Head, By: "root"})
	w.refused(err, gate.Invalid, gate.CodePolicyNotAdopted)
}
