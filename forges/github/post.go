package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/countersign/countersign/gate"
)

const (
	// maxDescription is a commit status's limit (REST API, "Create a commit status").
	maxDescription = 140
	// maxText is below the limit of 65,535 characters for comments and check summaries.
	maxText = 65000
)

// Post tells GitHub p. Doing it twice leaves GitHub as doing it once does: what a former
// post made is found again by its id or marker, and changed in place.
func (f *Forge) Post(ctx context.Context, p gate.Post) (string, error) {
	op := fmt.Sprintf("post %s %s to %s", p.Target, p.Context, p.Repository)
	var id string
	err := f.with(ctx, p.Repository, "", func(r *repository) (err error) {
		id, err = r.post(ctx, p)
		return err
	})
	if err != nil {
		return "", workError(op, p.Repository, err)
	}
	return id, nil
}

func (r *repository) post(ctx context.Context, p gate.Post) (string, error) {
	switch p.Target {
	case gate.PostStatus:
		return r.postStatus(ctx, p)
	case gate.PostCheck:
		return r.postCheck(ctx, p)
	case gate.PostComment:
		return r.postComment(ctx, p, marker("request", p.Request))
	case gate.PostReply:
		return r.postReply(ctx, p)
	case gate.PostReaction:
		return r.postReaction(ctx, p)
	case gate.PostThread:
		return r.postThread(ctx, p)
	case gate.PostDeployment:
		return r.postDeployment(ctx, p)
	case gate.PostAssets:
		return r.postAssets(ctx, p)
	case gate.PostAttestations:
		return r.postAttestations(ctx, p)
	}
	return "", &gate.Error{Kind: gate.Invalid, Code: gate.CodeInternal, Text: fmt.Sprintf("post to %q: no such target", p.Target)}
}

// statusJSON is REST API's schema status, in part.
type statusJSON struct {
	ID          int64   `json:"id"`
	State       string  `json:"state"`
	Context     string  `json:"context"`
	Description *string `json:"description"`
	TargetURL   *string `json:"target_url"`
}

// postStatus makes a status. GitHub keeps at most 1,000 per commit and context: where it
// takes no more, the newest may already say the same.
func (r *repository) postStatus(ctx context.Context, p gate.Post) (string, error) {
	description := clip(oneLine(p.Title), maxDescription)
	if !isSHA(p.Commit) {
		return "", fmt.Errorf("commit %q: expected a full SHA", p.Commit)
	}
	body := map[string]any{"state": string(p.State), "context": p.Context, "description": description}
	if p.URL != "" {
		body["target_url"] = p.URL
	}
	id, err := r.make(ctx, http.MethodPost, body, r.at("statuses", p.Commit)...)
	if statusOf(err) == http.StatusUnprocessableEntity {
		if current, listErr := r.currentStatus(ctx, p, description); listErr == nil && current != "" {
			return current, nil
		}
	}
	return id, err
}

// currentStatus is the newest status of the post's context if it says the same, else "".
func (r *repository) currentStatus(ctx context.Context, p gate.Post, description string) (string, error) {
	current := ""
	err := pages(ctx, r.caller, nil, func(page []statusJSON) (bool, error) {
		for _, s := range page { // newest first
			if s.Context != p.Context {
				continue
			}
			if s.State == string(p.State) && deref(s.Description) == description && deref(s.TargetURL) == p.URL {
				current = strconv.FormatInt(s.ID, 10)
			}
			return false, nil
		}
		return true, nil
	}, r.at("commits", p.Commit, "statuses")...)
	return current, err
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// make sends a body and returns the id of what came of it.
func (r *repository) make(ctx context.Context, method string, body any, segments ...string) (string, error) {
	var made numbered
	if _, err := r.call(ctx, method, &made, nil, body, segments...); err != nil {
		return "", err
	}
	if made.ID <= 0 {
		return "", errors.New("GitHub answered without an id")
	}
	return strconv.FormatInt(made.ID, 10), nil
}

// postReaction is idempotent at GitHub. A comment that is gone needs no reaction any more.
func (r *repository) postReaction(ctx context.Context, p gate.Post) (string, error) {
	segments := r.at("issues", "comments", strconv.FormatInt(p.Comment.ID, 10), "reactions")
	id, err := r.make(ctx, http.MethodPost, map[string]string{"content": p.Reaction}, segments...)
	if gone, doubt := r.gone(err); gone || doubt != nil {
		return "", doubt
	}
	return id, err
}

// marker is the hidden line by which a post of ours is found again. What would end the
// HTML comment cannot stand in it.
func marker(kind, key string) string {
	safe := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || strings.ContainsRune(":._/-", r) {
			return r
		}
		return '_'
	}, key)
	return "<!-- countersign:" + kind + ":" + strings.ReplaceAll(safe, "--", "-_") + " -->"
}

// marked is the body with the marker on a line of its own, in GitHub's limit.
func marked(body, mark string) string {
	if strings.Contains(body, mark) && len(body) <= maxText {
		return body
	}
	return clip(strings.ReplaceAll(body, mark, ""), maxText) + "\n\n" + mark
}

// clip cuts s to n characters, the last an ellipsis.
func clip(s string, n int) string {
	runes := []rune(s)
	if len(runes) <= n {
		return s
	}
	return string(runes[:n-1]) + "…"
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
