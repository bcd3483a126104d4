package gitlab

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
)

// Wanted is what a repository's policy names and the forge should have. What is empty is
// not looked for.
type Wanted struct {
	Finish      string // the manual job that collects
	Environment string
	Job         string // the job that asks
	// HookURL is where the project's hook leads; where it is empty, one whose path ends as
	// that of this forge's webhooks.
	HookURL string
}

// InspectRepository looks at what the next release of a project would meet: whether the
// gate sees and administers it, its hook and what became of the latest deliveries, the
// default branch's and the tags' protection, the CI file's jobs, and who could approve. It
// changes nothing.
func (f *Forge) InspectRepository(ctx context.Context, r gate.RepositoryID, want Wanted) []api.Finding {
	i := &inspection{session: f.session(r), area: "Repository " + r.String()}
	p, err := i.readProject(ctx)
	if r.Forge != f.forge || err != nil {
		if r.Forge != f.forge {
			err = errUnexpected
		}
		i.fail("project", fixMember, "project %d cannot be read: %s", r.ID, why(err))
		return i.findings
	}
	i.area = "Repository " + p.PathWithNamespace
	i.pass("project", "the gate sees %s", p.PathWithNamespace)
	level := i.right(ctx)
	if level >= levelMaintainer {
		i.hook(ctx, p, want)
	} else {
		i.warn(idHook, fixMember, "the hooks cannot be seen: GitLab shows them to maintainers alone")
	}
	i.branch(ctx, p.DefaultBranch)
	i.tags(ctx, level)
	i.jobs(ctx, want)
	i.environment(ctx, want.Environment)
	i.approvers(ctx)
	return i.findings
}

// right is the gate's own access level.
func (i *inspection) right(ctx context.Context) int {
	self, err := i.readSelf(ctx)
	var m member
	if err == nil {
		m, err = fetch[member](ctx, i.session, i.path("/members/all/%d", self.ID), nil)
	}
	switch {
	case isNotFound(err):
		i.fail("access", fixMember, "the gate's account is no member")
	case err != nil:
		i.fail("access", fixRunAgain, "the gate's own right cannot be read: %s", why(err))
	case m.AccessLevel < levelMaintainer:
		i.fail("access", fixMember, "the gate's account @%s has access level %d, and needs Maintainer (%d)", m.Username, m.AccessLevel, levelMaintainer)
	default:
		i.pass("access", "the gate's account @%s is Maintainer", m.Username)
	}
	return m.AccessLevel
}

// ours tells the gate's hook by its address, or by how the address ends.
func (i *inspection) ours(want Wanted) func(string) bool {
	return func(address string) bool {
		if want.HookURL != "" {
			return address == want.HookURL
		}
		u, err := url.Parse(address)
		return err == nil && strings.HasSuffix(u.Path, "/webhooks/gitlab/"+string(i.forge))
	}
}

func (i *inspection) hook(ctx context.Context, p project, want Wanted) {
	at, k, found := i.findHook(ctx, p.ID, p.PathWithNamespace, i.ours(want))
	if !found {
		i.fail(idHook, fixReconcile, "no hook that the gate's account sees leads to the gate: comments are heard late, and merge requests not checked")
		return
	}
	if faults := k.faults(at); len(faults) > 0 {
		i.fail(idHook, fixReconcile, "the hook of %s: %s", at.name, strings.Join(faults, "; "))
	} else {
		i.pass(idHook, "the hook of %s leads to the gate, with all its events", at.name)
	}
	if text, is := k.disabled(); is {
		i.fail("deliveries", "see in GitLab why (Settings, Webhooks, Recent events), mend it, then "+fixReconcile, "the hook of %s: %s", at.name, text)
		return
	}
	i.deliveries(ctx, at, k.ID)
}

// deliveries tell whether what GitLab sends arrives.
func (i *inspection) deliveries(ctx context.Context, at hookHome, id int64) {
	rows, known := i.readHookEvents(ctx, at, id)
	if !known || len(rows) == 0 {
		return
	}
	lost := 0
	for _, e := range rows {
		if !e.arrived() {
			lost++
		}
	}
	switch {
	case rows[0].arrived() && lost == 0:
		i.pass("deliveries", "the latest %d deliveries arrived", len(rows))
	case rows[0].arrived():
		i.warn("deliveries", "nothing, if the server was down then: it reads threads again", "the latest delivery arrived; %d of the latest %d did not", lost, len(rows))
	case rows[0].Status == "401":
		i.fail("deliveries", "countersignd setup sets the hook's secret anew", "the latest delivery was refused with 401: the hook's secret is not the server's")
	default:
		i.fail("deliveries", "see that GitLab reaches the server's public URL, with a certificate that it trusts",
			"the latest delivery did not arrive (%s), nor did %d of the latest %d", strings.ToValidUTF8(clip(rows[0].Status), ""), lost, len(rows))
	}
}

func (i *inspection) branch(ctx context.Context, name string) {
	const protect = "protect it in GitLab (Settings, Repository, Protected branches): allowed to push: no one, no force push"
	f := i.readBranchProtection(ctx, name, nil)
	p, known := f.Get()
	if !known {
		i.fail("branch", protect, "%s is not protected, as far as the gate sees: %s", name, f.Why())
		return
	}
	push, _ := p.Push.Get()
	force, told := p.ForcePush.Get()
	reviews, _ := p.Reviews.Get()
	switch {
	case force || !told:
		i.warn("branch", protect, "%s is protected, but may be force-pushed", name)
	case !slices.Equal(push, []string{"nobody"}):
		i.warn("branch", protect, "%s is protected; %s may push without a merge request, and each such push needs somebody else's approval", name, strings.Join(push, ", "))
	default:
		i.pass("branch", "%s is protected: it changes by merge requests alone, with %d approvals required", name, reviews)
	}
}

// tags need protection, or whoever may write moves them; and GitLab takes a status on a
// protected tag, or plays a job of it, only for who may create it.
func (i *inspection) tags(ctx context.Context, level int) {
	const protect = "protect the releases' tags in GitLab (Settings, Repository, Protected tags): allowed to create: maintainers"
	rules, err := i.readRules(ctx, "protected_tags")
	switch {
	case err != nil:
		i.warn("tags", fixRunAgain, "the protected tags cannot be read: %s", why(err))
		return
	case len(rules) == 0:
		i.warn("tags", protect, "no tags are protected: whoever may write moves them")
		return
	}
	var names, closed []string
	for _, r := range rules {
		names = append(names, fmt.Sprintf("%s (created by %s)", r.Name, strings.Join(admitted(r.Create), ", ")))
		if !admits(r.Create, level) {
			closed = append(closed, r.Name)
		}
	}
	if len(closed) > 0 {
		i.warn("tags", "let maintainers create them", "the gate's account may not create the tags %s: GitLab takes no status for them, and people play their jobs", strings.Join(closed, ", "))
		return
	}
	i.pass("tags", "protected tags: %s", strings.Join(names, "; "))
}

// admits reports whether a role's level is among those that an entry admits.
func admits(entries []access, level int) bool {
	return slices.ContainsFunc(entries, func(a access) bool {
		return a.User == 0 && a.Group == 0 && a.DeployKey == 0 && a.Level != nil && *a.Level > 0 && level >= *a.Level
	})
}

// linted is what GitLab makes of the CI file of the default branch, with all that it
// includes (API docs: CI lint, validate a project's CI/CD configuration).
type linted struct {
	Valid  *bool    `json:"valid"`
	Errors []string `json:"errors"`
	Jobs   []struct {
		Name string `json:"name"`
		When string `json:"when"`
	} `json:"jobs"`
}

func (i *inspection) jobs(ctx context.Context, want Wanted) {
	l, err := fetch[linted](ctx, i.session, i.path("/ci/lint"), url.Values{"include_jobs": {"true"}})
	switch {
	case err != nil || l.Valid == nil:
		i.warn("ci", fixRunAgain, "GitLab does not tell what jobs the CI file has: %s", whyOr(err))
		return
	case !*l.Valid:
		i.fail("ci", "mend .gitlab-ci.yml on the default branch", "the CI file of the default branch does not hold, so nothing asks for a signature")
		return
	}
	when := map[string]string{}
	for _, j := range l.Jobs {
		when[j.Name] = j.When
	}
	if want.Job != "" {
		if _, has := when[want.Job]; has {
			i.pass("ci", "the CI file has the job %s", want.Job)
		} else {
			i.warn("ci", "name the job so, or name its name in the policy: job",
				"the CI file of the default branch names no job %s for a pipeline of its own; one for tags alone may still", want.Job)
		}
	}
	if want.Finish == "" {
		return
	}
	switch kind, has := when[want.Finish]; {
	case !has:
		i.warn("finish", "name the job so, or name its name in the policy: finish",
			"the CI file of the default branch names no job %s for a pipeline of its own; one for tags alone may still", want.Finish)
	case kind != "manual":
		i.fail("finish", "give the job `when: manual`: the gate plays it once the release is signed", "the job %s does not wait for the gate: it runs %s", want.Finish, kind)
	default:
		i.pass("finish", "the job %s waits until the gate plays it", want.Finish)
	}
}

func (i *inspection) environment(ctx context.Context, name string) {
	if name == "" {
		return
	}
	rows, err := fetchAll[struct {
		Name string `json:"name"`
	}](ctx, i.session, i.path("/environments"), url.Values{"name": {name}})
	switch {
	case err != nil:
		i.warn("environment", fixRunAgain, "the environments cannot be read: %s", why(err))
	case len(rows) == 0 || rows[0].Name != name:
		i.warn("environment", "give the job that asks `environment: "+name+"`, or take it out of the policy", "there is no environment %s yet", name)
	default:
		i.pass("environment", "there is the environment %s", name)
	}
}

func (i *inspection) approvers(ctx context.Context) {
	f := i.readCandidates(ctx)
	all, known := f.Get()
	if !known {
		i.warn("people", fixRunAgain, "who may write cannot be told: %s", f.Why())
		return
	}
	var people []string
	for _, m := range all {
		if m.Active && m.Account.Human {
			people = append(people, "@"+m.Account.Login)
		}
	}
	switch len(people) {
	case 0:
		i.fail("people", "give two people the role Developer or more", "nobody may approve: no person has the role Developer or more")
	case 1:
		i.fail("people", "give a second person the role Developer or more", "only %s has the role Developer or more: nobody can cover what they wrote", people[0])
	default:
		i.pass("people", "%d people have the role Developer or more", len(people))
	}
}
