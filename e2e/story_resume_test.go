package e2e_test

import (
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
)

// onGitLab is the story's GitLab, for what only that has.
func (s *story) onGitLab(ts *testscript.TestScript) *gitlabtest.Server {
	w, ok := s.team.World.(*gitlabtest.Server)
	if !ok {
		ts.Fatalf("expected a story on GitLab")
	}
	return w
}

// cmdManual adds a manual job to the pipeline that asks.
func cmdManual(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1)
	s := told(ts)
	s.onGitLab(ts).AddManualJob(s.job, args[0])
}

// cmdPlayed waits until somebody played it, which has to be the gate; then it runs, and is
// where the client is called from.
func cmdPlayed(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1)
	s := told(ts)
	w := s.onGitLab(ts)
	s.until(ts, "job "+args[0]+" played", func() (bool, string) {
		jobs := w.JobsNamed(s.job, args[0])
		if len(jobs) == 0 {
			return false, "no such job"
		}
		newest := jobs[len(jobs)-1]
		if state := w.JobState(newest); state != "pending" {
			return false, state
		}
		if newest.Spec.Actor.ID != w.BotUser().ID {
			ts.Fatalf("played by %q, expected the gate's own account", newest.Spec.Actor.Login)
		}
		w.FinishJob(s.job)
		w.SetJobState(newest, "running")
		s.job = newest
		return true, ""
	})
}

// cmdClosedTags leaves the creation of v* to eve alone.
func cmdClosedTags(ts *testscript.TestScript, _ bool, _ []string) {
	s := told(ts)
	s.onGitLab(ts).ProtectTag(s.team.Repo, "v*", []gitlabtest.AccessLevel{{User: s.team.People["eve"]}})
}
