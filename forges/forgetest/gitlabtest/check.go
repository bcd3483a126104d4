package gitlabtest

import (
	"fmt"

	"github.com/countersign/countersign/forges/forgetest"
)

// ReportCheck runs a job of the name on a commit, in a pipeline of its own.
func (s *Server) ReportCheck(r forgetest.Repository, sha, name string, outcome forgetest.CheckOutcome) {
	state := map[forgetest.CheckOutcome]string{
		forgetest.CheckRunning: "running", forgetest.CheckPassed: "success", forgetest.CheckFailed: "failed", forgetest.CheckSkipped: "skipped",
	}[outcome]
	s.AddCheck(r, sha, Check{Name: name, State: state, Anew: true})
}

// Check is a CI job on a commit.
type Check struct {
	Name, State string // state is GitLab's: "success", "manual", "canceled", …
	Optional    bool   // allow_failure
	Anew        bool   // in a pipeline of its own, not the commit's newest
}

// AddCheck puts a CI job on a commit.
func (s *Server) AddCheck(r forgetest.Repository, sha string, c Check) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.project(r)
	var pl *pipeline
	for _, old := range p.pipelines {
		if old.sha == sha && !c.Anew {
			pl = old
		}
	}
	if pl == nil {
		pl = s.newPipeline(p, pipeline{sha: sha, ref: "refs/heads/" + p.defaultBranch, source: "push", by: s.bot, status: c.State})
	}
	pl.jobs = append(pl.jobs, &job{
		id: s.id("job"), pipeline: pl, name: c.Name, status: c.State, by: pl.by, runner: "gitlab-hosted", created: s.tick(), optional: c.Optional,
	})
}

// AddCheckStatus sets an external commit status by p.
func (s *Server) AddCheckStatus(r forgetest.Repository, p forgetest.Person, sha, name, state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.setStatus(s.project(r), s.account(p), statusRequest{sha: sha, state: state, name: name}); err != nil {
		panic(fmt.Sprintf("set status %q of %s: %v", name, sha, err))
	}
}

// jobStatuses are a commit's CI jobs as commit statuses show them (source:
// lib/api/commit_statuses.rb, ::CommitStatus; a job is one).
func (c *call) jobStatuses(sha string) []obj {
	var out []obj
	for _, pl := range c.p.pipelines {
		if pl.sha != sha {
			continue
		}
		for i, j := range pl.jobs {
			if c.param("all") != "true" && retried(pl.jobs[i+1:], j.name) {
				continue
			}
			out = append(out, obj{
				"id": j.id, "sha": sha, "ref": shortRef(pl.ref), "status": j.status, "name": j.name, "target_url": nil,
				"description": nil, "created_at": stamp(j.created), "started_at": stamp(j.created), "finished_at": stamp(j.finished),
				"allow_failure": j.optional, "coverage": nil, "pipeline_id": pl.id, "author": c.basicUser(j.by),
			})
		}
	}
	return out
}

func retried(later []*job, name string) bool {
	for _, j := range later {
		if j.name == name {
			return true
		}
	}
	return false
}
