package release_test

import (
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/gatetest"
	"github.com/countersign/countersign/gate/release"
)

// finishing puts a policy in force that names the job which collects.
func (w *world) finishing(name string) {
	w.Helper()
	w.forge.with(func() {
		w.forge.file = []byte(strings.Replace(policyFile, "branch: {min_reviews: 1}", "finish: "+name, 1))
	})
	_, err := w.gate.Adopt(w.ctx, release.Adoption{Repository: gatetest.Repository(), Baseline: gatetest.Baseline, By: "root"})
	w.must(err)
}

func TestManualJobThatCollects(t *testing.T) {
	t.Run("is played once the release is signed", func(t *testing.T) {
		w := newWorld(t, onGitLab)
		w.finishing("collect")
		id := w.opened(1).Request.ID
		w.settle()
		if p, ok := w.forge.latest(gate.PostDeployment); ok {
			t.Errorf("expected nothing played before, got %+v", p)
		}
		w.says(gatetest.Bo(), "/countersign approve")
		w.settle()
		w.in(id, gate.StatePublished)
		p, _ := w.forge.latest(gate.PostDeployment)
		want := gate.Deployment{Repository: gatetest.Repository(), RunID: 7001, Environment: "collect", Requested: p.Deployment.Requested}
		if p.Leave != gate.LeaveGiven || p.Deployment != want || p.Thread.Number == 0 {
			t.Errorf("expected the job played, got %+v", p)
		}
		for _, part := range []string{"v1.4.0 is signed", "the job collect waits", "/-/pipelines/7001"} {
			if !strings.Contains(p.Body, part) {
				t.Errorf("expected %q in %q", part, p.Body)
			}
		}
		told := w.forge.count()
		w.later(time.Hour)
		if got := w.forge.count(); got != told {
			t.Errorf("expected it played once, got %d more posts", got-told)
		}
	})
	t.Run("waits on where the release is denied", func(t *testing.T) {
		w := newWorld(t, onGitLab)
		w.finishing("collect")
		w.opened(1)
		w.settle()
		w.says(gatetest.Bo(), "/countersign deny not today")
		w.settle()
		if p, ok := w.forge.latest(gate.PostDeployment); ok {
			t.Errorf("expected nothing, got %+v", p)
		}
	})
	t.Run("is a person's to play where the policy names none", func(t *testing.T) {
		w := newWorld(t, onGitLab)
		w.opened(1)
		w.settle()
		w.says(gatetest.Bo(), "/countersign approve")
		w.settle()
		if p, ok := w.forge.latest(gate.PostDeployment); ok {
			t.Errorf("expected nothing, got %+v", p)
		}
	})
}

// On GitLab all jobs of the project's own CI file may collect, under whatever name the
// project goes now; those of another file may not.
func TestWhoMayCollectOnGitLab(t *testing.T) {
	const file = "gitlab.example/acme/widget//.gitlab-ci.yml"
	w := newWorld(t, onGitLab)
	w.finishing("collect")
	at := func(workflow, name string) func(*gate.Workload) {
		return func(l *gate.Workload) {
			l.Workflow, l.RepositoryName, l.WorkflowRef = workflow, name, "refs/heads/main"
		}
	}
	id := w.opened(1, func(l *gate.Workload) { l.Workflow = file }).Request.ID
	w.settle()
	w.says(gatetest.Bo(), "/countersign approve")
	w.settle()
	for name, row := range map[string]struct {
		job func(*gate.Workload)
		may bool
	}{
		"another job of the pipeline":            {at(file, "acme/widget"), true},
		"after the project was renamed":          {at("gitlab.example/acme/gadget//.gitlab-ci.yml", "acme/gadget"), true},
		"attack 14: another CI file":             {at("gitlab.example/acme/widget//other.yml", "acme/widget"), false},
		"attack 14: a file named as finish says": {at("gitlab.example/acme/widget//collect", "acme/widget"), false},
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
