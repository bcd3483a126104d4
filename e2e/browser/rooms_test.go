package browser_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/countersign/countersign/e2e/browser"
	"github.com/countersign/countersign/e2e/stage"
	"github.com/countersign/countersign/forges/forgetest"
)

// noScript is a browser in which nothing but HTML works.
func noScript() browser.View { return browser.View{Width: 1280, NoScript: true} }

// An administrator compares a newer policy with the one in force and puts it in force; a
// maintainer sees the comparison, and nothing to press.
func TestAdoption(t *testing.T) {
	t.Parallel()
	town := found(t)
	town.ProposePolicy("github")
	widget := fmt.Sprintf("%s/repositories/github/%d", town.URL, town.Teams["github"].Repo.ID)

	ana := tab(t, noScript())
	check(t, town.SignIn(ana, "github", "ana"))
	at(t, ana, widget+"/policy")
	see(t, ana, "is not the one in force", "{from: [write], count: 2}", "An administrator of this server may put it in force")
	absent(t, ana, `form[action$="/policy"]`)

	eve := tab(t, noScript())
	check(t, town.SignIn(eve, "github", "eve"))
	at(t, eve, town.URL+"/repositories")
	check(t, browser.Click(eve, `a[href="`+widget[len(town.URL):]+`"]`))
	check(t, browser.Click(eve, `a[href$="/policy"]`))
	check(t, browser.Click(eve, `form[action$="/policy"] button`))
	see(t, eve, "is in force from now on", "by @eve (github:", "count: 2", "1 earlier policy")
	check(t, browser.Click(eve, `a[href$="/policy"]`))
	see(t, eve, "is the one in force")
}

// A form that was filled before the default branch moved puts nothing in force.
func TestStaleAdoption(t *testing.T) {
	t.Parallel()
	town := found(t)
	eve := tab(t, browser.View{Width: 390})
	check(t, town.SignIn(eve, "github", "eve"))
	at(t, eve, fmt.Sprintf("%s/repositories/github/%d/policy", town.URL, town.Teams["github"].Repo.ID))
	town.ProposePolicy("github")
	check(t, browser.Click(eve, `form[action$="/policy"] button`))
	see(t, eve, "moved since the policy was shown", "CS-1308")
}

// The first policy of a repository: its release is refused with the place to go, where an
// administrator puts the policy in force, and then it is judged.
func TestFirstAdoption(t *testing.T) {
	t.Parallel()
	town := found(t)
	gadget := newcomer(town.Teams["github"])
	town.Teams["github"] = gadget
	_, err := town.Ask(t.Context(), "github", "v0.1.0", forgetest.Change{})
	place := fmt.Sprintf("%s/repositories/github/%d/policy", town.URL, gadget.Repo.ID)
	if err == nil || !strings.Contains(err.Error(), place) {
		t.Fatalf("a release without a policy in force was answered %v, expected a refusal that names %s", err, place)
	}

	eve := tab(t, browser.View{Width: 1280})
	check(t, town.SignIn(eve, "github", "eve"))
	at(t, eve, town.URL+"/repositories")
	check(t, browser.Click(eve, `a[href="/repositories/new"]`))
	see(t, eve, "acme/gadget")
	check(t, browser.Click(eve, `a[href="`+place[len(town.URL):]+`"]`))
	address, err := browser.Address(eve)
	check(t, err)
	if address != place {
		t.Errorf("the list leads to %s, expected %s", address, place)
	}
	see(t, eve, "First policy of acme/gadget")
	audit(t, eve, "first adoption")
	check(t, browser.Click(eve, `form[action$="/policy"] button`))
	see(t, eve, "is in force from now on", "Nothing was asked for yet")
	asked, err := town.Ask(t.Context(), "github", "v0.1.1", forgetest.Change{})
	check(t, err)
	check(t, town.Await(t.Context(), asked, "judged", browser.Judged))
	at(t, eve, town.URL+"/repositories")
	see(t, eve, "acme/gadget", "v0.1.1")
}

// newcomer is a repository with a policy that nobody put in force, of a team's people.
func newcomer(of *stage.Team) *stage.Team {
	t := &stage.Team{World: of.World, Repo: of.World.AddRepository("acme/gadget"), People: of.People}
	for name, role := range stage.Roles() {
		t.World.SetRole(t.Repo, t.People[name], role)
	}
	eve := t.People["eve"]
	first := t.World.Commit(t.Repo, forgetest.CommitSpec{Author: eve, Message: "Start the gadget", Files: map[string][]byte{
		".countersign.yaml": []byte(stage.Policy(t.World.Name())), ".github/workflows/release.yml": []byte("on: {push: {tags: ['v*']}}\n"),
	}})
	t.World.Push(t.Repo, eve, "refs/heads/main", first)
	t.World.Protect(t.Repo, forgetest.Protection{Ref: "refs/heads/main", Reviews: 1})
	t.World.Protect(t.Repo, forgetest.Protection{Ref: "refs/tags/v*"})
	t.World.Publish(t.Repo)
	return t
}

// An administrator has a delivery worked on again, and reads what the doctor and the keys say.
func TestOperationsAndKeys(t *testing.T) {
	t.Parallel()
	town := found(t)
	released, err := town.Released(t.Context(), "github", "v1.0.0", "Teach the widget to count")
	check(t, err)
	eve := tab(t, noScript())
	check(t, town.SignIn(eve, "github", "eve"))
	at(t, eve, town.URL+"/operations")
	see(t, eve, "deliveries", "median", "issue_comment")
	check(t, browser.Click(eve, `form[action^="/operations/deliveries/"] button`))
	see(t, eve, "worked on again")
	check(t, browser.Click(eve, `a[href="/operations/doctor"]`))
	see(t, eve, "Nothing is in the way", "Tokens and keys", "Next:", "acme/widget")
	check(t, browser.Click(eve, `main a[href$="/readiness"]`))
	see(t, eve, "Readiness of acme/widget", "is in force")
	check(t, browser.Click(eve, `nav a[href="/operations"]`))
	see(t, eve, "The doctor looked")
	check(t, browser.Click(eve, `nav a[href="/keys"]`))
	see(t, eve, "acme-release", "signs", "in 1 release", "everything of acme on GitHub")
	check(t, browser.Click(eve, `a[href="/keys/acme-release"]`))
	check(t, browser.Click(eve, `a[href="/releases/`+released.ID+`"]`))
	see(t, eve, "v1.0.0")

	bo := tab(t, noScript())
	check(t, town.SignIn(bo, "github", "bo"))
	absent(t, bo, `nav a[href="/operations"]`)
	status, err := browser.Open(bo, town.URL+"/operations")
	check(t, err)
	if status != http.StatusForbidden {
		t.Errorf("a maintainer's operations answered %d", status)
	}
}

func see(t *testing.T, tab context.Context, texts ...string) {
	t.Helper()
	for _, text := range texts {
		check(t, browser.See(tab, text))
	}
}

func absent(t *testing.T, tab context.Context, selector string) {
	t.Helper()
	there, err := browser.Has(tab, selector)
	check(t, err)
	if there {
		t.Errorf("the page has %s", selector)
	}
}
