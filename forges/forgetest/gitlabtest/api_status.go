package gitlabtest

import (
	"net/url"
	"strconv"
	"unicode/utf8"
)

// statusRow is one status (source: lib/api/entities/commit_status.rb).
func (s *Server) statusRow(st *status) obj {
	return obj{
		"id": st.id, "sha": st.sha, "ref": st.ref, "status": st.state, "name": st.name, "target_url": orNil(st.targetURL),
		"description": orNil(st.description), "created_at": stamp(st.created), "started_at": stamp(st.started),
		"finished_at": stamp(st.finished), "allow_failure": false, "coverage": nil, "pipeline_id": st.pipeline.id,
		"author": s.basicUser(st.by),
	}
}

// createStatus sets a status (API docs: commits, set commit status).
func createStatus(c *call) (any, error) {
	state, err := c.required("state")
	if err != nil {
		return nil, err
	}
	if _, ok := transitions()[state]; !ok {
		return nil, badParameter("state does not have a valid value")
	}
	r := statusRequest{
		sha: c.r.PathValue("sha"), state: state, ref: c.param("ref"), name: c.param("name"),
		targetURL: c.param("target_url"), description: c.param("description"),
	}
	if r.name == "" {
		r.name = c.param("context")
	}
	if r.name == "" {
		r.name = "default"
	}
	if text := c.param("pipeline_id"); text != "" {
		if r.pipelineID, err = strconv.ParseInt(text, 10, 64); err != nil {
			return nil, badParameter("pipeline_id is invalid")
		}
	}
	if err := r.validate(); err != nil {
		return nil, err
	}
	st, err := c.setStatus(c.p, c.me, r)
	if err != nil {
		return nil, err
	}
	return created{c.statusRow(st)}, nil
}

// validate holds the columns' limits (source: app/models/generic_commit_status.rb
// and commit_status.rb validations).
func (r statusRequest) validate() error {
	problems := obj{}
	if utf8.RuneCountInString(r.name) > 255 {
		problems["name"] = []string{"is too long (maximum is 255 characters)"}
	}
	if utf8.RuneCountInString(r.description) > 255 {
		problems["description"] = []string{"is too long (maximum is 255 characters)"}
	}
	if r.targetURL != "" {
		u, err := url.Parse(r.targetURL)
		switch {
		case utf8.RuneCountInString(r.targetURL) > 255:
			problems["target_url"] = []string{"is too long (maximum is 255 characters)"}
		case err != nil || (u.Scheme != "http" && u.Scheme != "https"):
			problems["target_url"] = []string{"is blocked: Only allowed schemes are http, https"}
		}
	}
	if len(problems) == 0 {
		return nil
	}
	return badRequest(problems)
}

// listStatuses lists the newest status per name, or with all=true every one (API
// docs: commits, list commit statuses).
func listStatuses(c *call) (any, error) {
	commit, err := c.commitInPath()
	if err != nil {
		return nil, err
	}
	found := []obj{}
	for _, row := range c.jobStatuses(commit.SHA) {
		if (c.param("name") == "" || c.param("name") == row["name"]) && (c.param("ref") == "" || c.param("ref") == row["ref"]) {
			found = append(found, row)
		}
	}
	for _, st := range c.p.statuses {
		switch {
		case st.sha != commit.SHA:
		case st.retried && c.param("all") != "true":
		case c.param("ref") != "" && c.param("ref") != st.ref:
		case c.param("name") != "" && c.param("name") != st.name:
		case c.param("pipeline_id") != "" && c.param("pipeline_id") != decimal(st.pipeline.id):
		default:
			found = append(found, c.statusRow(st))
		}
	}
	return list(found, func(o obj) obj { return o }), nil
}
