package gitlab

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/countersign/countersign/gate"
)

// pipelineJob is one job of a pipeline (API docs: jobs, list pipeline jobs).
type pipelineJob struct {
	ID       int64  `json:"id"`
	Name     string `json:"name"`
	Status   string `json:"status"`
	Pipeline struct {
		ID     int64  `json:"id"`
		Status string `json:"status"`
	} `json:"pipeline"`
}

// stage is what a manual job's state means for playing it.
type stage int

const (
	stageOver  stage = iota // it was played, or nothing will come of it any more
	stageReady              // it can be played
	stageEarly              // an earlier stage of the pipeline is under way
	stageStuck              // it waits for something that only people do
)

// stage follows source: app/models/ci/build.rb, playable?, and
// app/models/concerns/ci/has_status.rb. One that failed was played too early, when there
// was nothing to collect yet: it is played again. One that somebody cancelled stays so.
func (j pipelineJob) stage() stage {
	switch j.Status {
	case "manual", "scheduled", "failed":
		return stageReady
	case "created":
		switch j.Pipeline.Status {
		case "created", "waiting_for_resource", "preparing", "pending", "running":
			return stageEarly
		}
		return stageStuck
	}
	return stageOver // pending, running, success, canceled, skipped and what leads there
}

// postDeployment plays the manual job that collects a signed release. One that was played
// before is not played again, by whomever. Where GitLab does not let the gate play it, the
// release's thread says so, once. A refusal or progress has nothing to play: the job waits.
func (s *session) postDeployment(ctx context.Context, p gate.Post) (string, error) {
	if p.Deployment.RunID <= 0 || p.Deployment.Environment == "" || p.Deployment.Repository != p.Repository {
		return "", fmt.Errorf("job %q of pipeline %d of %s: %w", p.Deployment.Environment, p.Deployment.RunID, p.Deployment.Repository, errUnexpected)
	}
	if p.Leave != gate.LeaveGiven {
		return p.Known, nil
	}
	j, found, err := s.manualJob(ctx, p.Deployment)
	if err != nil {
		return "", err
	}
	if !found {
		return p.Known, nil
	}
	switch j.stage() {
	case stageOver:
		return strconv.FormatInt(j.ID, 10), nil
	case stageEarly:
		return "", fmt.Errorf("job %d waits for earlier ones: %w", j.ID, errPartial)
	case stageStuck:
		return s.playByHand(ctx, p, j)
	case stageReady:
	}
	return s.play(ctx, p, j)
}

// manualJob is the newest job of the name in the pipeline: one that runs again is a new one.
func (s *session) manualJob(ctx context.Context, d gate.Deployment) (pipelineJob, bool, error) {
	rows, err := fetchAll[pipelineJob](ctx, s, s.path("/pipelines/%d/jobs", d.RunID), nil)
	if isNotFound(err) { // a pipeline that is gone has nothing to play
		return pipelineJob{}, false, s.stillSeen(ctx)
	}
	if err != nil {
		return pipelineJob{}, false, fmt.Errorf("list the jobs of pipeline %d: %w", d.RunID, err)
	}
	var newest pipelineJob
	for _, j := range rows {
		if j.ID <= 0 || j.Pipeline.ID != d.RunID || j.Status == "" {
			return pipelineJob{}, false, fmt.Errorf("job %d of pipeline %d: %w", j.ID, j.Pipeline.ID, errUnexpected)
		}
		if j.Name == d.Environment && j.ID > newest.ID {
			newest = j
		}
	}
	return newest, newest.ID != 0, nil
}

// play presses the job's button (API docs: jobs, run a job). It gives the job no variables.
func (s *session) play(ctx context.Context, p gate.Post, j pipelineJob) (string, error) {
	var now pipelineJob
	_, err := s.do(ctx, http.MethodPost, s.path("/jobs/%d/play", j.ID), nil, &now)
	switch status := statusOf(err); {
	case err == nil && now.ID > 0:
		return strconv.FormatInt(now.ID, 10), nil
	case err == nil:
		return "", fmt.Errorf("play job %d: %w", j.ID, errUnexpected)
	case status == http.StatusBadRequest: // somebody may have been faster
		again, found, readErr := s.manualJob(ctx, p.Deployment)
		if readErr != nil {
			return "", readErr
		}
		if !found || again.stage() == stageOver {
			return strconv.FormatInt(j.ID, 10), nil
		}
		return s.playByHand(ctx, p, j)
	case status == http.StatusForbidden:
		return s.playByHand(ctx, p, j)
	}
	return "", fmt.Errorf("play job %d: %w", j.ID, err)
}

// playByHand tells the release's thread that a person has to play the job.
func (s *session) playByHand(ctx context.Context, p gate.Post, j pipelineJob) (string, error) {
	if p.Thread.Number <= 0 {
		return "", fmt.Errorf("job %d cannot be played, and no thread is known to say so: %w", j.ID, errPartial)
	}
	mark := marker("play", p.Key)
	found, err := s.findNote(ctx, p.Thread, mark)
	if err != nil || found.ID != 0 {
		return strconv.FormatInt(j.ID, 10), err
	}
	_, err = s.makeNote(ctx, p.Thread, url.Values{"body": {body(p, mark)}})
	return strconv.FormatInt(j.ID, 10), err
}
