package github

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/go-github/v62/github"

	"github.com/countersign/countersign/gate/api"
)

const (
	// maxSkew is how far clocks may be apart: what ID tokens are allowed.
	maxSkew = time.Minute
	// appPage is where an App's owner changes it.
	appPage = "on the App's page at GitHub, under "
)

// used says what each permission is for, in the words of a finding.
func used(permission string) string {
	return map[string]string{
		"metadata": "who may do what, and which rules are in force", "contents": "the policy file and the commits",
		"actions": "the run that asks", "administration": "classic branch protection", "pull_requests": "reviews, and the comment that asks for approval",
		"issues": "the release's thread where there is no pull request", "checks": "the check run on the commit",
		"statuses": "CI checks that are statuses", "deployments": "jobs that wait for an environment", "members": "teams that may approve",
	}[permission]
}

// rank orders levels; what nobody knows is above all.
func rank(level string) int {
	return map[string]int{"": 0, "read": 1, "write": 2, "admin": 3}[level]
}

// appSelf is REST API's schema integration, in part.
type appSelf struct {
	ID          int64             `json:"id"`
	Slug        string            `json:"slug"`
	ClientID    string            `json:"client_id"`
	Permissions map[string]string `json:"permissions"`
	Events      []string          `json:"events"`
}

// Inspect examines the App: its credential, clock, permissions and events against those of
// [Manifest], its webhook against hookURL, the last deliveries, and its installations. It
// changes nothing. Each finding that is no pass has its fix.
func (f *Forge) Inspect(ctx context.Context, hookURL string) []api.Finding {
	x := &examined{area: "Forge " + string(f.cfg.Forge)}
	app, err := f.app()
	if err != nil {
		x.fail("credential", "compare private_key_file with the App's page at GitHub", "%s", why(err))
		return x.out
	}
	var self appSelf
	resp, err := app.call(ctx, http.MethodGet, &self, nil, nil, "app")
	if !x.reached(f, resp, err) {
		return x.out
	}
	if self.ID != f.cfg.AppID {
		x.fail("credential", "compare app_id and api_url: something else may answer there", "GitHub answered for App %d, expected App %d", self.ID, f.cfg.AppID)
		return x.out
	}
	x.pass("credential", "the App's key signs in as App %d, %s", self.ID, self.Slug)
	x.signIn(f, self)
	x.permissions(self.Permissions)
	x.events(self.Events)
	x.hook(ctx, app, hookURL)
	x.deliveries(ctx, app, f.cfg.Now())
	x.installations(ctx, app)
	return x.out
}

// reached says whether GitHub answers and takes the App's key.
func (x *examined) reached(f *Forge, resp *github.Response, err error) bool {
	answered := resp != nil && resp.Response != nil
	if answered {
		x.pass("reach", "GitHub answers")
		x.clock(resp.Header, f.cfg.Now())
	}
	switch status := statusOf(err); {
	case err == nil:
		return true
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusNotFound:
		x.fail("credential", "compare app_id and private_key_file with the App's page at GitHub; where the clocks differ, set them first", "GitHub does not take the App's key: %s", why(err))
	case answered:
		x.fail("credential", "try again; if it stays, compare api_url: something else may answer there", "%s", why(err))
	default:
		x.fail("reach", "see that this host may connect to "+f.api.Scheme+"://"+f.api.Host, "GitHub does not answer: %s", why(err))
	}
	return false
}

// clock compares the Date header (RFC 9110, section 6.6.1) with our own clock.
func (x *examined) clock(h http.Header, now time.Time) {
	at, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		x.warn("clock", "compare the clocks by hand", "GitHub does not tell its time")
		return
	}
	if apart := now.Sub(at).Abs(); apart > maxSkew {
		x.fail("clock", "set the clocks: run NTP here, and see to GitHub Enterprise Server's own", "the clocks are %.0f seconds apart: ID tokens would be refused", apart.Seconds())
		return
	}
	x.pass("clock", "the clocks are less than %.0f seconds apart", maxSkew.Seconds())
}

// signIn looks whether the OAuth client is the App's. Its secret shows when somebody signs in.
func (x *examined) signIn(f *Forge, self appSelf) {
	switch {
	case !f.CanSignIn():
		x.warn("sign-in", "set client_id and client_secret_file of the forge, from the App's page at GitHub", "nobody can sign in: no OAuth client is configured")
	case self.ClientID != "" && self.ClientID != f.cfg.ClientID:
		x.fail("sign-in", "set client_id to "+self.ClientID+", and client_secret_file to the secret that belongs to it", "client_id is not the App's: nobody can sign in")
	default:
		x.pass("sign-in", "people sign in with the App's OAuth client")
	}
}

func (x *examined) permissions(has map[string]string) {
	want, fine := minimum(), true
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if rank(has[name]) < rank(want[name]) {
			fine = false
			x.fail("permissions", "add it "+appPage+"Permissions & events; owners of installations then accept it", "the App does not ask for %s: %s: %s is not seen or not told", name, want[name], used(name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(has)) {
		if has[name] == want[name] || rank(has[name]) > 0 && rank(has[name]) <= rank(want[name]) {
			continue
		}
		if has[name] == "write" && (name == permContents || name == permAttestations) {
			x.pass("permissions-publishing", "the App may write %s: a token with that is made only to publish evidence, where a policy asks for it", name)
			continue
		}
		x.warn("permissions-broad", "take it away "+appPage+"Permissions & events: whoever steals the key has it", "the App asks for more than the gate uses: %s: %s", name, has[name])
	}
	if fine {
		x.pass("permissions", "the App asks for all that the gate uses")
	}
}

func (x *examined) events(has []string) {
	want := Events()
	missing := slices.DeleteFunc(slices.Clone(want), func(e string) bool { return slices.Contains(has, e) })
	more := slices.DeleteFunc(slices.Sorted(slices.Values(has)), func(e string) bool { return slices.Contains(want, e) })
	switch {
	case slices.Contains(missing, "deployment_protection_rule"):
		x.fail("events", "subscribe to them "+appPage+"Permissions & events",
			"the App does not hear of %s: jobs that wait for an environment are never answered", strings.Join(missing, ", "))
	case len(missing) > 0:
		x.warn("events", "subscribe to them "+appPage+"Permissions & events",
			"the App does not hear of %s: what they tell is seen minutes later", strings.Join(missing, ", "))
	case len(more) > 0:
		x.pass("events", "the App hears of what the gate acts on; of %s too, which it passes over", strings.Join(more, ", "))
	default:
		x.pass("events", "the App hears of what the gate acts on")
	}
}

// hook looks where the App's webhook goes (REST API, "Get a webhook configuration for an
// app").
func (x *examined) hook(ctx context.Context, app *caller, want string) {
	const page = appPage + "Webhook"
	var hook struct {
		URL         string `json:"url"`
		ContentType string `json:"content_type"`
		Secret      string `json:"secret"`
		Insecure    any    `json:"insecure_ssl"` // "0", or 0
	}
	err := app.get(ctx, &hook, nil, "app", "hook", "config")
	switch {
	case isNotFound(err), err == nil && hook.URL == "":
		x.fail("webhook", "enter "+want+" and the secret "+page, "the App has no webhook: nothing that happens is heard of")
	case err != nil:
		x.warn("webhook", "see "+page+" that it goes to "+want, "GitHub does not tell where the App's webhook goes: %s", why(err))
	case hook.URL != want:
		x.fail("webhook", "change it "+page+" to "+want, "the App's webhook goes to %s", hostOf(hook.URL))
	case hook.ContentType != "json":
		x.fail("webhook", "choose application/json "+page, "the App's webhook sends forms, which are refused")
	case hook.Secret == "":
		x.fail("webhook", "enter the secret of webhook_secret_file "+page, "the App's webhook has no secret: its deliveries are refused")
	case fmt.Sprint(hook.Insecure) != "0":
		x.warn("webhook", "enable SSL verification "+page, "the App's webhook does not verify this server's certificate")
	default:
		x.pass("webhook", "the App's webhook goes to this server")
	}
}

// hostOf names where a URL goes without its query: some hold secrets.
func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "what is no URL"
	}
	return u.Scheme + "://" + u.Host + u.Path
}

// installations looks at the App's first hundred.
func (x *examined) installations(ctx context.Context, app *caller) {
	var all []struct {
		installation

		Account accountJSON `json:"account"`
	}
	if err := app.get(ctx, &all, url.Values{"per_page": {perPage}}, "app", "installations"); err != nil {
		x.fail("installations", "try again", "the App's installations cannot be listed: %s", why(err))
		return
	}
	if len(all) == 0 {
		x.warn("installations", "install the App on the repositories that are to be released", "the App is installed nowhere")
		return
	}
	fine := 0
	for _, in := range all {
		var missing []string
		for _, name := range slices.Sorted(maps.Keys(minimum())) {
			// A person's account has no members to read.
			if rank(in.Permissions[name]) < rank(minimum()[name]) && (name != "members" || in.Account.Type != "User") {
				missing = append(missing, name+": "+minimum()[name])
			}
		}
		switch {
		case in.SuspendedAt != nil:
			x.warn("installations", "its owner resumes it, or uninstalls the App", "the installation of %s is suspended", in.Account.Login)
		case len(missing) > 0:
			x.fail("installations", "an owner of "+in.Account.Login+" accepts the App's new permissions", "the installation of %s lacks %s", in.Account.Login, strings.Join(missing, ", "))
		default:
			fine++
		}
	}
	if fine > 0 {
		x.pass("installations", "installations with all that the gate uses: %d of %d", fine, len(all))
	}
	if fmt.Sprint(len(all)) == perPage {
		x.warn("installations-more", "look at the others on the App's page", "only the first %d installations were looked at", len(all))
	}
}
