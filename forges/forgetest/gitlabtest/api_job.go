package gitlabtest

import (
	"maps"
	"slices"
)

// pipelineRow is a pipeline in lists (API docs: pipelines).
func (s *Server) pipelineRow(p *project, pl *pipeline) obj {
	return obj{
		"id": pl.id, "iid": pl.iid, "project_id": p.id, "sha": pl.sha, "ref": shortRef(pl.ref), "status": pl.status,
		"source": pl.source, "created_at": stamp(pl.created), "updated_at": stamp(pl.updated), "name": nil,
		"web_url": s.webURL(p) + "/-/pipelines/" + decimal(pl.id),
	}
}

func (s *Server) pipelineDetail(p *project, pl *pipeline) obj {
	row := s.pipelineRow(p, pl)
	for name, value := range map[string]any{
		"before_sha": zeroSHA, "tag": refType(pl.ref) == "tag", "yaml_errors": nil, "user": s.basicUser(pl.by),
		"started_at": stamp(pl.created), "finished_at": nil, "committed_at": nil, "duration": nil, "queued_duration": nil,
		"coverage": nil, "archived": false, "detailed_status": obj{
			"icon": "status_" + pl.status, "text": pl.status, "label": pl.status, "group": pl.status, "tooltip": pl.status,
			"has_details": true, "details_path": "/" + p.fullPath() + "/-/pipelines/" + decimal(pl.id),
			"illustration": nil, "favicon": "/assets/ci_favicons/favicon_status_" + pl.status + ".png",
		},
	} {
		row[name] = value
	}
	return row
}

func listPipelines(c *call) (any, error) {
	var found []*pipeline
	for _, pl := range c.p.pipelines {
		switch {
		case c.param("sha") != "" && c.param("sha") != pl.sha:
		case c.param("ref") != "" && c.param("ref") != shortRef(pl.ref):
		case c.param("source") != "" && c.param("source") != pl.source:
		default:
			found = append(found, pl)
		}
	}
	slices.Reverse(found)
	return list(found, func(pl *pipeline) obj { return c.pipelineRow(c.p, pl) }), nil
}

func (c *call) pipelineInPath() (*pipeline, error) {
	id, err := c.number("pipeline")
	if err != nil {
		return nil, err
	}
	pl := c.p.pipeline(id)
	if pl == nil {
		return nil, notFound("")
	}
	return pl, nil
}

func showPipeline(c *call) (any, error) {
	pl, err := c.pipelineInPath()
	if err != nil {
		return nil, err
	}
	return c.pipelineDetail(c.p, pl), nil
}

// pipelineVariables are the variables a pipeline was started with (API docs:
// pipelines, list variables).
func pipelineVariables(c *call) (any, error) {
	pl, err := c.pipelineInPath()
	if err != nil {
		return nil, err
	}
	return list(slices.Sorted(maps.Keys(pl.variables)), func(name string) obj {
		return obj{"key": name, "value": pl.variables[name], "variable_type": "env_var", "raw": false}
	}), nil
}

// jobRow is one job (API docs: jobs; source: lib/api/entities/ci/job_basic.rb).
func (c *call) jobRow(j *job) obj {
	pl := j.pipeline
	row := obj{
		"id": j.id, "status": j.status, "stage": "release", "name": j.name, "ref": shortRef(pl.ref),
		"tag": refType(pl.ref) == "tag", "coverage": nil, "allow_failure": j.optional, "created_at": stamp(j.created),
		"started_at": stamp(j.created), "finished_at": stamp(j.finished), "erased_at": nil, "duration": nil,
		"queued_duration": nil, "user": c.fullUser(j.by), "commit": nil, "pipeline": c.pipelineRow(c.p, pl),
		"failure_reason": nil, "web_url": c.webURL(c.p) + "/-/jobs/" + decimal(j.id), "source": pl.source,
		"project": obj{"ci_job_token_scope_enabled": true}, "artifacts": []obj{}, "artifacts_expire_at": nil,
		"archived": false, "tag_list": []string{}, "runner_manager": nil, "runner": obj{
			"id": runnerID, "description": "runner", "ip_address": nil, "active": true, "paused": false,
			"is_shared": j.runner == "gitlab-hosted", "runner_type": "instance_type", "name": nil, "online": true, "status": "online",
		},
	}
	if commit := c.graph.Get(pl.sha); commit != nil {
		row["commit"] = c.commitRow(c.p, commit, false)
	}
	return row
}

// showJob looks through all pipelines of a project. An ended job stays readable.
func showJob(c *call) (any, error) {
	id, err := c.number("job")
	if err != nil {
		return nil, err
	}
	j := c.p.job(id)
	if j == nil {
		return nil, notFound("")
	}
	return c.jobRow(j), nil
}

func listJobs(c *call) (any, error) {
	var found []*job
	for _, pl := range c.p.pipelines {
		found = append(found, pl.jobs...)
	}
	slices.Reverse(found)
	return list(found, c.jobRow), nil
}

func pipelineJobs(c *call) (any, error) {
	pl, err := c.pipelineInPath()
	if err != nil {
		return nil, err
	}
	var found []*job
	for i, j := range pl.jobs {
		if c.param("include_retried") == "true" || !retried(pl.jobs[i+1:], j.name) {
			found = append(found, j)
		}
	}
	return list(found, c.jobRow), nil
}
