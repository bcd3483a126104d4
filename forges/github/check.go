package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/countersign/countersign/gate"
)

// checkJSON is REST API's schema check-run, in part.
type checkJSON struct {
	ID         int64  `json:"id"`
	HeadSHA    string `json:"head_sha"`
	ExternalID string `json:"external_id"`
}

// postCheck makes or changes the check run of p's key. It stays in progress while p is
// pending: no button on it could be read again from GitHub.
func (r *repository) postCheck(ctx context.Context, p gate.Post) (string, error) {
	if !isSHA(p.Commit) {
		return "", fmt.Errorf("commit %q: expected a full SHA", p.Commit)
	}
	body := map[string]any{
		"name": p.Context, "external_id": p.Key, "status": "in_progress",
		"output": map[string]string{"title": clip(oneLine(p.Title), 255), "summary": clip(p.Body, maxText)},
	}
	if p.URL != "" {
		body["details_url"] = p.URL
	}
	if p.State != gate.PostPending {
		body["status"], body["conclusion"] = "completed", string(p.State)
	}
	known := p.Known
	empty := r.forge.memory.isEmpty(place{repository: r.facts.ID.ID, commit: p.Commit}, r.forge.cfg.Now())
	if known == "" && !empty {
		var err error
		if known, err = r.findCheck(ctx, p); err != nil {
			return "", err
		}
	}
	if known != "" {
		id, err := r.make(ctx, http.MethodPatch, body, r.at("check-runs", known)...)
		if gone, doubt := r.gone(err); !gone {
			return id, errors.Join(err, doubt)
		}
	}
	body["head_sha"] = p.Commit
	return r.make(ctx, http.MethodPost, body, r.at("check-runs")...)
}

// findCheck finds our own check run of the key, "" where there is none.
func (r *repository) findCheck(ctx context.Context, p gate.Post) (string, error) {
	q := url.Values{"check_name": {p.Context}, "app_id": {strconv.FormatInt(r.forge.cfg.AppID, 10)}, "filter": {"all"}}
	found := ""
	err := pages(ctx, r.caller, q, func(page struct {
		CheckRuns []checkJSON `json:"check_runs"`
	}) (bool, error) {
		for _, c := range page.CheckRuns {
			if c.ExternalID == p.Key && c.HeadSHA == p.Commit {
				found = strconv.FormatInt(c.ID, 10)
				return false, nil
			}
		}
		return true, nil
	}, r.at("commits", p.Commit, "check-runs")...)
	return found, err
}
