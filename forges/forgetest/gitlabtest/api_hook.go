package gitlabtest

import (
	"net/url"
	"slices"
)

// hookEvents are the switches of a project hook (API docs: project webhooks).
func hookEvents() []string {
	return []string{
		"push_events", "tag_push_events", "merge_requests_events", "note_events", "confidential_note_events",
		"issues_events", "confidential_issues_events", "job_events", "pipeline_events", "wiki_page_events",
		"deployment_events", "releases_events", "feature_flag_events", "member_events", "resource_access_token_events",
	}
}

// hookRow never shows the token (API docs: project webhooks, get).
func (c *call) hookRow(h *hook) obj {
	row := obj{
		"id": h.id, "url": h.url, "name": nil, "description": nil, "created_at": stamp(h.created), "project_id": c.p.id,
		"push_events_branch_filter": "", "branch_filter_strategy": "wildcard", "enable_ssl_verification": true,
		"repository_update_events": false, "alert_status": "executable", "disabled_until": nil, "url_variables": []obj{},
		"custom_webhook_template": nil, "custom_headers": []obj{}, "token_present": h.token != "",
	}
	for _, name := range hookEvents() {
		row[name] = h.events[name]
	}
	if c.hookDisabled(h) {
		row["alert_status"] = "temporarily_disabled"
		row["disabled_until"] = stamp(c.opts.Now().UTC().AddDate(0, 0, 1))
	}
	return row
}

func (c *call) hookDisabled(h *hook) bool {
	c.courier.mu.Lock()
	defer c.courier.mu.Unlock()
	return c.opts.DisableFailingHooks && h.failures >= maxHookFailures
}

func listHooks(c *call) (any, error) { return list(c.p.hooks, c.hookRow), nil }

func (c *call) hookInPath() (*hook, error) {
	id, err := c.number("hook")
	if err != nil {
		return nil, err
	}
	for _, h := range c.p.hooks {
		if h.id == id {
			return h, nil
		}
	}
	return nil, notFound("")
}

func showHook(c *call) (any, error) {
	h, err := c.hookInPath()
	if err != nil {
		return nil, err
	}
	return c.hookRow(h), nil
}

func createHook(c *call) (any, error) {
	if _, err := c.required("url"); err != nil {
		return nil, err
	}
	// push_events is on unless switched off (API docs: project webhooks, add).
	h := &hook{id: c.id("hook"), project: c.p, created: c.tick(), events: map[string]bool{"push_events": true}}
	if err := c.applyHook(h); err != nil {
		return nil, err
	}
	c.p.hooks = append(c.p.hooks, h)
	return created{c.hookRow(h)}, nil
}

func (c *call) applyHook(h *hook) error {
	if target := c.param("url"); target != "" {
		if u, err := url.Parse(target); err != nil || u.Host == "" {
			return &failure{status: 422, body: obj{"error": "Invalid url given"}}
		}
	}
	c.courier.mu.Lock()
	defer c.courier.mu.Unlock()
	if target := c.param("url"); target != "" {
		h.url = target
	}
	for _, name := range []string{"token", "signing_token"} {
		if token := c.param(name); token != "" {
			h.token = token
		}
	}
	for _, name := range hookEvents() {
		if value := c.param(name); value != "" {
			h.events[name] = value == "true"
		}
	}
	return nil
}

func updateHook(c *call) (any, error) {
	h, err := c.hookInPath()
	if err != nil {
		return nil, err
	}
	if err := c.applyHook(h); err != nil {
		return nil, err
	}
	return c.hookRow(h), nil
}

func deleteHook(c *call) (any, error) {
	h, err := c.hookInPath()
	if err != nil {
		return nil, err
	}
	c.p.hooks = slices.DeleteFunc(c.p.hooks, func(other *hook) bool { return other == h })
	return nil, nil //nolint:nilnil // nothing is the answer: 204
}
