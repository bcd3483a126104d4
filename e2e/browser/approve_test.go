package browser_test

import (
	"context"
	"testing"

	"github.com/countersign/countersign/e2e/browser"
	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
)

// What one presses on a release's page.
const (
	approve = `form[action$="/approve"] button`
	deny    = `form[action$="/deny"] button`
)

// waits is a release of a forge that waits for somebody's approval.
func waits(t *testing.T, town *browser.Town, forge, tag, title string) *browser.Asked {
	t.Helper()
	asked, err := town.Ask(t.Context(), forge, tag, town.Change(forge, "ana", "bo", title))
	check(t, err)
	check(t, town.Await(t.Context(), asked, "judged", browser.Judged))
	return asked
}

// A maintainer comes from the release's page, signs in, approves with one press, and sees it
// signed on the same page.
func TestApprove(t *testing.T) {
	town := found(t)
	for _, forge := range []string{"github", "gitlab"} {
		t.Run(forge, func(t *testing.T) {
			asked := waits(t, town, forge, "v1.0.0", "Teach the widget to count")
			me := tab(t, browser.View{Width: 390})
			at(t, me, town.URL+"/releases/"+asked.ID)
			check(t, browser.See(me, "waiting for 1 person"))
			check(t, town.SignIn(me, forge, "bo"))
			check(t, browser.See(me, "Needs you"))
			at(t, me, town.URL+"/releases/"+asked.ID)
			check(t, browser.Click(me, approve))
			check(t, browser.See(me, "your approval"))
			// Nothing is loaded again by hand from here on.
			check(t, browser.See(me, "every file is signed"))
			check(t, browser.See(me, "cosign verify-blob"))
			check(t, town.Await(t.Context(), asked, "signed", browser.Signed))
		})
	}
}

// The same with JavaScript switched off: forms and links do it all.
func TestApproveWithoutScript(t *testing.T) {
	town := found(t)
	asked := waits(t, town, "github", "v1.0.0", "Teach the widget to count")
	me := tab(t, browser.View{Width: 1280, NoScript: true})
	check(t, town.SignIn(me, "github", "bo"))
	at(t, me, town.URL+"/releases/"+asked.ID)
	check(t, browser.Click(me, approve))
	check(t, browser.See(me, "your approval"))
	check(t, town.Await(t.Context(), asked, "signed", browser.Signed))
	check(t, browser.Click(me, "a.reload"))
	check(t, browser.See(me, "every file is signed"))
	check(t, browser.Click(me, `form[action="/auth/sign-out"] button`))
	check(t, browser.See(me, "Sign in with GitHub"))
}

// A denial needs a reason, ends the request, and tells whoever asked why.
func TestDeny(t *testing.T) {
	town := found(t)
	asked := waits(t, town, "github", "v1.0.0", "Teach the widget to count")
	me := tab(t, browser.View{Width: 1280, Dark: true})
	check(t, town.SignIn(me, "github", "bo"))
	at(t, me, town.URL+"/releases/"+asked.ID)
	check(t, browser.Press(me, "#deny summary"))
	check(t, browser.Fill(me, "#reason", `the <b>changelog</b> is missing`))
	check(t, browser.Click(me, deny))
	check(t, browser.See(me, `the <b>changelog</b> is missing`))
	check(t, browser.See(me, "denied"))
	check(t, town.Await(t.Context(), asked, "denied", func(r api.Release) bool { return r.State == gate.StateDenied }))
}

// Two press at the same time in two browsers: one release, and nobody is left with a broken
// page.
func TestTwoApprove(t *testing.T) {
	town := found(t)
	asked := waits(t, town, "github", "v1.0.0", "Teach the widget to count")
	press := func(login string) context.Context {
		me := tab(t, browser.View{Width: 1280})
		check(t, town.SignIn(me, "github", login))
		at(t, me, town.URL+"/releases/"+asked.ID)
		return me
	}
	bo, cy := press("bo"), press("cy")
	done := make(chan error, 1)
	go func() { done <- browser.Click(bo, approve) }()
	// Where the first was quicker, the button may be gone: the page says so by itself.
	if err := browser.Click(cy, approve); err != nil {
		check(t, browser.See(cy, "every file is signed"))
	}
	check(t, <-done)
	check(t, town.Await(t.Context(), asked, "signed", browser.Signed))
	at(t, cy, town.URL+"/releases/"+asked.ID)
	check(t, browser.See(cy, "every file is signed"))
}

// Somebody who lost their right while they were signed in is refused, and told.
func TestApproveAfterLosingTheRight(t *testing.T) {
	town := found(t)
	asked := waits(t, town, "github", "v1.0.0", "Teach the widget to count")
	me := tab(t, browser.View{Width: 1280})
	check(t, town.SignIn(me, "github", "cy"))
	at(t, me, town.URL+"/releases/"+asked.ID)
	team := town.Teams["github"]
	team.World.SetRole(team.Repo, team.People["cy"], forgetest.RoleNone)
	check(t, browser.Click(me, approve))
	check(t, browser.See(me, "does not count"))
	check(t, browser.See(me, "waiting for 1 person"))
}

// The inbox shows what comes while somebody looks at it.
func TestInboxIsLive(t *testing.T) {
	town := found(t)
	waits(t, town, "github", "v1.0.0", "Teach the widget to count")
	me := tab(t, browser.View{Width: 1280})
	at(t, me, town.URL+"/")
	check(t, browser.See(me, "v1.0.0"))
	waits(t, town, "gitlab", "v2.0.0", "Teach the widget to sing")
	check(t, browser.See(me, "v2.0.0"))
}
