package gitlabtest

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// hookEvents are the switches of a hook (API docs: project webhooks, group webhooks;
// source: lib/api/project_hooks.rb, ee/lib/api/group_hooks.rb).
func hookEvents(group bool) []string {
	events := []string{
		"push_events", "tag_push_events", "merge_requests_events", "note_events", "confidential_note_events",
		"issues_events", "confidential_issues_events", "job_events", "pipeline_events", "wiki_page_events",
		"deployment_events", "releases_events", "feature_flag_events", "resource_access_token_events",
	}
	if group {
		return append(events, "subgroup_events", "member_events", "project_events")
	}
	return events
}

// shelf is where a call's hooks are: a project's, or a group's.
type shelf struct {
	hooks   *[]*hook
	project *project
	group   *group
}

func (c *call) shelf() (shelf, error) {
	if c.p != nil {
		return shelf{hooks: &c.p.hooks, project: c.p}, nil
	}
	if err := c.premiumOnly(); err != nil {
		return shelf{}, err
	}
	g, err := c.groupInPath()
	if err != nil {
		return shelf{}, err
	}
	if c.groupLevel(g, c.me) < levelOwner {
		return shelf{}, forbidden()
	}
	return shelf{hooks: &g.hooks, group: g}, nil
}

// hookRow never shows the token (API docs: project webhooks, get).
func (c *call) hookRow(h *hook) obj {
	row := obj{
		"id": h.id, "url": h.url, "name": nil, "description": nil, "created_at": stamp(h.created),
		"push_events_branch_filter": h.filter, "branch_filter_strategy": "wildcard", "enable_ssl_verification": h.ssl,
		"repository_update_events": false, "alert_status": "executable", "disabled_until": nil, "url_variables": []obj{},
		"custom_webhook_template": orNil(h.template), "custom_headers": []obj{}, "token_present": h.token != "" && !h.signing,
	}
	if !c.opts.WithoutSigningTokens {
		row["signing_token_present"] = h.signing
	}
	if h.project != nil {
		row["project_id"] = h.project.id
	} else {
		row["group_id"] = h.group.id
	}
	for _, name := range hookEvents(h.group != nil) {
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

func listHooks(c *call) (any, error) {
	at, err := c.shelf()
	if err != nil {
		return nil, err
	}
	return list(*at.hooks, c.hookRow), nil
}

func (c *call) hookInPath() (*hook, error) {
	at, err := c.shelf()
	if err != nil {
		return nil, err
	}
	id, err := c.number("hook")
	if err != nil {
		return nil, err
	}
	for _, h := range *at.hooks {
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
	at, err := c.shelf()
	if err != nil {
		return nil, err
	}
	if _, err := c.required("url"); err != nil {
		return nil, err
	}
	// push_events and the verification are on unless switched off (API docs: project
	// webhooks, add).
	h := &hook{
		id: c.id("hook"), project: at.project, group: at.group, created: c.tick(), ssl: true,
		events: map[string]bool{"push_events": true},
	}
	if err := c.applyHook(h); err != nil {
		return nil, err
	}
	*at.hooks = append(*at.hooks, h)
	return created{c.hookRow(h)}, nil
}

func (c *call) applyHook(h *hook) error {
	if target := c.param("url"); target != "" {
		u, err := url.Parse(target)
		if err != nil || u.Host == "" {
			return &failure{status: http.StatusUnprocessableEntity, body: obj{"error": "Invalid url given"}}
		}
		if c.opts.LocalHooksForbidden && u.Hostname() == "127.0.0.1" { // source: lib/gitlab/http_v2/url_blocker.rb
			return &failure{status: http.StatusUnprocessableEntity, body: obj{"error": "Invalid url given"}}
		}
	}
	c.courier.mu.Lock()
	defer c.courier.mu.Unlock()
	if target := c.param("url"); target != "" {
		h.url = target
	}
	if token := c.param("token"); token != "" {
		h.token, h.signing = token, false
	}
	if token := c.param("signing_token"); token != "" && !c.opts.WithoutSigningTokens {
		h.token, h.signing = token, true
	}
	if c.body.Has("enable_ssl_verification") {
		h.ssl = c.param("enable_ssl_verification") == "true"
	}
	if c.body.Has("push_events_branch_filter") {
		h.filter = c.param("push_events_branch_filter")
	}
	if c.body.Has("custom_webhook_template") {
		h.template = c.param("custom_webhook_template")
	}
	for _, name := range hookEvents(h.group != nil) {
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
	at, err := c.shelf()
	if err != nil {
		return nil, err
	}
	*at.hooks = slices.DeleteFunc(*at.hooks, func(other *hook) bool { return other == h })
	return nil, nil //nolint:nilnil // nothing is the answer: 204
}

// listHookEvents answers what became of a hook's latest deliveries, the newest first (API
// docs: project webhooks, list all events, since GitLab 17.3).
func listHookEvents(c *call) (any, error) {
	if c.opts.WithoutHookEvents {
		return nil, notFound("")
	}
	h, err := c.hookInPath()
	if err != nil {
		return nil, err
	}
	c.courier.mu.Lock()
	rows := slices.Clone(h.log)
	c.courier.mu.Unlock()
	slices.Reverse(rows)
	return list(rows, func(e hookEvent) obj {
		status := "internal error"
		if e.status != 0 {
			status = strconv.Itoa(e.status)
		}
		return obj{
			"id": e.id, "url": h.url, "trigger": e.trigger, "request_headers": obj{"X-Gitlab-Token": "[REDACTED]"},
			"request_data": obj{}, "response_headers": obj{}, "response_body": "", "execution_duration": 0.1, "response_status": status,
		}
	}), nil
}

// testHook sends a push's delivery at once, also through a hook that failures disabled,
// which enables it again (API docs: project webhooks, trigger a test; docs: webhooks,
// re-enable disabled webhooks).
func testHook(c *call) (any, error) {
	h, err := c.hookInPath()
	if err != nil {
		return nil, err
	}
	if c.r.PathValue("trigger") != "push_events" {
		return nil, badParameter("trigger does not have a valid value")
	}
	c.courier.mu.Lock()
	h.failures = 0
	c.courier.mu.Unlock()
	if p := h.project; p != nil {
		c.deliver([]*hook{h}, "Push Hook", obj{
			"object_kind": "push", "event_name": "push", "ref": "refs/heads/" + p.defaultBranch, "project_id": p.id,
			"project": c.hookProject(p), "user_id": c.me.id, "before": zeroSHA, "after": p.refs["refs/heads/"+p.defaultBranch], "commits": []obj{},
		})
	}
	return created{obj{"message": "201 Created"}}, nil
}
