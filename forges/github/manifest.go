package github

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/countersign/countersign/gate"
)

const (
	// maxName is the length of an App's name (GitHub's settings page).
	maxName = 34
	// maxCallbacks is how many callback URLs an App has (docs, "Registering a GitHub App from
	// a manifest").
	maxCallbacks = 10
)

// ManifestOptions are what a manifest says of the server. Paths are below its public URL
// and begin with a slash.
type ManifestOptions struct {
	// Name is the App's; GitHub asks the person where it is empty. Names are unique on GitHub.
	Name string
	// Forge is the name under which the configuration will know this GitHub: its webhook
	// comes to [HookPath].
	Forge gate.ForgeID
	// Redirect is where the browser comes back with the code that [Convert] takes.
	Redirect string
	// Setup is where the browser comes back after the App was installed.
	Setup string
	// Callbacks are where people come back who sign in; at least one, at most ten.
	Callbacks []string
}

// HookPath is where a forge's webhook comes to.
func HookPath(forge gate.ForgeID) string { return "/webhooks/github/" + string(forge) }

// manifestJSON is the App that GitHub is asked for (docs, "Registering a GitHub App from a
// manifest").
type manifestJSON struct {
	Name        string `json:"name,omitempty"`
	URL         string `json:"url"`
	Description string `json:"description"`
	Hook        struct {
		URL    string `json:"url"`
		Active bool   `json:"active"`
	} `json:"hook_attributes"`
	Redirect  string   `json:"redirect_url"`
	Callbacks []string `json:"callback_urls"`
	Setup     string   `json:"setup_url,omitempty"`
	Public    bool     `json:"public"`
	// OAuthOnInstall stays off: with it GitHub leads to a callback instead of Setup.
	OAuthOnInstall bool              `json:"request_oauth_on_install"`
	Permissions    map[string]string `json:"default_permissions"`
	Events         []string          `json:"default_events"`
}

// Events are what the gate subscribes to. GitHub tells every App of its installations, and
// rejects a manifest that names `installation`.
func Events() []string {
	return []string{
		"branch_protection_rule", "check_run", "create", "delete", "deployment_protection_rule", "issue_comment", "member",
		"membership", "pull_request", "pull_request_review", "push", "release", "repository", "repository_ruleset", "team", "team_add",
		"workflow_run",
	}
}

// Manifest is what the form field `manifest` holds that is posted to [ManifestURL]: an App
// with the least permissions that the gate uses, for its owner alone. It is pure.
func Manifest(server *url.URL, o ManifestOptions) ([]byte, error) {
	if server == nil || !isWeb(server.String()) {
		return nil, fmt.Errorf("server: expected its public URL, https://HOST")
	}
	if utf8.RuneCountInString(o.Name) > maxName || strings.ContainsFunc(o.Name, func(r rune) bool { return r < ' ' }) {
		return nil, fmt.Errorf("name %q: expected at most %d characters", o.Name, maxName)
	}
	if o.Forge == "" || url.PathEscape(string(o.Forge)) != string(o.Forge) {
		return nil, fmt.Errorf("forge %q: expected a name that may stand in a path", o.Forge)
	}
	if n := len(o.Callbacks); n == 0 || n > maxCallbacks {
		return nil, fmt.Errorf("callbacks: expected one to %d, got %d", maxCallbacks, n)
	}
	m := manifestJSON{
		Name: o.Name, URL: server.String(), Description: "Signs releases that somebody else than their authors approved.",
		Permissions: minimum(), Events: Events(),
	}
	m.Hook.Active = true
	var err error
	below := func(path string) string {
		if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") {
			err = fmt.Errorf("path %q: expected one below the server, such as /setup", path)
			return ""
		}
		return strings.TrimRight(server.String(), "/") + path
	}
	m.Hook.URL, m.Redirect = below(HookPath(o.Forge)), below(o.Redirect)
	for _, path := range o.Callbacks {
		m.Callbacks = append(m.Callbacks, below(path))
	}
	if o.Setup != "" {
		m.Setup = below(o.Setup)
	}
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	return raw, nil
}

// isLogin is GitHub's rule for the names of organisations.
var isLogin = regexp.MustCompile(`^[A-Za-z0-9](-?[A-Za-z0-9]){0,38}$`).MatchString

// ManifestURL is where the manifest is posted to, by the browser of whoever will own the
// App: for the organisation, or for that person where org is empty. Web is https://github.com
// or https://HOST. The state comes back with the browser.
func ManifestURL(web, org, state string) (string, error) {
	if !isWeb(web) {
		return "", fmt.Errorf("GitHub %q: expected https://github.com or https://HOST", web)
	}
	out := strings.TrimRight(web, "/")
	if org != "" {
		if !isLogin(org) {
			return "", fmt.Errorf("organisation %q: expected its name at GitHub, as in its URL", org)
		}
		out += "/organizations/" + org
	}
	return out + "/settings/apps/new?" + url.Values{"state": {state}}.Encode(), nil
}

// APIURL is where the REST API of a GitHub is, by the URL of its web side: api.github.com for
// github.com, api.SUB.ghe.com for SUB.ghe.com, /api/v3 on GitHub Enterprise Server.
func APIURL(web string) (string, error) {
	u, err := url.Parse(web)
	if err != nil || !isWeb(web) || strings.Trim(u.Path, "/") != "" {
		return "", fmt.Errorf("GitHub %q: expected https://github.com or https://HOST", web)
	}
	host := strings.ToLower(u.Host)
	if host == "github.com" || strings.HasSuffix(host, ".ghe.com") {
		return u.Scheme + "://api." + host, nil
	}
	return u.Scheme + "://" + u.Host + "/api/v3", nil
}
