package github

import (
	"context"
	"errors"
	"regexp"
	"strings"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
)

// Wanted is what a repository's policy names. Empty fields are not looked at.
type Wanted struct {
	Workflow    string // "release.yml", a path, or another repository's: owner/name/path@ref
	Finish      string
	Environment string
	// Publish is where the policy puts evidence.
	Publish []gate.Publication
}

// InspectRepository examines what the repository's next release would meet: the App's
// installation, the default branch's protection, the policy's workflows there, the
// environment with the App's rule, immutable releases, and who may write. It changes
// nothing. Each finding that is no pass has its fix.
func (f *Forge) InspectRepository(ctx context.Context, r gate.RepositoryID, want Wanted) []api.Finding {
	x := &examined{area: "Repository " + r.String()}
	repo, err := f.open(ctx, r, "")
	if err != nil {
		x.unopened(err)
		return x.out
	}
	x.area = "Repository " + repo.facts.FullName
	x.pass("installed", "the App is installed on %s", repo.facts.FullName)
	rd := &reading{
		repository: repo, snap: &snapshot{}, request: gate.Request{Repository: r, RepositoryName: repo.facts.FullName}, needs: gate.Needs{Candidates: true},
	}
	x.protection(repo.facts.DefaultBranch, rd.branchProtection(ctx, repo.facts.DefaultBranch))
	x.workflow(ctx, repo, "workflow", want.Workflow)
	x.workflow(ctx, repo, "finish", want.Finish)
	x.environment(ctx, repo, want.Environment)
	x.immutable(ctx, repo)
	x.publishing(ctx, repo, want.Publish)
	x.writers(rd.candidates(ctx))
	return x.out
}

func (x *examined) unopened(err error) {
	var e *callError
	suspended := errors.As(err, &e) && strings.Contains(e.message, "suspended")
	switch {
	case errors.Is(err, errNotInstalled):
		x.fail("installed", "install the App on it, from the App's page at GitHub", "the App is not installed on the repository, or it is gone")
	case suspended:
		x.fail("installed", "its owner resumes the installation", "the App's installation is suspended")
	default:
		x.fail("installed", "try again; if it stays, see the findings about the forge", "the repository cannot be read: %s", why(err))
	}
}

func (x *examined) protection(branch string, f gate.Fact[gate.Protection]) {
	const settings = "in the repository's settings, under Rules or Branches: "
	p, ok := f.Get()
	switch {
	case f.IsAbsent():
		x.fail("protection", settings+"protect "+branch+", with pull requests and a review required", "%s is not protected: whoever may write pushes to it", branch)
		return
	case !ok:
		x.fail("protection", "try again; the App needs administration: read", "how %s is protected cannot be read: %s", branch, f.Why())
		return
	}
	fine := true
	weak := func(fact gate.Fact[bool], bad bool, fix, text string) {
		if v, known := fact.Get(); known && v == bad {
			fine = false
			x.warn("protection", settings+fix, "%s", text)
		}
	}
	weak(p.ForcePush, true, "block force pushes to "+branch, branch+" takes force pushes: what was reviewed can be replaced")
	weak(p.Deletion, true, "restrict deletions of "+branch, branch+" can be deleted")
	weak(p.AdminsEnforced, false, "do not let administrators come past the rules", "administrators come past the rules of "+branch)
	if n, known := p.Reviews.Get(); known && n == 0 {
		fine = false
		x.warn("protection", settings+"require a pull request with an approving review", "%s takes changes without a review: all of them then need a release approval", branch)
	}
	if names, known := p.Bypass.Get(); known && len(names) > 0 {
		fine = false
		x.warn("protection", settings+"empty the bypass list", "%s may come past the rules of %s", some(names), branch)
	}
	if fine {
		x.pass("protection", "%s is protected by %s", branch, some(p.Sources))
	}
}

// mintsToken is how a workflow asks for ID tokens.
var mintsToken = regexp.MustCompile(`(?m)^[^#\n]*(id-token\s*:\s*["']?write|permissions\s*:\s*["']?write-all)`)

// workflow looks for a workflow's file on the default branch.
func (x *examined) workflow(ctx context.Context, repo *repository, id, name string) {
	if name == "" {
		return
	}
	if strings.Contains(name, "@") {
		x.pass(id, "%s is another repository's workflow: it is not looked at here", name)
		return
	}
	if !strings.Contains(name, "/") {
		name = ".github/workflows/" + name
	}
	branch, err := repo.branch(ctx, repo.facts.DefaultBranch)
	if err != nil {
		x.fail(id, "try again", "%s cannot be read: %s", repo.facts.DefaultBranch, why(err))
		return
	}
	text, err := repo.file(ctx, name, branch.Commit.SHA)
	switch {
	case isNotFound(err):
		x.fail(id, "commit it, or name the one that there is in the policy", "%s has no %s", repo.facts.DefaultBranch, name)
	case err != nil:
		x.fail(id, "try again", "%s cannot be read: %s", name, why(err))
	case !mintsToken.Match(text):
		x.warn(id, "add to the job:\npermissions:\n  id-token: write\n  contents: read", "%s asks for no ID token: a job without one is refused", name)
	default:
		x.pass(id, "%s is on %s, and asks for an ID token", name, repo.facts.DefaultBranch)
	}
}

// environment looks whether jobs for an environment wait for the gate (REST API, "Get all
// deployment protection rules for an environment").
func (x *examined) environment(ctx context.Context, repo *repository, name string) {
	if name == "" {
		return
	}
	const where = "in the repository's settings, under Environments: "
	var env struct {
		Name string `json:"name"`
	}
	err := repo.get(ctx, &env, nil, repo.at("environments", name)...)
	switch {
	case isNotFound(err):
		x.fail("environment", where+"create "+name+", and enable the App's deployment protection rule in it", "there is no environment %s", name)
		return
	case err != nil:
		x.fail("environment", "try again; the App needs actions: read", "environment %s cannot be read: %s", name, why(err))
		return
	}
	var rules struct {
		Rules []struct {
			Enabled bool `json:"enabled"`
			App     struct {
				ID int64 `json:"id"`
			} `json:"app"`
		} `json:"custom_deployment_protection_rules"`
	}
	if err := repo.get(ctx, &rules, nil, repo.at("environments", name, "deployment_protection_rules")...); err != nil {
		x.fail("environment", "try again; the App needs actions: read", "the rules of environment %s cannot be read: %s", name, why(err))
		return
	}
	for _, r := range rules.Rules {
		if r.Enabled && r.App.ID == repo.forge.cfg.AppID {
			x.pass("environment", "jobs for %s wait for the gate", name)
			return
		}
	}
	x.fail("environment", where+"enable the App's deployment protection rule in "+name, "jobs for %s do not wait for the gate: its rule is not enabled there", name)
}

// immutable looks whether published releases stay as they are (REST API, "Check if immutable
// releases are enabled for a repository"; 404 says that they are not).
func (x *examined) immutable(ctx context.Context, repo *repository) {
	const id, fix = "immutable-releases", "in the repository's settings, under Releases: enable release immutability"
	var raw struct {
		Enabled *bool `json:"enabled"`
	}
	err := repo.get(ctx, &raw, nil, repo.at("immutable-releases")...)
	switch {
	case isNotFound(err) && repo.forge.enterprise():
		x.warn(id, fix+", where this GitHub has it", "releases are not immutable: published files can be replaced")
	case isNotFound(err), err == nil && raw.Enabled != nil && !*raw.Enabled:
		x.warn(id, fix, "releases are not immutable: published files can be replaced")
	case err != nil:
		x.warn(id, "look in the repository's settings, under Releases", "whether releases are immutable cannot be read: %s", why(err))
	case raw.Enabled == nil:
		x.warn(id, "look in the repository's settings, under Releases", "GitHub does not tell whether releases are immutable")
	default:
		x.pass(id, "published releases are immutable")
	}
}

// publishing looks for the permissions that evidence needs at GitHub, where the policy wants
// it there.
func (x *examined) publishing(ctx context.Context, repo *repository, to []gate.Publication) {
	for _, p := range to {
		permission, id := permContents, "publish-assets"
		if p == gate.PublishAttestations {
			permission, id = permAttestations, "publish-attestations"
		}
		switch may, err := repo.mayWrite(ctx, permission); {
		case err != nil:
			x.warn(id, "try again", "whether the App may write %s cannot be read: %s", permission, why(err))
		case !may:
			x.fail(id, "give the App "+permission+": write "+appPage+"Permissions & events, and have the organisation accept it; or take "+string(p)+" out of the policy's publish",
				"the policy publishes %s, and the App may not write %s", p, permission)
		default:
			x.pass(id, "the App may write %s", permission)
		}
	}
}

// writers counts the people who may write: one alone has nobody to cover their changes.
func (x *examined) writers(f gate.Fact[[]gate.Member]) {
	all, ok := f.Get()
	if !ok {
		x.fail("writers", "try again; the App needs metadata: read", "who may write cannot be read: %s", f.Why())
		return
	}
	var names []string
	for _, m := range all {
		if m.Account.Human && m.Active && m.Role >= gate.RoleWrite {
			names = append(names, "@"+m.Account.Login)
		}
	}
	const fix = "give a second person the role write: nobody covers their own changes"
	switch len(names) {
	case 0:
		x.fail("writers", fix, "nobody may write to the repository")
	case 1:
		x.fail("writers", fix, "only %s may write: nobody else can approve what %s wrote", names[0], names[0])
	default:
		x.pass("writers", "people who may write: %d (%s)", len(names), some(names))
	}
}
