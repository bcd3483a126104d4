package githubtest_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-github/v62/github"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
)

// deployRows are the endpoints around a job that waits for the gate.
func (x *scenario) deployRows() []endpointRow {
	x.GuardEnvironment(x.repo, "release")
	waiting := x.AddDeployJob(x.job, "release")
	run := fmt.Sprintf("/repos/acme/widget/actions/runs/%d", waiting.RunID)
	x.AddEnvironment(x.repo, "staging")
	x.SetImmutableReleases(x.repo, true)
	const repo = "GET /repos/acme/widget"
	return []endpointRow{
		{request: repo + "/environments"},
		{request: repo + "/environments/Release"},
		{request: repo + "/environments/nowhere", want: 404},
		{request: repo + "/environments/release/deployment_protection_rules"},
		{request: repo + "/environments/staging/deployment_protection_rules"},
		{request: repo + "/environments/nowhere/deployment_protection_rules", want: 404},
		{request: repo + "/immutable-releases"},
		{request: "GET " + run + "/pending_deployments"},
		{request: "POST " + run + "/deployment_protection_rule", body: `{"environment_name":"release","comment":"waiting"}`, want: 204},
		{request: "POST " + run + "/deployment_protection_rule", body: `{"environment_name":"release","state":"approved","comment":"fine"}`, want: 204},
	}
}

type stateOf struct{ Status, Conclusion string }

// states are those of the run and of the job, as REST has them.
func (w *team) states(j forgetest.Job) string {
	w.t.Helper()
	run := get[stateOf](w, fmt.Sprintf("/repos/acme/widget/actions/runs/%d", j.RunID))
	job := get[stateOf](w, fmt.Sprintf("/repos/acme/widget/actions/jobs/%d", j.ID))
	return strings.TrimSpace(run.Status+" "+run.Conclusion) + ", " + strings.TrimSpace(job.Status+" "+job.Conclusion)
}

func (w *team) review(run int64, body string) (int, string) {
	w.t.Helper()
	res, said := w.raw("POST", fmt.Sprintf("/repos/acme/widget/actions/runs/%d/deployment_protection_rule", run), body)
	return res.StatusCode, said
}

func TestJobWaitsForTheGate(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	h := newHook(t)
	w.DeliverTo(h.URL, hookSecret)
	w.GuardEnvironment(w.repo, "Release")
	main := forgetest.JobSpec{Ref: "refs/heads/main", Workflow: "release.yml", Actor: w.ana}
	build := w.StartJob(w.repo, main)
	deploy := w.AddDeployJob(build, "release")
	w.Settle()
	got := h.take()
	if joined := strings.Join(names(got), " "); joined != "workflow_run.requested workflow_job.in_progress workflow_job.waiting deployment_protection_rule.requested" {
		t.Errorf("events: got %s", joined)
	}
	event, err := github.ParseWebHook("deployment_protection_rule", got[3].body)
	asked, is := event.(*github.DeploymentProtectionRuleEvent)
	if err != nil || !is || asked.GetEnvironment() != "Release" || asked.GetEvent() != "push" || asked.GetDeployment().GetSHA() != w.Head(w.repo, main.Ref) ||
		!strings.HasSuffix(asked.GetDeploymentCallbackURL(), fmt.Sprintf("/actions/runs/%d/deployment_protection_rule", build.RunID)) {
		t.Errorf("asked: got %v, %v", event, err)
	}
	w.equal("while the build runs", w.states(deploy), "in_progress, waiting")
	w.FinishJob(build)
	w.equal("once only the deployment is left", w.states(deploy), "waiting, waiting")
	pending := get[[]struct{ Environment struct{ Name string } }](w, fmt.Sprintf("/repos/acme/widget/actions/runs/%d/pending_deployments", build.RunID))
	if len(pending) != 1 || pending[0].Environment.Name != "Release" {
		t.Errorf("pending: got %v", pending)
	}
	if status, said := w.review(build.RunID, `{"environment_name":"release","comment":"two of three checks hold"}`); status != 204 {
		t.Errorf("report: got %d %s", status, said)
	}
	w.equal("after a report", w.states(deploy), "waiting, waiting")
	if status, said := w.review(build.RunID, `{"environment_name":"release","state":"approved","comment":"signed"}`); status != 204 {
		t.Errorf("approval: got %d %s", status, said)
	}
	w.equal("after the approval", w.states(deploy), "in_progress, in_progress")
	want := githubtest.Deployment{State: "approved", Comment: "signed", Reports: []string{"two of three checks hold"}}
	w.equal("what was said", fmt.Sprint(w.Deployment(deploy)), fmt.Sprint(want))
	w.FinishJob(deploy)
	w.equal("at its end", w.states(deploy), "completed success, completed success")
	if status, _ := w.review(build.RunID, `{"environment_name":"release","state":"rejected"}`); status != 422 {
		t.Errorf("a verdict on a job that ended: got %d, want 422", status)
	}
	again := w.Rerun(deploy, w.bo)
	w.equal("run again", w.states(again), "waiting, waiting")
	if status, _ := w.review(build.RunID, `{"environment_name":"release","state":"rejected","comment":"no"}`); status != 204 {
		t.Errorf("rejection: got %d, want 204", status)
	}
	w.equal("after the rejection", w.states(again), "completed failure, completed failure")
	third := w.Rerun(deploy, w.bo)
	w.CancelJob(third)
	w.equal("cancelled", w.states(third), "completed cancelled, completed cancelled")
	w.equal("cancelled", w.Deployment(third).State, "cancelled")
}

func (w *team) equal(what, got, want string) {
	w.t.Helper()
	if got != want {
		w.t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func TestDeploymentLimits(t *testing.T) {
	w := newTeam(t, githubtest.Options{Switches: githubtest.Switches{PendingOmitsCustomRules: true}})
	w.GuardEnvironment(w.repo, "release")
	j := w.StartJob(w.repo, forgetest.JobSpec{Ref: "refs/heads/main", Workflow: "release.yml", Actor: w.ana, Environment: "release"})
	free := w.StartJob(w.repo, forgetest.JobSpec{Ref: "refs/heads/main", Workflow: "release.yml", Actor: w.ana, Environment: "staging"})
	if pending := get[[]any](w, fmt.Sprintf("/repos/acme/widget/actions/runs/%d/pending_deployments", j.RunID)); len(pending) != 0 {
		t.Errorf("pending with the switch: got %v", pending)
	}
	long, err := json.Marshal(strings.Repeat("é", 1025))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name string
		run  int64
		body string
		want int
	}{
		{"no such run", 1, `{"environment_name":"release","state":"approved"}`, 404},
		{"no environment", j.RunID, `{"state":"approved"}`, 422},
		{"another environment", j.RunID, `{"environment_name":"staging","state":"approved"}`, 422},
		{"an environment that nobody guards", free.RunID, `{"environment_name":"staging","state":"approved"}`, 422},
		{"an odd state", j.RunID, `{"environment_name":"release","state":"pending"}`, 422},
		{"neither state nor comment", j.RunID, `{"environment_name":"release"}`, 422},
		{"1025 characters", j.RunID, fmt.Sprintf(`{"environment_name":"release","comment":%s}`, long), 422},
		{"1024 characters", j.RunID, fmt.Sprintf(`{"environment_name":"release","comment":%q}`, strings.Repeat("é", 1024)), 204},
	} {
		if status, said := w.review(row.run, row.body); status != row.want {
			t.Errorf("%s: got %d %s, want %d", row.name, status, said, row.want)
		}
	}
	for range 9 {
		w.review(j.RunID, `{"environment_name":"release","comment":"still waiting"}`)
	}
	if status, _ := w.review(j.RunID, `{"environment_name":"release","comment":"eleventh"}`); status != 422 || len(w.Deployment(j).Reports) != 10 {
		t.Errorf("an eleventh report: got %d with %d reports kept", status, len(w.Deployment(j).Reports))
	}
	if status, _ := w.review(j.RunID, `{"environment_name":"release","state":"approved"}`); status != 204 || w.Deployment(j).State != "approved" {
		t.Errorf("a verdict after ten reports: got %d, %v", status, w.Deployment(j))
	}
	if d := w.Deployment(free); d.State != "" {
		t.Errorf("a job that never waited: got %v", d)
	}
}

func TestWaitingJobHasNoRunner(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	w.GuardEnvironment(w.repo, "release")
	j := w.StartJob(w.repo, forgetest.JobSpec{Ref: "refs/heads/main", Workflow: "release.yml", Actor: w.ana, Environment: "release"})
	defer func() {
		if recover() == nil {
			t.Error("an ID token for a job that waits: expected a panic, it has no runner to ask for one")
		}
	}()
	w.IDToken(j, "x", nil)
}
