package gitlabtest

import (
	"fmt"
	"strings"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
)

// status is one external commit status; each hangs on a pipeline.
type status struct {
	id                int64
	sha, ref          string
	name, state       string
	targetURL         string
	description       string
	pipeline          *pipeline
	by                *account
	retried           bool // an older one of the same name
	created           time.Time
	started, finished time.Time
}

// statusRequest is what POST /statuses/:sha takes (API docs: commits, set commit status).
type statusRequest struct {
	sha, state, ref, name, targetURL, description string
	pipelineID                                    int64
}

// transitions are the events of a commit status: from which states they lead
// where (source: app/models/commit_status.rb, state_machine :status).
func transitions() map[string]struct {
	event string
	from  []string
	to    string
} {
	type row = struct {
		event string
		from  []string
		to    string
	}
	return map[string]row{
		"pending":  {"enqueue", []string{"created", "skipped", "manual", "scheduled"}, "pending"},
		"running":  {"run", []string{"pending"}, "running"},
		"success":  {"success", []string{"created", "pending", "running"}, "success"},
		"failed":   {"drop", []string{"created", "pending", "running", "manual", "scheduled"}, "failed"},
		"canceled": {"cancel", []string{"created", "pending", "running", "manual", "scheduled"}, "canceled"},
		"skipped":  {"skip", []string{"created", "pending"}, "skipped"},
	}
}

// setStatus follows app/services/ci/create_commit_status_service.rb (source): an
// open status of the same name, ref and user is moved on, else a new one is made.
func (s *Server) setStatus(p *project, by *account, r statusRequest) (*status, error) {
	c := s.resolve(p, r.sha)
	if c == nil {
		return nil, notFound("Commit")
	}
	pl, ref := s.statusPipeline(p, c.SHA, r)
	if ref == "" {
		return nil, notFound("References for commit")
	}
	if r.pipelineID != 0 && pl == nil {
		return nil, notFound("Pipeline for pipeline_id, sha and ref")
	}
	if full := p.fullRef(ref); !p.mayUpdate(by, full, p.level(by, s.opts.Now())) {
		return nil, forbidden()
	}
	if pl == nil {
		pl = s.newPipeline(p, pipeline{sha: c.SHA, ref: p.fullRef(ref), source: "external", by: by, status: "created"})
	}
	st := s.openStatus(p, pl, ref, r.name, by)
	fresh := st == nil
	if fresh {
		st = &status{
			sha: c.SHA, ref: ref, name: r.name, state: "created", pipeline: pl, by: by,
		}
	}
	if err := s.applyState(st, r.state); err != nil {
		return nil, err
	}
	st.targetURL, st.description = r.targetURL, r.description
	if fresh {
		s.addStatus(p, st)
	}
	s.refreshPipeline(p, pl, st.state)
	return st, nil
}

// statusPipeline finds the pipeline that a status belongs to, and its ref.
func (s *Server) statusPipeline(p *project, sha string, r statusRequest) (*pipeline, string) {
	ref := r.ref
	var found *pipeline
	for _, pl := range p.pipelines {
		if pl.sha == sha && (r.ref == "" || shortRef(pl.ref) == r.ref) && (r.pipelineID == 0 || pl.id == r.pipelineID) {
			found = pl // the newest wins
		}
	}
	if ref == "" && found != nil {
		ref = shortRef(found.ref)
	}
	if ref == "" {
		for _, branch := range p.refsOfType("branch") {
			if s.graph.IsAncestor(sha, p.refs[branch]) {
				return found, shortRef(branch)
			}
		}
	}
	return found, ref
}

// fullRef names a short ref: a tag where there is one of that name.
func (p *project) fullRef(short string) string {
	if refType(short) != "" {
		return short
	}
	if _, ok := p.refs["refs/tags/"+short]; ok {
		return "refs/tags/" + short
	}
	return "refs/heads/" + short
}

// refreshPipeline gives a pipeline without jobs its statuses' state. That rings: the
// gate hears a Pipeline Hook of its own status.
func (s *Server) refreshPipeline(p *project, pl *pipeline, state string) {
	if len(pl.jobs) == 0 && pl.status != state {
		pl.status, pl.updated = state, s.tick()
		s.sendPipeline(p, pl)
	}
}

func (s *Server) openStatus(p *project, pl *pipeline, ref, name string, by *account) *status {
	for _, st := range p.statuses {
		open := st.state == "pending" || st.state == "running" || st.state == "created"
		if open && st.pipeline == pl && st.ref == ref && st.name == name && st.by == by {
			return st
		}
	}
	return nil
}

func (s *Server) applyState(st *status, state string) error {
	row := transitions()[state]
	from := st.state
	if state == "running" && from == "created" {
		from = "pending" // source: job.enqueue comes before job.run!
	}
	for _, ok := range row.from {
		if ok == from {
			st.state = row.to
			s.stamp(st)
			return nil
		}
	}
	return badRequest(fmt.Sprintf("Cannot transition status via :%s from :%s (Reason(s): Status cannot transition via %q)",
		row.event, from, strings.ReplaceAll(row.event, "_", " ")))
}

func (s *Server) stamp(st *status) {
	now := s.tick()
	switch {
	case st.created.IsZero():
		st.created = now
	}
	switch st.state {
	case "running":
		st.started = now
	case "success", "failed", "canceled", "skipped":
		st.finished = now
	}
}

func (s *Server) addStatus(p *project, st *status) {
	st.id = s.id("status")
	for _, old := range p.statuses {
		if old.pipeline == st.pipeline && old.name == st.name {
			old.retried = true // source: app/services/ci/pipelines/add_job_service.rb
		}
	}
	p.statuses = append(p.statuses, st)
}

// Statuses are the newest statuses of a commit, one per name.
func (s *Server) Statuses(r forgetest.Repository, sha string) []forgetest.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []forgetest.Status
	at := map[string]int{}
	for _, st := range s.project(r).statuses {
		if st.sha != sha {
			continue
		}
		row := forgetest.Status{
			Kind: "status", Context: st.name, State: st.state, Description: st.description, TargetURL: st.targetURL,
		}
		if i, ok := at[st.name]; ok {
			out[i] = row
			continue
		}
		at[st.name] = len(out)
		out = append(out, row)
	}
	return out
}
