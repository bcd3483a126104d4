package gitlabtest

import (
	"slices"

	"github.com/countersign/countersign/forges/forgetest"
)

// AddManualJob puts a job with `when: manual` into the pipeline of j.
func (s *Server) AddManualJob(j forgetest.Job, name string) forgetest.Job {
	return s.addJob(j, name, "manual")
}

// AddJobInState puts a job into the pipeline of j, in one of GitLab's states.
func (s *Server) AddJobInState(j forgetest.Job, name, state string) forgetest.Job {
	return s.addJob(j, name, state)
}

func (s *Server) addJob(j forgetest.Job, name, state string) forgetest.Job {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, pl := s.project(j.Repository), s.job(j).pipeline
	made := &job{
		id: s.id("job"), pipeline: pl, name: name, status: state, by: pl.by, runner: "gitlab-hosted",
		created: s.tick(), protectedAtTime: pl.protected, manual: true,
	}
	pl.jobs = append(pl.jobs, made)
	s.sendJob(p, made)
	return s.told(p, made)
}

func (s *Server) told(p *project, j *job) forgetest.Job {
	spec := forgetest.JobSpec{
		Ref: j.pipeline.ref, SHA: j.pipeline.sha, Workflow: j.name, Event: j.pipeline.source, Actor: j.by.person(), Runner: j.runner,
	}
	return forgetest.Job{Repository: p.repository(), Spec: spec, RunID: j.pipeline.id, ID: j.id}
}

// JobsNamed are the jobs of a name in the pipeline of j, oldest first, with whoever set
// each off as its actor.
func (s *Server) JobsNamed(j forgetest.Job, name string) []forgetest.Job {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []forgetest.Job
	for _, one := range s.job(j).pipeline.jobs {
		if one.name == name {
			out = append(out, s.told(s.project(j.Repository), one))
		}
	}
	return out
}

// JobState is a job's state.
func (s *Server) JobState(j forgetest.Job) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.job(j).status
}

// SetJobState moves a job on: "running" as when a runner takes it.
func (s *Server) SetJobState(j forgetest.Job, state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.job(j)
	found.status = state
	s.sendJob(s.project(j.Repository), found)
}

// playable is what can be played: what waits for it, and once it ended, to run again
// (source: app/models/ci/build.rb, playable? and retryable?).
func (j *job) playable() bool {
	return j.manual && slices.Contains([]string{"manual", "scheduled", "success", "failed", "canceled"}, j.status)
}

// playJob answers POST /jobs/:id/play (source: lib/api/ci/jobs.rb; app/policies/ci/build_policy.rb:
// whoever may not update the branch or create the tag may not play).
func playJob(c *call) (any, error) {
	id, err := c.number("job")
	if err != nil {
		return nil, err
	}
	j := c.p.job(id)
	if j == nil {
		return nil, notFound("")
	}
	if !c.p.mayUpdate(c.me, j.pipeline.ref, c.p.level(c.me, c.opts.Now())) {
		return nil, forbidden()
	}
	if !j.playable() {
		return nil, badRequest("400 Bad request - Unplayable Job")
	}
	if j.status != "manual" && j.status != "scheduled" { // a new job of the name (source: app/services/ci/play_build_service.rb)
		again := *j
		again.id, again.created = c.id("job"), c.tick()
		j = &again
		j.pipeline.jobs = append(j.pipeline.jobs, j)
	}
	j.status, j.by = "pending", c.me
	c.sendJob(c.p, j)
	return c.jobRow(j), nil
}
