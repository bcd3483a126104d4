package gitlab

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
)

const (
	// What is left of a token's life: below the first it is a warning, below the second a
	// failure.
	tokenSoon = 30 * 24 * time.Hour
	tokenLast = 3 * 24 * time.Hour
	// Clocks that differ make ID tokens look expired, or not yet valid.
	skewNoted = 10 * time.Second
	skewMost  = time.Minute

	maxLooked = 20 // projects whose hooks are looked at
)

// ownToken is the gate's access token as it sees itself (API docs: personal access tokens,
// get self).
type ownToken struct {
	Name    string   `json:"name"`
	Scopes  []string `json:"scopes"`
	Expires string   `json:"expires_at"` // a date; "" where it does not end
	Active  *bool    `json:"active"`
}

// metadata is the instance's own word about itself (API docs: metadata).
type metadata struct {
	Version    string `json:"version"`
	Enterprise *bool  `json:"enterprise"`
}

// inspection collects findings of one area.
type inspection struct {
	*session

	area     string
	findings []api.Finding
}

func (i *inspection) pass(id, format string, args ...any) {
	i.findings = append(i.findings, finding(i.area, api.FindingPass, id, "", format, args...))
}

func (i *inspection) warn(id, fix, format string, args ...any) {
	i.findings = append(i.findings, finding(i.area, api.FindingWarning, id, fix, format, args...))
}

func (i *inspection) fail(id, fix, format string, args ...any) {
	i.findings = append(i.findings, finding(i.area, api.FindingFailure, id, fix, format, args...))
}

// Inspect looks at what the gate needs of the instance as a whole: its version and clock,
// the gate's token and account, and whether the projects that the account administers have
// a hook to the address. It changes nothing.
func (f *Forge) Inspect(ctx context.Context, hookURL string) []api.Finding {
	i := &inspection{session: f.session(gate.RepositoryID{Forge: f.forge}), area: f.area()}
	if !i.instance(ctx) {
		return i.findings
	}
	i.token(ctx)
	i.account(ctx)
	i.rung(ctx, hookURL)
	i.signIn(ctx)
	return i.findings
}

// clip shortens an identifier that is too long to read.
func clip(id string) string {
	if len(id) > 12 {
		return id[:12] + "…"
	}
	return id
}

// signIn tries the OAuth application with a code that nobody was given: GitLab looks at the
// application first (source: doorkeeper, authorization_code_request.rb).
func (i *inspection) signIn(ctx context.Context) {
	if !i.CanSignIn() {
		i.warn("sign-in", "register an OAuth application with the scope read_user, and name its client_id and client_secret_file",
			"nobody can sign in with GitLab: no OAuth application is configured")
		return
	}
	_, err := i.exchange(ctx, "no-code", "no-verifier-"+strings.Repeat("0", 43), i.base.String())
	switch gate.CodeOf(err) {
	case gate.CodeSignIn:
		i.pass("sign-in", "GitLab knows the OAuth application %s, through which people sign in", clip(i.oauth.id))
	case gate.CodeForgeRefused:
		i.fail("sign-in", "compare client_id and client_secret_file with the application at GitLab", "GitLab does not take the OAuth application %s: nobody can sign in", clip(i.oauth.id))
	default:
		i.warn("sign-in", "look whether GitLab is well, then run it again", "whether GitLab knows the OAuth application cannot be told")
	}
}

// instance reports whether the instance answers the gate at all.
func (i *inspection) instance(ctx context.Context) bool {
	var m metadata
	res, err := i.do(ctx, http.MethodGet, "metadata", nil, &m)
	switch status := statusOf(err); {
	case status == http.StatusUnauthorized:
		i.fail("credential", "make a new access token with the scope api, and write it to token_file", "GitLab does not take the gate's access token")
		return false
	case err != nil && isNotFound(err):
		i.warn("version", "update GitLab to a version that is maintained", "GitLab does not tell its version: it is older than 15.2")
		return true
	case err != nil && status == http.StatusForbidden:
		i.warn("version", "give the access token the scope api", "GitLab does not tell its version to the gate's token")
		return true
	case err != nil || m.Version == "":
		i.fail("forge", "look whether GitLab is well, and whether the server reaches it", "%s", whyOr(err))
		return false
	}
	edition := "of an edition that it does not tell"
	if m.Enterprise != nil {
		edition = map[bool]string{true: "Enterprise Edition", false: "Community Edition"}[*m.Enterprise]
	}
	i.pass("version", "GitLab %s, %s", m.Version, edition)
	i.clock(res.Header.Get("Date"))
	return true
}

func whyOr(err error) string {
	if err == nil {
		err = errUnexpected
	}
	return why(err)
}

func (i *inspection) clock(date string) {
	theirs, err := http.ParseTime(date)
	if err != nil {
		i.warn("clock", "look whether something between the server and GitLab removes the Date header", "GitLab does not tell its time")
		return
	}
	skew := theirs.Sub(i.now()).Round(time.Second)
	if skew < 0 {
		skew = -skew
	}
	const fix = "set both clocks by NTP"
	switch {
	case skew > skewMost:
		i.fail("clock", fix, "GitLab's clock and this server's differ by %s: ID tokens seem expired, or not yet valid", skew)
	case skew > skewNoted:
		i.warn("clock", fix, "GitLab's clock and this server's differ by %s", skew)
	default:
		i.pass("clock", "GitLab's clock and this server's agree within %s", skewNoted)
	}
}

func (i *inspection) token(ctx context.Context) {
	t, err := fetch[ownToken](ctx, i.session, "personal_access_tokens/self", nil)
	if err == nil && (len(t.Scopes) == 0 || t.Active == nil) {
		err = errUnexpected
	}
	if err != nil {
		i.warn("token", "use a project, group or service account's access token; see in GitLab when it expires", "the gate's token tells neither its scopes nor its end: %s", why(err))
		return
	}
	const renew = "rotate it in GitLab, and write the new one to token_file: the server takes it up without a restart"
	if !slices.Contains(t.Scopes, "api") {
		i.fail("scopes", "make an access token with the scope api", "the gate's token has the scopes %s, and needs api", strings.Join(t.Scopes, ", "))
	}
	if more := without(t.Scopes, "api", "read_api", "read_user", "read_repository", "self_rotate"); len(more) > 0 {
		i.warn("scopes", "make one with the scope api alone", "the gate's token may do more than it needs: %s", strings.Join(more, ", "))
	}
	if t.Expires == "" {
		i.pass("token", "the gate's token %q does not expire", t.Name)
		return
	}
	day, err := time.Parse(time.DateOnly, t.Expires)
	left := day.Sub(i.now())
	switch {
	case err != nil:
		i.warn("token", renew, "GitLab says of the gate's token that it ends on %q", t.Expires)
	case left < tokenLast:
		i.fail("token", renew, "the gate's token %q ends on %s, and nothing is signed after that", t.Name, t.Expires)
	case left < tokenSoon:
		i.warn("token", renew, "the gate's token %q ends on %s", t.Name, t.Expires)
	default:
		i.pass("token", "the gate's token %q is good until %s", t.Name, t.Expires)
	}
}

func without(list []string, less ...string) []string {
	var out []string
	for _, one := range list {
		if !slices.Contains(less, one) {
			out = append(out, one)
		}
	}
	return out
}

func (i *inspection) account(ctx context.Context) {
	self, err := i.readSelf(ctx)
	var u user
	if err == nil {
		u, err = i.readUser(ctx, self.ID)
	}
	switch {
	case err != nil:
		i.fail("account", "look whether GitLab is well, then run it again", "the gate's own account cannot be read: %s", why(err))
	case !u.active():
		i.fail("account", "have an administrator of GitLab activate it", "the gate's account @%s is not active", u.Username)
	case u.Bot == nil || !*u.Bot:
		i.warn("account", "use the access token of a project, a group or a service account: its account is a bot's",
			"the gate speaks as @%s, which is no bot: whoever signs in as that speaks for the gate", u.Username)
	default:
		i.pass("account", "the gate speaks as @%s, a bot", u.Username)
	}
}

// rung tells of the projects that the gate's account administers and that do not ring.
func (i *inspection) rung(ctx context.Context, hookURL string) {
	projects, err := i.Projects(ctx)
	switch {
	case err != nil:
		i.warn("projects", "look whether GitLab is well, then run it again", "the projects of the gate's account cannot be read")
		return
	case len(projects) == 0:
		i.warn("projects", "make the gate's account Maintainer of the projects that release", "the gate's account is Maintainer of no project")
		return
	}
	looked := projects[:min(len(projects), maxLooked)]
	var silent []string
	for _, p := range looked {
		if _, _, found := i.findHook(ctx, p.ID, p.Path, func(at string) bool { return at == hookURL }); !found {
			silent = append(silent, p.Path)
		}
	}
	if len(silent) > 0 {
		i.warn("projects", fixReconcile+", for those that release",
			"%d of %d projects looked at, of which the gate's account is Maintainer, have no hook that it sees to %s: %s",
			len(silent), len(looked), hookURL, strings.Join(silent, ", "))
		return
	}
	i.pass("projects", "the gate's account is Maintainer of %d projects; the %d looked at ring it", len(projects), len(looked))
}

// findHook finds the hook that rings for a project: its own, or one of the groups around it.
func (i *inspection) findHook(ctx context.Context, id int64, path string, same func(string) bool) (hookHome, hook, bool) {
	homes := []hookHome{{path: fmt.Sprintf("projects/%d", id), name: path}}
	for at := path; strings.Contains(at, "/"); {
		at = at[:strings.LastIndex(at, "/")]
		homes = append(homes, hookHome{path: groupPath(at, ""), name: "group " + at, group: true})
	}
	for _, at := range homes {
		if hooks, err := i.readHooks(ctx, at, same); err == nil && len(hooks) > 0 {
			return at, hooks[0], true
		}
	}
	return hookHome{}, hook{}, false
}
