package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/countersign/countersign/gate"
)

// textJSON is what comments and issues share, in part.
type textJSON struct {
	ID     int64           `json:"id"`
	Number int64           `json:"number"`
	Body   *string         `json:"body"`
	User   *userJSON       `json:"user"`
	App    json.RawMessage `json:"performed_via_github_app"`
	Pull   json.RawMessage `json:"pull_request"`
}

// ours reports whether the gate's own App wrote it: anybody can copy a marker.
func (r *repository) ours(t textJSON) bool {
	var app numbered
	if len(t.App) > 0 && json.Unmarshal(t.App, &app) == nil && app.ID == r.forge.cfg.AppID {
		return true
	}
	return t.User != nil && t.User.Type == "Bot" && r.slug != "" && t.User.Login == r.slug+"[bot]"
}

// postComment edits the sticky comment in place, or makes it.
func (r *repository) postComment(ctx context.Context, p gate.Post, mark string) (string, error) {
	body := map[string]string{"body": marked(p.Body, mark)}
	known := p.Known
	if known == "" {
		var err error
		if known, err = r.findComment(ctx, p.Thread, mark); err != nil {
			return "", err
		}
	}
	if known != "" {
		id, err := r.make(ctx, http.MethodPatch, body, r.at("issues", "comments", known)...)
		if gone, doubt := r.gone(err); !gone {
			return id, errors.Join(err, doubt)
		}
	}
	return r.make(ctx, http.MethodPost, body, r.thread(p.Thread, "comments")...)
}

// postReply makes a comment once.
func (r *repository) postReply(ctx context.Context, p gate.Post) (string, error) {
	mark := marker("reply", p.Key)
	if p.Known != "" {
		return p.Known, nil
	}
	known, err := r.findComment(ctx, p.Thread, mark)
	if err != nil || known != "" {
		return known, err
	}
	body := map[string]string{"body": marked(p.Body, mark)}
	return r.make(ctx, http.MethodPost, body, r.thread(p.Thread, "comments")...)
}

func (r *repository) thread(t gate.Thread, more ...string) []string {
	return append(r.at("issues", strconv.FormatInt(t.Number, 10)), more...)
}

func (r *repository) findComment(ctx context.Context, t gate.Thread, mark string) (string, error) {
	if t.Number <= 0 {
		return "", fmt.Errorf("thread %d: expected the number of a pull request or issue", t.Number)
	}
	if r.forge.memory.isEmpty(place{repository: r.facts.ID.ID, thread: t.Number}, r.forge.cfg.Now()) {
		return "", nil
	}
	found := ""
	err := pages(ctx, r.caller, nil, func(page []textJSON) (bool, error) {
		for _, c := range page {
			if c.Body != nil && strings.Contains(*c.Body, mark) && r.ours(c) {
				found = strconv.FormatInt(c.ID, 10)
				return false, nil
			}
		}
		return true, nil
	}, r.thread(t, "comments")...)
	return found, err
}

// postThread finds the release's open issue, or opens it, and answers its number.
func (r *repository) postThread(ctx context.Context, p gate.Post) (string, error) {
	if p.Known != "" {
		return p.Known, nil
	}
	mark := marker("thread", p.Key)
	q := url.Values{"state": {"open"}}
	if r.slug != "" {
		q.Set("creator", r.slug+"[bot]")
	}
	var number int64
	err := pages(ctx, r.caller, q, func(page []textJSON) (bool, error) {
		for _, i := range page {
			isPull := len(i.Pull) > 0 && string(i.Pull) != "null"
			if !isPull && i.Body != nil && strings.Contains(*i.Body, mark) && r.ours(i) {
				number = i.Number
				return false, nil
			}
		}
		return true, nil
	}, r.at("issues")...)
	if err != nil {
		return "", err
	}
	if number == 0 {
		var made textJSON
		body := map[string]string{"title": clip(oneLine(p.Title), 250), "body": marked(p.Body, mark)}
		if _, err := r.call(ctx, http.MethodPost, &made, nil, body, r.at("issues")...); err != nil {
			return "", err
		}
		number = made.Number
	}
	if number <= 0 {
		return "", fmt.Errorf("release issue: GitHub answered without a number")
	}
	return strconv.FormatInt(number, 10), nil
}
