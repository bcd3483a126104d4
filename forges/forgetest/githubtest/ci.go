package githubtest

import (
	"fmt"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
)

// ReportCheck reports a check run of GitHub Actions.
func (s *Server) ReportCheck(repo forgetest.Repository, sha, name string, outcome forgetest.CheckOutcome) {
	s.ReportCheckBy(repo, actionsApp, sha, name, outcome)
}

// ReportCheckBy reports a check run of the App with the number, which may be the gate's own.
func (s *Server) ReportCheckBy(repo forgetest.Repository, app int64, sha, name string, outcome forgetest.CheckOutcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repository(repo)
	if r.net.graph.Get(sha) == nil {
		panic(fmt.Sprintf("report %q on %q of %q: expected a commit of the repository", name, sha, repo.FullName))
	}
	x := &checkRun{
		id: s.next("check"), app: app, suite: app*1000 + r.id, sha: sha, name: name, status: "completed",
		started: s.now().Add(time.Duration(len(r.checks)) * time.Second), created: s.now(), completed: s.now(),
		conclusion: map[forgetest.CheckOutcome]string{
			forgetest.CheckPassed: "success", forgetest.CheckFailed: "failure", forgetest.CheckSkipped: "skipped",
		}[outcome],
	}
	if outcome == forgetest.CheckRunning {
		x.status, x.completed = "in_progress", time.Time{}
	}
	r.checks = append(r.checks, x)
	s.emitCheck(r, "created", x)
}

// ReportStatus reports a commit status as by.
func (s *Server) ReportStatus(repo forgetest.Repository, by forgetest.Person, sha, context, state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repository(repo)
	r.statuses = append(r.statuses, &status{
		id: s.next("status"), sha: sha, context: context, state: state, creator: s.who(by).id, when: s.now(),
	})
}

// AllChecks are the names of every check run of a commit, superseded ones too.
func (s *Server) AllChecks(repo forgetest.Repository, sha string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, x := range s.repository(repo).checksOf(sha) {
		out = append(out, x.name)
	}
	return out
}
