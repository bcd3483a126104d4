package gitlab

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/countersign/countersign/gate"
)

// status is one commit status (API docs: commits, list statuses).
type status struct {
	ID          int64   `json:"id"`
	Name        string  `json:"name"`
	Status      string  `json:"status"`
	Description string  `json:"description"`
	Ref         string  `json:"ref"`
	PipelineID  int64   `json:"pipeline_id"`
	Author      account `json:"author"`
}

func (s status) open() bool { return s.Status == "pending" || s.Status == "running" }

const (
	maxDescription = 140
	maxTargetURL   = 255 // source: app/models/generic_commit_status.rb
)

func stateOf(s gate.PostState) (string, bool) {
	switch s {
	case gate.PostPending:
		return "pending", true
	case gate.PostSuccess:
		return "success", true
	case gate.PostFailure:
		return "failed", true
	}
	return "", false
}

// postStatus sets a commit status. GitLab refuses to set a state again, also to
// change its description only, so that a pending status keeps its first one.
func (s *session) postStatus(ctx context.Context, p gate.Post) (string, error) {
	state, ok := stateOf(p.State)
	if !ok || !isSHA(p.Commit) || p.Context == "" {
		return "", fmt.Errorf("status %q %q of %q: %w", p.Context, p.State, p.Commit, errUnexpected)
	}
	now, err := s.ownStatus(ctx, p, state)
	if err != nil {
		return "", err
	}
	if now.says(state, p) {
		return strconv.FormatInt(now.ID, 10), nil
	}
	with := url.Values{"state": {state}, "name": {p.Context}, "description": {shorten(p.Title)}}
	if len(p.URL) <= maxTargetURL {
		with.Set("target_url", p.URL)
	}
	if now.open() && now.PipelineID != 0 {
		// Without these GitLab takes the newest pipeline of the commit, and an older
		// one would wait for its status forever.
		with.Set("ref", now.Ref)
		with.Set("pipeline_id", strconv.FormatInt(now.PipelineID, 10))
	}
	var made status
	_, err = s.do(ctx, http.MethodPost, s.path("/statuses/%s", p.Commit), with, &made)
	if statusOf(err) == http.StatusBadRequest {
		// Somebody may have set it meanwhile: then all is as it should be.
		if now, again := s.readStatus(ctx, p); again == nil && now.says(state, p) {
			return strconv.FormatInt(now.ID, 10), nil
		}
	}
	if err != nil {
		return "", fmt.Errorf("set status %q of %s to %s: %w", p.Context, p.Commit, state, err)
	}
	s.memory.statuses.put(posted{s.repo.ID, p.Commit, p.Context}, made, maxRemembered)
	return strconv.FormatInt(made.ID, 10), nil
}

// posted is what the gate itself set under a name on a commit.
type posted struct {
	repo         int64
	sha, context string
}

// ownStatus is the status to move on. One that was set by this gate and left open is
// still there: only its author moves it on (source:
// app/services/ci/create_commit_status_service.rb). Should it have ended all the same,
// GitLab makes another one of the same name in the same pipeline.
func (s *session) ownStatus(ctx context.Context, p gate.Post, next string) (status, error) {
	made, ok := s.memory.statuses.get(posted{s.repo.ID, p.Commit, p.Context})
	if ok && p.Known == strconv.FormatInt(made.ID, 10) && made.ID > 0 && made.open() && made.Status != next && made.PipelineID != 0 && made.Name == p.Context {
		return made, nil
	}
	if p.Known == "" && next == "pending" && !ok {
		// The first of a request: mostly there is none to move on. Where one is open, GitLab
		// refuses to set it again, and then it is looked for.
		return status{}, nil
	}
	return s.readStatus(ctx, p)
}

// says reports whether nothing is left to set.
func (s status) says(state string, p gate.Post) bool {
	return s.ID != 0 && s.Status == state && (s.open() || s.Description == shorten(p.Title))
}

// readStatus is the newest status of the post's name that the gate itself set, an
// open one before others; the zero status where there is none.
func (s *session) readStatus(ctx context.Context, p gate.Post) (status, error) {
	self, err := s.readSelf(ctx)
	if err != nil {
		return status{}, err
	}
	rows, err := fetchAll[status](ctx, s, s.path("/repository/commits/%s/statuses", p.Commit), url.Values{"name": {p.Context}})
	if err != nil {
		return status{}, fmt.Errorf("list the statuses of %s: %w", p.Commit, err)
	}
	var best status
	for _, row := range rows {
		if row.Name != p.Context || row.Author.ID != self.ID {
			continue
		}
		if (row.open() && !best.open()) || (row.open() == best.open() && row.ID > best.ID) {
			best = row
		}
	}
	return best, nil
}

func shorten(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	runes := []rune(line)
	if len(runes) <= maxDescription {
		return line
	}
	return string(runes[:maxDescription-1]) + "…"
}
