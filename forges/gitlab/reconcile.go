package gitlab

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
)

// Project is a project that the gate's account may administer.
type Project struct {
	ID   int64
	Path string // of display only
}

// Group is a group that the gate's account owns.
type Group struct {
	ID   int64
	Path string // of display only
}

const (
	levelMaintainer = 40
	levelOwner      = 50
)

// Projects lists the projects in which the gate's account is Maintainer or more, by path.
// Errors are *gate.Error.
func (f *Forge) Projects(ctx context.Context) ([]Project, error) {
	all, err := f.administered(ctx)
	if err != nil {
		return nil, err
	}
	var out []Project
	for _, p := range all {
		out = append(out, Project{ID: p.ID, Path: p.PathWithNamespace})
	}
	return out, nil
}

// administered are the projects in which the gate's account is Maintainer or more, by path.
func (f *Forge) administered(ctx context.Context) ([]project, error) {
	rows, err := fetchAll[project](ctx, f.session(gate.RepositoryID{Forge: f.forge}), "projects", url.Values{
		"membership": {"true"}, "min_access_level": {strconv.Itoa(levelMaintainer)}, "archived": {"false"}, "order_by": {"id"},
	})
	if err != nil {
		return nil, failure("the projects of the gate's account", err)
	}
	rows = slices.DeleteFunc(rows, func(p project) bool { return p.ID <= 0 || p.PathWithNamespace == "" })
	slices.SortFunc(rows, func(a, b project) int { return strings.Compare(a.PathWithNamespace, b.PathWithNamespace) })
	return rows, nil
}

// Groups lists the groups that the gate's account owns, by path. Errors are *gate.Error.
func (f *Forge) Groups(ctx context.Context) ([]Group, error) {
	rows, err := fetchAll[groupRow](ctx, f.session(gate.RepositoryID{Forge: f.forge}), "groups", url.Values{
		"min_access_level": {strconv.Itoa(levelOwner)}, "order_by": {"id"},
	})
	if err != nil {
		return nil, failure("the groups of the gate's account", err)
	}
	var out []Group
	for _, g := range rows {
		if g.ID > 0 && g.FullPath != "" {
			out = append(out, Group{ID: g.ID, Path: g.FullPath})
		}
	}
	slices.SortFunc(out, func(a, b Group) int { return strings.Compare(a.Path, b.Path) })
	return out, nil
}

type groupRow struct {
	ID       int64  `json:"id"`
	FullPath string `json:"full_path"`
}

// Reconcile sees to it that each of the groups and projects has one hook to the address,
// with the gate's events, the secret and verification of certificates, and no other to the
// same address. Running it again changes nothing but sets the secret anew, which GitLab
// does not show. Where a group cannot have hooks (they need a paid tier and an Owner) its
// projects' own hooks do the same; a project whose group has one needs none of its own.
// One finding says of each what was done; an error only what kept it from starting.
func (f *Forge) Reconcile(ctx context.Context, projects, groups []int64, hookURL string, secret []byte) ([]api.Finding, error) {
	if err := checkHook(hookURL, secret); err != nil {
		return nil, err
	}
	r := &reconciler{
		session: f.session(gate.RepositoryID{Forge: f.forge}), address: hookURL, secret: secret, area: f.area(),
	}
	for _, id := range groups {
		r.group(ctx, id)
	}
	for _, id := range projects {
		r.project(ctx, id)
	}
	return r.findings, nil
}

func (f *Forge) area() string { return "Forge " + string(f.forge) }

func checkHook(address string, secret []byte) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || (u.Scheme != "https" && u.Scheme != "http") {
		return misconfigured("webhook address", "the server's public URL and the path of the forge's webhooks", strconv.Quote(address))
	}
	_, err = newProof(secret)
	return err
}

// reconciler is one run over groups and projects.
type reconciler struct {
	*session

	address, area string
	secret        []byte
	covered       []string // full paths of groups that have a hook
	findings      []api.Finding
}

func (r *reconciler) say(level api.FindingLevel, id, fix, format string, args ...any) {
	r.findings = append(r.findings, finding(r.area, level, id, fix, format, args...))
}

func finding(area string, level api.FindingLevel, id, fix, format string, args ...any) api.Finding {
	if level == api.FindingPass {
		fix = ""
	}
	return api.Finding{ID: id, Area: printable(area), Level: level, Text: printable(fmt.Sprintf(format, args...)), Fix: printable(fix)}
}

// printable takes out what moves a terminal's cursor or turns its text around: names are
// whatever GitLab says that they are.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

const (
	idHook       = "hook"
	fixMember    = "make the gate's account Maintainer of the project, then run it again"
	fixRunAgain  = "run it again; if it stays, look whether GitLab is well"
	fixReconcile = "countersignd hooks mends it"
)

func (r *reconciler) group(ctx context.Context, id int64) {
	g, err := fetch[groupRow](ctx, r.session, fmt.Sprintf("groups/%d", id), url.Values{"with_projects": {"false"}})
	if err == nil && (g.ID != id || g.FullPath == "") {
		err = errUnexpected
	}
	if err != nil {
		r.say(api.FindingFailure, idHook, "make the gate's account Owner of the group, or name its projects instead",
			"group %d cannot be read: %s", id, why(err))
		return
	}
	at := hookHome{path: fmt.Sprintf("groups/%d", id), name: "group " + g.FullPath, group: true}
	hooks, err := r.readHooks(ctx, at, r.same)
	if unavailable(err) {
		r.say(api.FindingWarning, idHook, "name the group's projects: a hook of each does the same",
			"%s can have no hooks by the gate's account: group webhooks need a paid tier and an Owner", at.name)
		return
	}
	if err != nil {
		r.say(api.FindingFailure, idHook, fixRunAgain, "the hooks of %s cannot be read: %s", at.name, why(err))
		return
	}
	if r.settle(ctx, at, hooks) {
		r.covered = append(r.covered, g.FullPath)
	}
}

// unavailable reports whether something is not there for the gate's account or tier.
func unavailable(err error) bool {
	status := statusOf(err)
	return status == http.StatusNotFound || status == http.StatusForbidden
}

func (r *reconciler) same(address string) bool { return address == r.address }

func (r *reconciler) project(ctx context.Context, id int64) {
	p, err := fetch[project](ctx, r.session, fmt.Sprintf("projects/%d", id), nil)
	if err == nil && (p.ID != id || p.PathWithNamespace == "") {
		err = errUnexpected
	}
	if err != nil {
		r.say(api.FindingFailure, idHook, fixMember, "project %d cannot be read: %s", id, why(err))
		return
	}
	at := hookHome{path: fmt.Sprintf("projects/%d", id), name: p.PathWithNamespace}
	hooks, err := r.readHooks(ctx, at, r.same)
	switch {
	case unavailable(err):
		r.say(api.FindingFailure, idHook, fixMember, "the hooks of %s are closed to the gate's account", at.name)
	case err != nil:
		r.say(api.FindingFailure, idHook, fixRunAgain, "the hooks of %s cannot be read: %s", at.name, why(err))
	case r.coversProject(p.PathWithNamespace):
		if r.remove(ctx, at, hooks) {
			r.say(api.FindingPass, idHook, "", "%s needs no hook of its own: its group's rings for it", at.name)
		}
	default:
		r.settle(ctx, at, hooks)
	}
}

func (r *reconciler) coversProject(path string) bool {
	return slices.ContainsFunc(r.covered, func(group string) bool { return strings.HasPrefix(path, group+"/") })
}

// settle makes the one hook of a place, or brings the oldest up to date and removes others.
func (r *reconciler) settle(ctx context.Context, at hookHome, hooks []hook) bool {
	with := hookSettings(at, r.address, r.secret)
	method, path, done := http.MethodPost, at.hooks(), "a hook of %s was made"
	if len(hooks) > 0 {
		method, path, done = http.MethodPut, at.hook(hooks[0].ID), "the hook of %s holds; its secret was set anew"
		if len(hooks[0].faults(at)) > 0 {
			done = "the hook of %s was brought up to date: " + strings.ReplaceAll(strings.Join(hooks[0].faults(at), "; "), "%", "%%")
		}
	}
	var now hook
	_, err := r.do(ctx, method, path, with, &now)
	if err == nil {
		err = r.holds(at, now)
	}
	if err != nil {
		r.refused(at, err)
		return false
	}
	if !r.remove(ctx, at, hooks[min(1, len(hooks)):]) {
		return false
	}
	if text, is := now.disabled(); is {
		if err := r.wake(ctx, at, now.ID); err != nil {
			r.say(api.FindingWarning, idHook, "see in GitLab why deliveries fail (Settings, Webhooks), then send a test from there",
				"the hook of %s is set, but %s; a test delivery did not arrive", at.name, text)
			return true
		}
		done += "; it had been disabled, and a test delivery was sent through it"
	}
	r.say(api.FindingPass, idHook, "", done, at.name)
	return true
}

// errUnproved is a hook without the secret that was set.
var errUnproved = errors.New("the hook took no signing token")

// holds checks what GitLab says that the hook is now.
func (r *reconciler) holds(at hookHome, now hook) error {
	signing := strings.HasPrefix(string(r.secret), "whsec_")
	switch {
	case now.ID <= 0 || now.URL != r.address:
		return fmt.Errorf("hook %d: %w", now.ID, errUnexpected)
	case signing && (now.SigningSet == nil || !*now.SigningSet):
		return errUnproved
	case len(now.faults(at)) > 0:
		return fmt.Errorf("hook %d: %s: %w", now.ID, strings.Join(now.faults(at), "; "), errUnexpected)
	}
	return nil
}

func (r *reconciler) refused(at hookHome, err error) {
	switch status := statusOf(err); {
	case errors.Is(err, errUnproved):
		r.say(api.FindingFailure, idHook, "set a plain secret of 32 random bytes in place of the whsec_ token: openssl rand -hex 32",
			"this GitLab has no signing tokens for webhooks: the hook of %s would prove nothing", at.name)
	case status == http.StatusUnprocessableEntity || status == http.StatusBadRequest:
		r.say(api.FindingFailure, idHook,
			"use a public https address, or have an administrator of GitLab allow requests to the local network from webhooks",
			"GitLab takes no hook of %s to %s", at.name, r.address)
	case unavailable(err):
		r.say(api.FindingFailure, idHook, fixMember, "the hook of %s cannot be set: the gate's account may not", at.name)
	default:
		r.say(api.FindingFailure, idHook, fixRunAgain, "the hook of %s cannot be set: %s", at.name, why(err))
	}
}

// remove deletes hooks to the gate's own address that are too many. One that is gone is gone.
func (r *reconciler) remove(ctx context.Context, at hookHome, hooks []hook) bool {
	var removed []string
	for _, k := range hooks {
		_, err := r.do(ctx, http.MethodDelete, at.hook(k.ID), nil, nil)
		if err != nil && !isNotFound(err) {
			r.say(api.FindingWarning, idHook, "remove it in GitLab (Settings, Webhooks): every event rings twice through it",
				"hook %d of %s leads to the same address and cannot be removed: %s", k.ID, at.name, why(err))
			return false
		}
		removed = append(removed, strconv.FormatInt(k.ID, 10))
	}
	if len(removed) > 0 {
		r.say(api.FindingPass, idHook, "", "what else of %s led to the same address was removed: hook %s", at.name, strings.Join(removed, ", "))
	}
	return true
}
