package gitlab_test

import (
	"testing"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
	"github.com/countersign/countersign/gate"
)

func (s *stage) checks(names ...string) gate.Fact[[]gate.CommitCheck] {
	s.t.Helper()
	needs := s.needs()
	needs.Checks, needs.Candidates = names, false
	return s.forge.Evidence(s.t.Context(), s.request(mainRef, s.base), needs).Checks
}

func TestChecks(t *testing.T) {
	job := func(c gitlabtest.Check) func(s *stage) { return func(s *stage) { s.AddCheck(s.repo, s.base, c) } }
	status := func(name, state string) func(s *stage) {
		return func(s *stage) { s.AddCheckStatus(s.repo, s.ana, s.base, name, state) }
	}
	type plays []func(*stage)
	for name, row := range map[string]struct {
		play         plays
		found        bool
		done, passed bool
	}{
		"none":                         {plays{}, false, false, false},
		"another":                      {plays{job(gitlabtest.Check{Name: "tests", State: "success"})}, false, false, false},
		"a job that passed":            {plays{job(gitlabtest.Check{Name: "test", State: "success"})}, true, true, true},
		"a job that failed":            {plays{job(gitlabtest.Check{Name: "test", State: "failed"})}, true, true, false},
		"one that may fail and did":    {plays{job(gitlabtest.Check{Name: "test", State: "failed", Optional: true})}, true, true, false},
		"one that may fail and passed": {plays{job(gitlabtest.Check{Name: "test", State: "success", Optional: true})}, true, true, true},
		"skipped":                      {plays{job(gitlabtest.Check{Name: "test", State: "skipped"})}, true, true, false},
		"canceled":                     {plays{job(gitlabtest.Check{Name: "test", State: "canceled"})}, true, true, false},
		"running":                      {plays{job(gitlabtest.Check{Name: "test", State: "running"})}, true, false, false},
		"waits to be played":           {plays{job(gitlabtest.Check{Name: "test", State: "manual"})}, true, false, false},
		"an external status":           {plays{status("test", "success")}, true, true, true},
		"retried in the same pipeline": {plays{
			job(gitlabtest.Check{Name: "test", State: "failed"}), job(gitlabtest.Check{Name: "test", State: "success"}),
		}, true, true, true},
		"failed in a newer pipeline": {plays{
			job(gitlabtest.Check{Name: "test", State: "success"}), job(gitlabtest.Check{Name: "test", State: "failed", Anew: true}),
		}, true, true, false},
		"runs again in a newer pipeline": {plays{
			job(gitlabtest.Check{Name: "test", State: "success"}), job(gitlabtest.Check{Name: "test", State: "pending", Anew: true}),
		}, true, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, gitlabtest.Options{})
			for _, play := range row.play {
				play(s)
			}
			got := must(t, "checks", s.checks("test"))
			if !row.found {
				if len(got) != 0 {
					t.Errorf("expected none, got %+v", got)
				}
				return
			}
			if len(got) != 1 || got[0].Name != "test" || got[0].Done != row.done || got[0].Passed != row.passed {
				t.Errorf("expected done=%t passed=%t, got %+v", row.done, row.passed, got)
			}
		})
	}
}

func TestChecksOfTheGateItself(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	s.AddCheckStatus(s.repo, s.BotUser(), s.base, "countersign/release", "success")
	if got := must(t, "checks", s.checks("countersign/release")); len(got) != 0 {
		t.Errorf("the gate's own status judges nothing: %+v", got)
	}
}

// attacks 70 and 74
func TestChecksThatCannotBeRead(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	s.AddCheck(s.repo, s.base, gitlabtest.Check{Name: "test", State: "quantum"})
	if f := s.checks("test"); !f.IsUnknown() {
		t.Errorf("a state that nobody knows: %+v", f)
	}
	for _, f := range []forgetest.Fault{{Status: 500}, {Status: 404}, {Status: 403}, {Status: 200, Body: "null"}, {Status: 200, Body: `[{}]`}, {}} {
		f.Path = "/statuses"
		restore := s.Fail(f)
		if got := s.checks("test"); !got.IsUnknown() || got.Why() == "" {
			t.Errorf("%d %s: %+v", f.Status, f.Body, got)
		}
		restore()
	}
	if f := s.checks(); !f.IsUnknown() {
		t.Errorf("nobody asked: %+v", f)
	}
}
