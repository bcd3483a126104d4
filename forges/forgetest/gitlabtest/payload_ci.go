package gitlabtest

import "time"

func (s *Server) hookRunner(j *job) obj {
	return obj{
		"id": runnerID, "description": "runner", "runner_type": "instance_type", "active": true,
		"is_shared": j.runner == "gitlab-hosted", "tags": []string{},
	}
}

// sendJob sends a Job Hook; its object_kind is "build" (library data:
// testdata/webhooks/job.json).
func (s *Server) sendJob(p *project, j *job) {
	pl := j.pipeline
	commit := s.graph.Get(pl.sha)
	payload := obj{
		"object_kind": "build", "ref": shortRef(pl.ref), "tag": refType(pl.ref) == "tag", "before_sha": zeroSHA, "sha": pl.sha,
		"retries_count": 0, "build_id": j.id, "build_name": j.name, "build_stage": "release", "build_status": j.status,
		"build_created_at": hookTime(j.created), "build_started_at": hookTime(j.created), "build_finished_at": hookTime(j.finished),
		"build_duration": 1.5, "build_queued_duration": 0.2, "build_allow_failure": false, "build_failure_reason": "unknown_failure",
		"pipeline_id": pl.id, "runner": s.hookRunner(j), "project_id": p.id, "project_name": p.group.path + " / " + p.path,
		"user": s.hookUser(j.by), "project": s.hookProject(p), "repository": s.hookRepository(p), "environment": nil,
	}
	if commit != nil {
		payload["commit"] = obj{
			"id": pl.id, "name": nil, "sha": pl.sha, "message": commit.Message, "author_name": commitName(commit.Author),
			"author_email": commit.Author.Email, "author_url": "mailto:" + commit.Author.Email, "status": pl.status,
			"duration": nil, "started_at": hookTime(pl.created), "finished_at": nil,
		}
	}
	if j.environment != "" {
		payload["environment"] = obj{"name": j.environment, "action": "start", "deployment_tier": "production"}
	}
	s.send(p, "Job Hook", "job_events", payload)
}

// sendPipeline sends a Pipeline Hook (library data: testdata/webhooks/pipeline.json).
func (s *Server) sendPipeline(p *project, pl *pipeline) {
	builds := []obj{}
	for _, j := range pl.jobs {
		builds = append(builds, obj{
			"id": j.id, "stage": "release", "name": j.name, "status": j.status, "created_at": hookTime(j.created),
			"started_at": hookTime(j.created), "finished_at": hookTime(j.finished), "duration": 1.5, "queued_duration": 0.2,
			"failure_reason": nil, "when": "on_success", "manual": false, "allow_failure": false, "user": s.hookUser(j.by),
			"runner": s.hookRunner(j), "artifacts_file": obj{"filename": nil, "size": nil}, "environment": nil,
		})
	}
	payload := obj{
		"object_kind": "pipeline", "merge_request": nil, "user": s.hookUser(pl.by), "project": s.hookProject(p),
		"builds": builds, "object_attributes": obj{
			"id": pl.id, "iid": pl.iid, "name": nil, "ref": shortRef(pl.ref), "tag": refType(pl.ref) == "tag", "sha": pl.sha,
			"before_sha": zeroSHA, "source": pl.source, "status": pl.status, "detailed_status": pl.status,
			"stages": []string{"release"}, "created_at": hookTime(pl.created), "finished_at": nil, "duration": nil,
			"queued_duration": nil, "variables": []obj{}, "url": s.webURL(p) + "/-/pipelines/" + decimal(pl.id),
		},
	}
	if commit := s.graph.Get(pl.sha); commit != nil {
		payload["commit"] = s.hookCommit(p, commit)
	}
	s.send(p, "Pipeline Hook", "pipeline_events", payload)
}

// sendMember sends a Member Hook. Only group hooks have it, and those are Premium
// (docs: webhooks, group webhooks; library data: testdata/webhooks/member.json).
func (s *Server) sendMember(p *project, a *account, old *member, level int) {
	if !s.opts.Premium {
		return
	}
	name := "user_update_for_group"
	switch {
	case level == levelNone:
		name = "user_remove_from_group"
	case old == nil:
		name = "user_add_to_group"
	}
	names := map[int]string{
		levelGuest: "Guest", levelReporter: "Reporter", levelDeveloper: "Developer", levelMaintainer: "Maintainer", levelOwner: "Owner",
	}
	now := s.tick().Format(time.RFC3339)
	s.send(p, "Member Hook", "member_events", obj{
		"created_at": now, "updated_at": now, "group_name": last(p.group.path), "group_path": last(p.group.path),
		"group_id": p.group.id, "user_username": a.login, "user_name": a.name, "user_email": s.hookEmail(a), "user_id": a.id,
		"group_access": names[level], "group_plan": nil, "expires_at": nil, "event_name": name,
	})
}
