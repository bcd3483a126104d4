package githubtest

import (
	"slices"
	"strings"
)

// app is what the App's owner can change in its settings. Its number, slug, key and OAuth
// client stay: the double has one App. Its permissions are the server's options.
type app struct {
	owner       int64
	name, page  string
	description string
	events      []string
	callbacks   []string
	setup       string
	contentType string // of the webhook
	insecure    string // "0" or "1"
}

func newApp(o Options, owner *account) app {
	return app{
		owner: owner.id, name: "Countersign", page: "https://countersign.example", description: "Release gate", events: DefaultEvents(),
		callbacks: o.Callbacks, contentType: "json", insecure: "0",
	}
}

// DefaultEvents are what a fresh App subscribes to.
func DefaultEvents() []string {
	return []string{
		"branch_protection_rule", "check_run", "create", "delete", "deployment_protection_rule", "issue_comment", "issues", "member",
		"membership", "pull_request", "pull_request_review", "push", "release", "repository", "repository_ruleset", "team", "team_add",
		"workflow_job", "workflow_run",
	}
}

// SetEvents replaces the events that the App subscribes to.
func (s *Server) SetEvents(events ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.app.events = events
}

// SetAppPermissions replaces what the App asks of those who install it from now on. Whoever
// has it installed keeps what they accepted, until [Server.SetPermissions].
func (s *Server) SetAppPermissions(permissions map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opts.Permissions = permissions
}

// SetHook replaces how the App's webhook is sent: "json" or "form", and whether the
// receiver's certificate is not verified. Forms are announced only: deliveries stay JSON.
func (s *Server) SetHook(contentType string, insecure bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.app.contentType, s.app.insecure = contentType, "0"
	if insecure {
		s.app.insecure = "1"
	}
}

// hears reports whether the App is told of an event: what it subscribes to, and what every
// App is told (docs, "Webhook events and payloads": installation and its like cannot be
// unsubscribed from).
func (a *app) hears(event string) bool {
	return strings.HasPrefix(event, "installation") || event == "ping" || slices.Contains(a.events, event)
}

// appJSON is `components.schemas.integration`.
func (s *Server) appJSON() obj {
	owner := s.accounts[s.app.owner]
	return obj{
		"id": appID, "slug": appSlug, "client_id": appClientID, "node_id": nodeID("A", appID), "owner": s.userJSON(owner),
		"name": s.app.name, "description": s.app.description, "external_url": s.app.page,
		"html_url": s.web("/github-apps/%s", appSlug), "created_at": stamp(owner.created), "updated_at": stamp(owner.created),
		"permissions": s.opts.Permissions, "events": s.app.events,
	}
}

func getApp(c *call) reply {
	app := c.appJSON()
	app["installations_count"] = len(c.installations)
	return ok(app)
}

// getHookConfig is `components.schemas.webhook-config`. How GitHub answers for an App without
// a webhook is not described; 404 is its word for what is not there.
func getHookConfig(c *call) reply {
	url, secret := c.delivery.target()
	if url == "" {
		return notFound()
	}
	out := obj{"url": url, "content_type": c.app.contentType, "insecure_ssl": c.app.insecure}
	if secret != "" {
		out["secret"] = "********"
	}
	return ok(out)
}

// target is where deliveries go.
func (q *deliveryQueue) target() (url, secret string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.url, q.secret
}
