package gitlab_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
	"github.com/countersign/countersign/gate"
)

// manual is a stage with a running pipeline on a protected tag that has a manual job.
type manual struct {
	*stage

	change forgetest.Change
	asks   forgetest.Job
	job    forgetest.Job
}

func newManual(t *testing.T, state string) *manual {
	t.Helper()
	s := newStage(t, gitlabtest.Options{})
	m := &manual{stage: s, change: s.change(s.ana, "feature")}
	s.Protect(s.repo, forgetest.Protection{Ref: "refs/tags/v*"})
	s.tag(s.base)
	m.asks = s.StartJob(s.repo, forgetest.JobSpec{Ref: "refs/tags/v1.0.0", Actor: s.ana})
	m.job = s.AddJobInState(m.asks, "collect", state)
	return m
}

func (m *manual) post() gate.Post {
	return gate.Post{
		ID: "p1", Request: "r1", Repository: m.id(), Target: gate.PostDeployment, Key: "gl:21/1/collect", Leave: gate.LeaveGiven,
		Thread: gate.Thread{Number: m.change.Number}, Body: "▶️ v1.0.0 is signed: play collect\n/merge",
		Deployment: gate.Deployment{Repository: m.id(), RunID: m.asks.RunID, Environment: "collect"},
	}
}

// played are the states of the jobs named collect, the oldest first.
func (m *manual) played() string {
	var out []string
	for _, j := range m.JobsNamed(m.asks, "collect") {
		out = append(out, m.JobState(j))
	}
	return strings.Join(out, " ")
}

func (m *manual) notes() []string {
	var out []string
	for _, c := range m.Comments(m.change) {
		out = append(out, c.Body)
	}
	return out
}

func TestPlay(t *testing.T) {
	for state, row := range map[string]struct {
		then string // states of the jobs of the name
		kind gate.Kind
		note bool
	}{
		"manual":               {"pending", -1, false},
		"scheduled":            {"pending", -1, false},
		"failed":               {"failed pending", -1, false}, // played too early
		"pending":              {"pending", -1, false},
		"running":              {"running", -1, false},
		"success":              {"success", -1, false},
		"canceled":             {"canceled", -1, false}, // a person's word
		"skipped":              {"skipped", -1, false},
		"waiting_for_resource": {"waiting_for_resource", -1, false},
		"created":              {"created", gate.Unavailable, false}, // the job that asks is still running
	} {
		t.Run(state, func(t *testing.T) {
			m := newManual(t, state)
			for range 2 { // posting twice leaves it as posting once does
				known, err := m.forge.Post(t.Context(), m.post())
				if row.kind >= 0 {
					if gate.KindOf(err) != row.kind {
						t.Errorf("expected kind %d, got %v", row.kind, err)
					}
				} else if err != nil || known == "" {
					t.Errorf("got %q, %v", known, err)
				}
			}
			if got := m.played(); got != row.then {
				t.Errorf("jobs: %s", got)
			}
			if n := len(m.notes()); n != 0 {
				t.Errorf("notes: %q", m.notes())
			}
		})
	}
}

// the gate plays as itself
func TestPlayedByTheGate(t *testing.T) {
	m := newManual(t, "manual")
	if _, err := m.forge.Post(t.Context(), m.post()); err != nil {
		t.Fatal(err)
	}
	jobs := m.JobsNamed(m.asks, "collect")
	if len(jobs) != 1 || jobs[0].Spec.Actor.ID != m.BotUser().ID {
		t.Errorf("got %+v", jobs)
	}
}

// where the gate may not play the job, a person is asked to, once
func TestPlayByHand(t *testing.T) {
	for name, spoil := range map[string]func(*manual){
		"a tag that the gate may not create": func(m *manual) { m.ProtectTag(m.repo, "v*", []gitlabtest.AccessLevel{{User: m.ana}}) },
		"an archived pipeline":               func(m *manual) { m.Fail(forgetest.Fault{Path: "/play", Status: http.StatusBadRequest}) },
		"a pipeline that is blocked": func(m *manual) {
			m.EndJob(m.asks, "success")
			m.SetJobState(m.job, "created")
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := newManual(t, "manual")
			spoil(m)
			for range 2 {
				if _, err := m.forge.Post(t.Context(), m.post()); err != nil {
					t.Fatal(err)
				}
			}
			got := m.notes()
			if len(got) != 1 || !strings.Contains(got[0], "play collect") || strings.Contains(got[0], "\n/merge") {
				t.Errorf("notes: %q", got)
			}
			p := m.post()
			p.Thread = gate.Thread{}
			if _, err := m.forge.Post(t.Context(), p); gate.KindOf(err) != gate.Unavailable {
				t.Errorf("without a thread: %v", err)
			}
		})
	}
}

// what is not the very job of the very pipeline is never played
func TestPlayNothingElse(t *testing.T) {
	for name, row := range map[string]struct {
		edit  func(*manual, *gate.Post)
		fails bool
	}{
		"another name": {func(_ *manual, p *gate.Post) { p.Deployment.Environment = "Collect" }, false},
		"another pipeline": {func(m *manual, p *gate.Post) {
			p.Deployment.RunID = m.StartJob(m.repo, forgetest.JobSpec{Ref: "refs/heads/main", Actor: m.ana}).RunID
		}, false},
		"a pipeline that is gone": {func(_ *manual, p *gate.Post) { p.Deployment.RunID = 424242 }, false},
		"progress":                {func(_ *manual, p *gate.Post) { p.Leave = "" }, false},
		"a refusal":               {func(_ *manual, p *gate.Post) { p.Leave = gate.LeaveRefused }, false},
		"no pipeline":             {func(_ *manual, p *gate.Post) { p.Deployment.RunID = 0 }, true},
		"no name":                 {func(_ *manual, p *gate.Post) { p.Deployment.Environment = "" }, true},
		"another repository's":    {func(_ *manual, p *gate.Post) { p.Deployment.Repository.ID++ }, true},
		"GitLab down":             {func(m *manual, _ *gate.Post) { m.Fail(forgetest.Fault{Path: "/jobs", Status: 502}) }, true},
		"a list of other pipelines": {func(m *manual, _ *gate.Post) {
			m.Fail(forgetest.Fault{Path: "/jobs", Method: "GET", Status: 200, Body: `[{"id":1,"name":"collect","status":"manual","pipeline":{"id":1,"status":"manual"}}]`})
		}, true},
		"a project that went out of sight": {func(m *manual, _ *gate.Post) { m.SetRole(m.repo, m.BotUser(), forgetest.RoleNone) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			m := newManual(t, "manual")
			p := m.post()
			row.edit(m, &p)
			if _, err := m.forge.Post(t.Context(), p); (err != nil) != row.fails {
				t.Errorf("got %v", err)
			}
			if got := m.played(); got != "manual" {
				t.Errorf("jobs: %s", got)
			}
		})
	}
}
