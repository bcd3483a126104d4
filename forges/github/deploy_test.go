package github_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
	"github.com/countersign/countersign/gate"
)

// waiting is a team with a job that waits for the environment "release".
type waiting struct {
	*team
	job forgetest.Job
	ask gate.Deployment
}

func newWaiting(t *testing.T, o githubtest.Options) *waiting {
	t.Helper()
	w := &waiting{team: newTeam(t, o)}
	w.GuardEnvironment(w.repo, "release")
	w.job = w.StartJob(w.repo, forgetest.JobSpec{Ref: mainRef, Workflow: "release.yml", Actor: w.ana, Environment: "release"})
	w.ask = gate.Deployment{Repository: w.id(), RunID: w.job.RunID, Environment: "release"}
	return w
}

func (w *waiting) say(known string, leave gate.Leave, body string) (string, error) {
	return w.forge.Post(w.t.Context(), gate.Post{
		Target: gate.PostDeployment, Repository: w.id(), Deployment: w.ask, Leave: leave, Body: body, Known: known,
	})
}

func (w *waiting) said(known string, leave gate.Leave, body string) string {
	w.t.Helper()
	known, err := w.say(known, leave, body)
	if err != nil {
		w.t.Fatalf("say %q %q: %v", leave, body, err)
	}
	return known
}

func (w *waiting) holds(what, state string, reports ...string) {
	w.t.Helper()
	got := w.Deployment(w.job)
	if got.State != state || fmt.Sprint(got.Reports) != fmt.Sprint(reports) {
		w.t.Errorf("%s: got %s with reports %q, want %s with %q", what, got.State, got.Reports, state, reports)
	}
}

func TestDeploymentRings(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	in := &inbox{forge: w.forge}
	server := httptest.NewServer(in)
	t.Cleanup(server.Close)
	w.DeliverTo(server.URL, secret)
	w.GuardEnvironment(w.repo, "release")
	before := time.Now()
	job := w.StartJob(w.repo, forgetest.JobSpec{Ref: mainRef, Workflow: "release.yml", Actor: w.ana, Environment: "release"})
	var asked []gate.Deployment
	for _, r := range in.take(t, w) {
		if r.Deployment != nil {
			asked = append(asked, *r.Deployment)
		}
		if r.Repository != w.id() || r.Comment != nil {
			t.Errorf("ring: got %+v", r)
		}
	}
	if len(asked) != 1 || asked[0].Repository != w.id() || asked[0].RunID != job.RunID || asked[0].Environment != "release" || asked[0].Requested.Before(before) {
		t.Errorf("asked: got %+v, want run %d once", asked, job.RunID)
	}
}

func TestDeploymentHints(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	const callback = `"https://api.github.com/repos/o/r/actions/runs/42/deployment_protection_rule"`
	long := strings.Repeat("x", 256)
	for _, row := range []struct {
		name, body string
		run        int64 // 0: the repository is looked at again
	}{
		{"as GitHub sends it", `{"action":"requested","repository":{"id":7},"environment":"prod","deployment_callback_url":` + callback + `}`, 42},
		{"of another host: the number alone is read (attack 64)", `{"action":"requested","repository":{"id":7},"environment":"prod","deployment_callback_url":"http://evil.example/repos/x/y/actions/runs/42/deployment_protection_rule?x=/actions/runs/9/deployment_protection_rule"}`, 42},
		{"another action", `{"action":"completed","repository":{"id":7},"environment":"prod","deployment_callback_url":` + callback + `}`, 0},
		{"no environment", `{"action":"requested","repository":{"id":7},"deployment_callback_url":` + callback + `}`, 0},
		{"an environment of another type", `{"action":"requested","repository":{"id":7},"environment":{"name":"prod"},"deployment_callback_url":` + callback + `}`, 0},
		{"an environment with a line break", `{"action":"requested","repository":{"id":7},"environment":"a\nb","deployment_callback_url":` + callback + `}`, 0},
		{"an environment longer than one can be", `{"action":"requested","repository":{"id":7},"environment":"` + long + `","deployment_callback_url":` + callback + `}`, 0},
		{"no callback", `{"action":"requested","repository":{"id":7},"environment":"prod"}`, 0},
		{"a callback of another form", `{"action":"requested","repository":{"id":7},"environment":"prod","deployment_callback_url":"https://api.github.com/runs/42"}`, 0},
		{"a run without number", `{"action":"requested","repository":{"id":7},"environment":"prod","deployment_callback_url":"https://x/actions/runs/0/deployment_protection_rule"}`, 0},
		{"a run beyond numbers", `{"action":"requested","repository":{"id":7},"environment":"prod","deployment_callback_url":"https://x/actions/runs/9999999999999999999/deployment_protection_rule"}`, 0},
		{"no URL", `{"action":"requested","repository":{"id":7},"environment":"prod","deployment_callback_url":"%zz"}`, 0},
	} {
		rings, err := w.forge.Interpret(gate.Delivery{Event: "deployment_protection_rule", Body: []byte(row.body), Received: fixedNow()})
		if err != nil || len(rings) != 1 || rings[0].Repository.ID != 7 {
			t.Errorf("%s: got %+v, %v", row.name, rings, err)
			continue
		}
		d := rings[0].Deployment
		switch {
		case row.run == 0 && d != nil, row.run != 0 && (d == nil || d.RunID != row.run || d.Environment != "prod" || !d.Requested.Equal(fixedNow())):
			t.Errorf("%s: got %+v, want run %d", row.name, d, row.run)
		}
	}
	if rings, err := w.forge.Interpret(gate.Delivery{Event: "deployment_protection_rule", Body: []byte(`{"action":"requested"}`)}); err != nil || len(rings) != 0 {
		t.Errorf("no repository: got %+v, %v", rings, err)
	}
}

func TestDeploymentGoesOn(t *testing.T) {
	for _, row := range []struct {
		leave gate.Leave
		state string
	}{{gate.LeaveGiven, "approved"}, {gate.LeaveRefused, "rejected"}} {
		w := newWaiting(t, githubtest.Options{})
		known := w.said("", "", "waits for one approval")
		w.holds("a report", "waiting", "waits for one approval")
		known = w.said(known, "", "waits for one approval")
		w.holds("the same again", "waiting", "waits for one approval")
		known = w.said(known, "", " \n")
		known = w.said(known, "", "approved by @bo")
		w.holds("another", "waiting", "waits for one approval", "approved by @bo")
		known = w.said(known, row.leave, "see the release page")
		w.holds("the verdict", row.state, "waits for one approval", "approved by @bo")
		if known != string(row.leave) || w.Deployment(w.job).Comment != "see the release page" {
			t.Errorf("%s: got known %q, comment %q", row.leave, known, w.Deployment(w.job).Comment)
		}
		before := w.Deployment(w.job)
		w.said(known, row.leave, "see the release page")
		w.said(known, "", "late")
		if fmt.Sprint(w.Deployment(w.job)) != fmt.Sprint(before) {
			t.Errorf("after the verdict: got %v, want nothing more", w.Deployment(w.job))
		}
		w.job = w.Rerun(w.job, w.ana)
		known = w.said(known, "", "a later attempt")
		w.said(known, gate.LeaveGiven, "")
		w.holds("a later attempt", "approved", "a later attempt")
	}
}

// GitHub takes ten reports of 1,024 characters; the verdict still goes through.
func TestDeploymentReportsAreBounded(t *testing.T) {
	w := newWaiting(t, githubtest.Options{})
	known := ""
	for n := range 15 {
		known = w.said(known, "", fmt.Sprintf("%d %s", n, strings.Repeat("é", 2000)))
	}
	got := w.Deployment(w.job)
	if len(got.Reports) != 9 || len([]rune(got.Reports[0])) != 1024 || !strings.HasSuffix(got.Reports[8], "…") {
		t.Errorf("reports: got %d", len(got.Reports))
	}
	w.said(known, gate.LeaveGiven, strings.Repeat("x", 3000))
	if got := w.Deployment(w.job); got.State != "approved" || len([]rune(got.Comment)) != 1024 {
		t.Errorf("verdict: got %s with %d characters", got.State, len([]rune(got.Comment)))
	}
}

// Whether GitHub lists custom rules among a run's pending deployments is not documented.
func TestDeploymentThatGitHubDoesNotList(t *testing.T) {
	w := newWaiting(t, githubtest.Options{Switches: githubtest.Switches{PendingOmitsCustomRules: true}})
	known := w.said("", "", "waits")
	w.said(known, gate.LeaveGiven, "fine")
	w.holds("not listed", "approved", "waits")
}

// What cannot be answered any more is done: it is not tried for ever.
func TestDeploymentsThatEnded(t *testing.T) {
	for _, row := range []struct {
		name string
		act  func(w *waiting)
	}{
		{"cancelled", func(w *waiting) { w.CancelJob(w.job) }},
		{"never there", func(w *waiting) { w.ask.RunID = 1 }},
		{"of another environment", func(w *waiting) { w.ask.Environment = "staging" }},
		{"no longer waiting when the answer comes", func(w *waiting) {
			w.Fail(forgetest.Fault{Path: "/deployment_protection_rule", Status: http.StatusUnprocessableEntity})
		}},
		{"gone when the answer comes", func(w *waiting) {
			w.Fail(forgetest.Fault{Path: "/deployment_protection_rule", Status: http.StatusNotFound})
		}},
	} {
		w := newWaiting(t, githubtest.Options{})
		row.act(w)
		for _, leave := range []gate.Leave{"", gate.LeaveGiven, gate.LeaveRefused} {
			known, err := w.say("reports/2/x", leave, "text")
			if err != nil || known != "reports/2/x" {
				t.Errorf("%s, %q: got %q, %v; want it done", row.name, leave, known, err)
			}
		}
		if got := w.Deployment(w.job); got.State == "approved" || len(got.Reports) > 0 {
			t.Errorf("%s: got %v", row.name, got)
		}
	}
}

// What may go through later is tried again.
func TestDeploymentFaults(t *testing.T) {
	for _, f := range []forgetest.Fault{
		{Path: "/deployment_protection_rule", Status: 500}, {Path: "/pending_deployments", Status: 502},
		{Path: "/pending_deployments", Status: 200, Body: "null"}, {Path: "/pending_deployments", Status: 0},
		{Path: "/deployment_protection_rule", Status: 429, Header: map[string]string{"Retry-After": "60"}},
		{Path: "/deployment_protection_rule", Status: 0},
	} {
		w := newWaiting(t, githubtest.Options{})
		restore := w.Fail(f)
		if known, err := w.say("", gate.LeaveGiven, "fine"); gate.KindOf(err) != gate.Unavailable || known != "" {
			t.Errorf("%s %d: got %q, %v; want it unavailable", f.Path, f.Status, known, err)
		}
		w.holds("while it fails", "waiting")
		restore()
		if f.Status == 429 {
			continue // the client keeps to the pause that was asked for
		}
		w.said("", gate.LeaveGiven, "fine")
		w.holds("afterwards", "approved")
	}
}

// runSays answers for the run itself in GitHub's place.
type runSays struct {
	http.RoundTripper

	run    int64
	status int
	body   string
}

func (r *runSays) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := r.RoundTripper.RoundTrip(req)
	if err == nil && strings.HasSuffix(req.URL.Path, fmt.Sprintf("/actions/runs/%d", r.run)) {
		_ = resp.Body.Close() // the answer is replaced
		resp.StatusCode = r.status
		refill(resp, []byte(r.body))
	}
	return resp, err
}

// Where GitHub lists no wait, the run itself says whether there may be one.
func TestDeploymentByItsRun(t *testing.T) {
	w := newWaiting(t, githubtest.Options{Switches: githubtest.Switches{PendingOmitsCustomRules: true}})
	says := &runSays{RoundTripper: quick(t, w.Server).Transport, run: w.job.RunID}
	w.forge = connectWith(t, w.Server, &http.Client{Transport: says})
	for _, row := range []struct {
		name   string
		status int
		body   string
		later  bool // it is tried again
	}{
		{"gone", 404, `{"message":"Not Found"}`, false},
		{"over", 200, fmt.Sprintf(`{"id":%d,"status":"completed","repository":{"id":%d}}`, w.job.RunID, w.repo.ID), false},
		{"of another repository", 200, fmt.Sprintf(`{"id":%d,"status":"waiting","repository":{"id":1}}`, w.job.RunID), true},
		{"another run", 200, fmt.Sprintf(`{"id":1,"status":"waiting","repository":{"id":%d}}`, w.repo.ID), true},
		{"unreadable", 500, "", true},
	} {
		says.status, says.body = row.status, row.body
		_, err := w.say("", gate.LeaveGiven, "fine")
		if row.later && gate.KindOf(err) != gate.Unavailable || !row.later && err != nil {
			t.Errorf("%s: got %v, want it tried again: %t", row.name, err, row.later)
		}
		w.holds(row.name, "waiting")
	}
}

func TestDeploymentOfARenamedRepository(t *testing.T) {
	w := newWaiting(t, githubtest.Options{})
	known := w.said("", "", "waits")
	w.RenameRepository(w.repo, "gadget")
	w.said(known, gate.LeaveGiven, "fine")
	w.holds("renamed", "approved", "waits")
}

func TestDeploymentsRefused(t *testing.T) {
	w := newWaiting(t, githubtest.Options{})
	sound := w.ask
	for name, ask := range map[string]gate.Deployment{
		"no run":             {Repository: sound.Repository, Environment: "release"},
		"no environment":     {Repository: sound.Repository, RunID: sound.RunID},
		"another repository": {Repository: gate.RepositoryID{Forge: sound.Repository.Forge, ID: 1}, RunID: sound.RunID, Environment: "release"},
	} {
		w.ask = ask
		if _, err := w.say("", gate.LeaveGiven, ""); err == nil {
			t.Errorf("%s: expected an error", name)
		}
	}
	w.ask = sound
	if _, err := w.say("", "pending", "x"); err == nil {
		t.Error("an odd leave: expected an error")
	}
	w.holds("refused", "waiting")
}
