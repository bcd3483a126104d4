package githubtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// manifestLife is how long the whole flow may take (docs, "Registering a GitHub App from a
// manifest": one hour).
const manifestLife = time.Hour

// draft is an App that somebody is asked to register.
type draft struct {
	manifest manifest
	org      string // "" for the person's own
	state    string
	made     time.Time
	webhook  string // secret
}

// manifest is what the posted JSON says (docs, "GitHub App Manifest parameters").
type manifest struct {
	Name        string `json:"name"`
	URL         string `json:"url"`
	Description string `json:"description"`
	Hook        *struct {
		URL    string `json:"url"`
		Active *bool  `json:"active"`
	} `json:"hook_attributes"`
	Redirect       string            `json:"redirect_url"`
	Callbacks      []string          `json:"callback_urls"`
	Setup          string            `json:"setup_url"`
	Public         bool              `json:"public"`
	OAuthOnInstall bool              `json:"request_oauth_on_install"`
	SetupOnUpdate  bool              `json:"setup_on_update"`
	Permissions    map[string]string `json:"default_permissions"`
	Events         []string          `json:"default_events"`
}

// needed is the permission without which an event cannot be subscribed to, any one of those
// named (docs, "Webhook events and payloads", Availability). "" needs none.
func needed() map[string]string {
	return map[string]string{
		"branch_protection_rule": "administration", "check_run": "checks", "create": "contents", "delete": "contents",
		"deployment_protection_rule": "deployments", "issue_comment": "issues", "issues": "issues", "member": "members",
		"membership": "members", "pull_request": "pull_requests", "pull_request_review": "pull_requests", "push": "contents",
		"repository": "", "repository_ruleset": "administration", "team": "members", "team_add": "members",
		"workflow_job": "actions", "workflow_run": "actions", "deployment_review": "deployments", "release": "contents",
		"branch_protection_configuration": "administration", "status": "statuses", "check_suite": "checks",
	}
}

// problems are why GitHub would not take the manifest.
func (m manifest) problems() []string {
	var out []string
	add := func(bad bool, format string, args ...any) {
		if bad {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	add(!absolute(m.URL), "Homepage URL can't be blank")
	add(m.Hook != nil && !absolute(m.Hook.URL), "Hook url is not supported because it's missing or no URL")
	add(m.Redirect != "" && !absolute(m.Redirect), "Redirect url must be a URL")
	add(len(m.Callbacks) > 10, "Callback urls: at most 10")
	for _, u := range append(slices.Clone(m.Callbacks), m.Setup) {
		add(u != "" && !absolute(u), "%s must be a URL", u)
	}
	add(len([]rune(m.Name)) > 34, "Name is too long (maximum is 34 characters)")
	for name, level := range m.Permissions {
		add(!slices.Contains([]string{"read", "write", "admin"}, level), "Default permission %s: %s is no level", name, level)
	}
	for _, event := range m.Events {
		permission, known := needed()[event]
		add(!known, "Default events unsupported: %s", event)
		add(known && permission != "" && m.Permissions[permission] == "", "Default events unsupported: %s", event)
	}
	return out
}

func absolute(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
}

var (
	newAppPath  = regexp.MustCompile(`^(?:/organizations/([^/]+))?/settings/apps/new$`)
	installPath = regexp.MustCompile(`^/github-apps/` + appSlug + `/installations/new$`)
)

// appPage answers the pages of registering and installing an App.
func (c *call) appPage(path string) (reply, bool) {
	switch {
	case c.r.Method == http.MethodPost && newAppPath.MatchString(path):
		return c.draftApp(newAppPath.FindStringSubmatch(path)[1]), true
	case c.r.Method == http.MethodGet && path == "/settings/apps/manifest":
		return c.confirmApp(c.query.Get("draft"), nil), true
	case c.r.Method == http.MethodPost && path == "/settings/apps/manifest":
		return c.registerApp(), true
	case c.r.Method == http.MethodGet && installPath.MatchString(path):
		return c.installPage(), true
	case c.r.Method == http.MethodPost && installPath.MatchString(path):
		return c.installApp(), true
	}
	return reply{}, false
}

// draftApp takes the posted manifest and asks who is signed in, whoever posted it.
func (c *call) draftApp(org string) reply {
	d := &draft{org: org, state: c.query.Get("state"), made: c.now()}
	if s := c.form().Get("state"); s != "" {
		d.state = s
	}
	if err := json.Unmarshal([]byte(c.form().Get("manifest")), &d.manifest); err != nil {
		return htmlPage(http.StatusUnprocessableEntity, "Invalid GitHub App configuration", `<p>Invalid JSON in manifest.</p>`, nil)
	}
	if problems := d.manifest.problems(); len(problems) > 0 {
		return htmlPage(http.StatusUnprocessableEntity, "Invalid GitHub App configuration",
			`<p>The configuration does not appear to be a valid GitHub App manifest.</p><ul>{{range .}}<li>Error {{.}}</li>{{end}}</ul>`, problems)
	}
	if a := c.account(org); org != "" && (a == nil || a.kind != "Organization") {
		return htmlPage(http.StatusNotFound, "Not Found", `<p>No such organization.</p>`, nil)
	}
	nonce := random(16)
	c.site.drafts[nonce] = d
	return redirect("/settings/apps/manifest?draft=" + nonce)
}

// confirmApp asks for the name, as GitHub's page does.
func (c *call) confirmApp(nonce string, problems []string) reply {
	if c.signedIn() == nil {
		return c.toLogin()
	}
	d := c.site.drafts[nonce]
	if d == nil {
		return htmlPage(http.StatusNotFound, "Not Found", `<p>Nothing to register.</p>`, nil)
	}
	owner := d.org
	if owner == "" {
		owner = c.signedIn().login
	}
	return htmlPage(http.StatusOK, "Create GitHub App for "+owner, `{{range .Problems}}<p role="alert">{{.}}</p>{{end}}
<form method="post" action="/settings/apps/manifest"><input type="hidden" name="authenticity_token" value="{{.Nonce}}">
<p><label>GitHub App name <input name="app_name" value="{{.Name}}"></label></p>
<button type="submit">Create GitHub App</button></form>`,
		struct {
			Nonce, Name string
			Problems    []string
		}{nonce, d.manifest.Name, problems})
}

// registerApp makes the double's App the one that was asked for, and sends the browser back
// with the code for its secrets. That only owners of an organisation may is not modelled.
func (c *call) registerApp() reply {
	nonce, who := c.form().Get("authenticity_token"), c.signedIn()
	d := c.site.drafts[nonce]
	if d == nil || who == nil {
		return htmlPage(http.StatusUnprocessableEntity, "Your session has expired", `<p>Start again.</p>`, nil)
	}
	d.manifest.Name = strings.TrimSpace(c.form().Get("app_name"))
	if d.manifest.Name == "" || len([]rune(d.manifest.Name)) > 34 {
		return c.confirmApp(nonce, []string{"Name can't be blank, or longer than 34 characters"})
	}
	delete(c.site.drafts, nonce)
	owner := who
	if d.org != "" {
		owner = c.account(d.org)
	}
	d.webhook, d.made = random(20), c.now()
	c.become(d.manifest, owner, d.webhook)
	code := random(20)
	c.site.born[code] = d
	q := url.Values{"code": {code}}
	if d.state != "" {
		q.Set("state", d.state)
	}
	if d.manifest.Redirect == "" {
		return htmlPage(http.StatusOK, d.manifest.Name, `<p>Registered.</p>`, nil)
	}
	return redirect(d.manifest.Redirect + "?" + q.Encode())
}

// become gives the double's App the manifest's settings.
func (s *Server) become(m manifest, owner *account, secret string) {
	s.opts.Permissions = m.Permissions
	if s.opts.Permissions == nil {
		s.opts.Permissions = map[string]string{}
	}
	if m.Events == nil {
		m.Events = []string{}
	}
	s.app = app{
		owner: owner.id, name: m.Name, page: m.URL, description: m.Description, events: m.Events, callbacks: m.Callbacks, setup: m.Setup,
		contentType: "json", insecure: "0",
	}
	to := ""
	if m.Hook != nil && (m.Hook.Active == nil || *m.Hook.Active) {
		to = m.Hook.URL
	}
	s.delivery.mu.Lock()
	s.delivery.url, s.delivery.secret = to, secret
	s.delivery.mu.Unlock()
	s.ping()
}

// ping is the event of a new webhook. It is of no installation and no repository.
func (s *Server) ping() {
	url, _ := s.delivery.target()
	s.delivery.add(&delivery{
		id: s.next("delivery"), guid: guid(), event: "ping", body: encode(obj{
			"zen": "Approachable is better than simple.", "hook_id": hookID, "hook": obj{
				"type": "App", "id": hookID, "name": "web", "active": true, "events": s.app.events, "app_id": appID,
				"config": obj{"content_type": "json", "insecure_ssl": "0", "secret": "********", "url": url},
			},
		}),
	})
}

// convertManifest gives a new App's secrets, once (`components.schemas.integration` and more).
func convertManifest(c *call) reply {
	d := c.site.born[c.params["code"]]
	delete(c.site.born, c.params["code"])
	if d == nil || !c.fresh(d.made, manifestLife) {
		return notFound()
	}
	out := c.appJSON()
	out["client_secret"], out["webhook_secret"], out["pem"] = appClientSecret, d.webhook, string(c.AppPrivateKey())
	return created(out)
}
