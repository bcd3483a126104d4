package probe

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
)

const (
	// maxClock is how far the forge's clock may be away: ID tokens are believed as long
	// (gate/workload, MaxSkew).
	maxClock = 60 * time.Second
	// tokenEnds is how long before its end an access token is warned of.
	tokenEnds = 14 * 24 * time.Hour
)

// Reach looks at a forge with the configured credential, without a repository: whether it
// answers, what the credential may do, and what time it is there. It changes nothing. The
// second result is the forge's version, where it tells one.
func Reach(ctx context.Context, c Config) ([]api.Finding, string) {
	l := &look{session: session{Config: c}}
	if c.Kind == gate.GitLab {
		l.gitlab(ctx)
	} else {
		l.github(ctx)
	}
	return l.out, l.version
}

type look struct {
	session
	out []api.Finding
}

func (l *look) add(id string, level api.FindingLevel, fix, format string, args ...any) {
	if level == api.FindingPass {
		fix = ""
	}
	l.out = append(l.out, api.Finding{ID: id, Level: level, Text: fmt.Sprintf(format, args...), Fix: fix})
}

// reached tells what the first call says of the forge, and whether to go on.
func (l *look) reached(a answer, credential string) bool {
	switch {
	case a.err != nil:
		l.add("reach", api.FindingFailure, "check its url and api_url, and that this machine may connect to it", "the forge does not answer: %v", a.err)
		return false
	case a.status == http.StatusUnauthorized || a.status == http.StatusForbidden:
		l.add("credential", api.FindingFailure, "check "+credential, "the forge refuses the credential: it answered %d", a.status)
		l.clock(a.header)
		return false
	case a.status != http.StatusOK:
		l.add("reach", api.FindingFailure, "check its url and api_url: something else may answer there", "the forge answered %d to %s", a.status, a.what)
		return false
	}
	l.add("reach", api.FindingPass, "", "the forge answers")
	l.clock(a.header)
	return true
}

// clock compares the Date header (RFC 9110, section 6.6.1) with our own clock.
func (l *look) clock(h http.Header) {
	const fix = "set the clocks: run NTP here, and see to the forge's own"
	at, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		l.add("clock", api.FindingWarning, "compare the clocks by hand", "the forge does not tell its time")
		return
	}
	if apart := l.Now().Sub(at).Abs(); apart > maxClock {
		l.add("clock", api.FindingFailure, fix, "the clocks are %.0f seconds apart: ID tokens would be refused", apart.Seconds())
		return
	}
	l.add("clock", api.FindingPass, "", "the clocks are less than %.0f seconds apart", maxClock.Seconds())
}

func (l *look) github(ctx context.Context) {
	app := &wire{client: &http.Client{Transport: l.App, Timeout: l.Client.Timeout, CheckRedirect: l.Client.CheckRedirect}, base: l.APIURL, sign: githubHeaders("")}
	a := app.get(ctx, nil, "app")
	if !l.reached(a, "app_id and private_key_file") {
		return
	}
	var self struct {
		ID          int64             `json:"id"`
		Permissions map[string]string `json:"permissions"`
		Events      []string          `json:"events"`
	}
	if r, ok := a.read(&self); !ok || self.ID <= 0 {
		l.add("credential", api.FindingFailure, "check api_url: something else may answer there", "GitHub names no App %s", r.why)
		return
	}
	l.version = a.header.Get("X-Github-Enterprise-Version")
	l.add("credential", api.FindingPass, "", "the App's key signs in as App %d", self.ID)
	l.appPermissions(self.Permissions)
	l.appEvents(self.Events)
	l.appHook(app.get(ctx, nil, "app", "hook", "config"))
	l.installations(ctx, app)
}

// appPermissions holds what the App asks for against what the gate uses.
func (l *look) appPermissions(has map[string]string) {
	if missing := Missing(l.Permissions, has); len(missing) > 0 {
		l.add("permissions", api.FindingFailure, "add them on the App's page, under Permissions", "the App does not ask for %s", list(missing))
	} else {
		l.add("permissions", api.FindingPass, "", "the App asks for all that the gate uses")
	}
	var broad []string
	for _, name := range slices.Sorted(maps.Keys(has)) {
		if rank(has[name]) > max(rank(l.Permissions[name]), 0) {
			broad = append(broad, name+": "+has[name])
		}
	}
	if len(broad) > 0 {
		l.add("permissions-broad", api.FindingWarning, "take them away on the App's page: whoever steals the key has them", "the App asks for more than the gate uses: %s", list(broad))
	}
}

// heard are the events without which something is seen only when a request is looked at
// again, minutes later.
func heard() []string { return []string{"issue_comment", "pull_request", "push", "workflow_run"} }

func (l *look) appEvents(has []string) {
	missing := slices.DeleteFunc(heard(), func(e string) bool { return slices.Contains(has, e) })
	if len(missing) > 0 {
		l.add("events", api.FindingWarning, "subscribe to them on the App's page, under Permissions & events", "the App does not hear of %s: what they tell is seen minutes later", list(missing))
		return
	}
	l.add("events", api.FindingPass, "", "the App hears of what the gate acts on")
}

// appHook looks where the App's webhook goes (REST API, "Get a webhook configuration for an
// app").
func (l *look) appHook(a answer) {
	const page = "on the App's page, under Webhook"
	want := fmt.Sprintf("%s/webhooks/%s/%s", l.Server, l.Kind, l.Forge)
	var hook struct {
		URL         string `json:"url"`
		ContentType string `json:"content_type"`
		Insecure    any    `json:"insecure_ssl"` // "0", or 0
	}
	_, ok := a.read(&hook)
	switch {
	case !ok || hook.URL == "":
		l.add("webhook", api.FindingWarning, "see "+page+" that it goes to "+want, "GitHub does not tell where the App's webhook goes")
	case hook.URL != want:
		l.add("webhook", api.FindingWarning, "change it "+page+" to "+want, "the App's webhook goes elsewhere: what happens is seen minutes later")
	case hook.ContentType != "json":
		l.add("webhook", api.FindingFailure, "choose application/json "+page, "the App's webhook sends forms, which are refused")
	case fmt.Sprint(hook.Insecure) != "0":
		l.add("webhook", api.FindingWarning, "enable SSL verification "+page, "the App's webhook does not verify this server's certificate")
	default:
		l.add("webhook", api.FindingPass, "", "the App's webhook goes to this server")
	}
}

// installations looks at the App's first hundred installations.
func (l *look) installations(ctx context.Context, app *wire) {
	const most = 100
	var all []struct {
		installationJSON
	}
	if r, ok := app.get(ctx, url.Values{"per_page": {fmt.Sprint(most)}}, "app", "installations").read(&all); !ok {
		l.add("installations", api.FindingFailure, "try again", "the App's installations cannot be listed: %s", r.why)
		return
	}
	if len(all) == 0 {
		l.add("installations", api.FindingWarning, "install the App on the repositories that are to be released", "the App is installed nowhere")
		return
	}
	fine := 0
	for _, in := range all {
		missing := Missing(usable(l.Permissions, in.Account), in.Permissions)
		switch {
		case in.SuspendedAt != nil:
			l.add("installations", api.FindingWarning, "its owner resumes it, or uninstalls the App", "the installation of %s is suspended", in.Account.Login)
		case len(missing) > 0:
			l.add("installations", api.FindingFailure, "an owner of "+in.Account.Login+" accepts the App's new permissions", "the installation of %s lacks %s", in.Account.Login, list(missing))
		default:
			fine++
		}
	}
	if fine > 0 {
		l.add("installations", api.FindingPass, "", "installations with all that the gate uses: %d of %d", fine, len(all))
	}
	if len(all) == most {
		l.add("installations-more", api.FindingWarning, "look at the others on the App's page", "only the first %d installations were looked at", most)
	}
}

func (l *look) gitlab(ctx context.Context) {
	w := &wire{client: l.Client, base: l.APIURL, sign: gitlabHeaders(l.Token)}
	a := w.get(ctx, nil, "user")
	if !l.reached(a, "token_file: the token may have ended or been revoked, or lack scope api") {
		return
	}
	var u account
	if r, ok := a.read(&u); !ok || u.ID <= 0 {
		l.add("credential", api.FindingFailure, "check url: something else may answer there", "GitLab names no account %s", r.why)
		return
	}
	if u.Bot != nil && !*u.Bot {
		l.add("credential", api.FindingWarning, "use a project or group access token, or a service account: a person's right goes when the person goes",
			"the token is that of @%s, a person", u.Username)
	} else {
		l.add("credential", api.FindingPass, "", "the token is that of @%s", u.Username)
	}
	var v struct {
		Version string `json:"version"`
	}
	if _, ok := w.get(ctx, nil, "metadata").read(&v); ok {
		l.version = v.Version
	}
	l.token(w.get(ctx, nil, "personal_access_tokens", "self"))
}

// token looks at the token's scopes and its end, where GitLab tells them.
func (l *look) token(a answer) {
	var t tokenJSON
	if _, ok := a.read(&t); !ok {
		l.add("token", api.FindingWarning, "note its scopes and its end elsewhere", "GitLab does not tell the token's scopes and its end")
		return
	}
	if !slices.Contains(t.Scopes, "api") {
		l.add("permissions", api.FindingFailure, "make a token with scope api", "the token has the scopes %s", list(t.Scopes))
	} else {
		l.add("permissions", api.FindingPass, "", "the token has scope api")
	}
	broad := slices.DeleteFunc(slices.Clone(t.Scopes), func(s string) bool { return s == "api" || strings.HasPrefix(s, "read_") })
	if len(broad) > 0 {
		l.add("permissions-broad", api.FindingWarning, "make a token with scope api alone", "the token may do more than the gate uses: %s", list(broad))
	}
	end, err := time.Parse(time.DateOnly, t.ExpiresAt)
	switch {
	case t.ExpiresAt == "":
		l.add("token", api.FindingWarning, "make one that ends, and rotate it", "the token never ends")
	case err != nil:
		l.add("token", api.FindingWarning, "note it elsewhere", "the token's end is no date")
	case end.Sub(l.Now()) < tokenEnds:
		l.add("token", api.FindingWarning, "rotate it, and write the new one to token_file", "the token ends on %s", t.ExpiresAt)
	default:
		l.add("token", api.FindingPass, "", "the token ends on %s", t.ExpiresAt)
	}
}
