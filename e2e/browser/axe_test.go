package browser_test

import (
	"context"
	"testing"

	"github.com/countersign/countersign/e2e/browser"
)

// No page has a serious or critical violation, does what its own CSP blocks, is wider than the window, or weighs more than
// 100 KB with all that it loads: however it is looked at, signed out, as a maintainer and as
// an administrator.
func TestPagesAreAccessible(t *testing.T) {
	town := found(t)
	history, err := town.Populate(t.Context())
	check(t, err)
	town.ProposePolicy("github")
	for _, who := range []string{"", "cy", "eve"} {
		t.Run("as "+who, func(t *testing.T) {
			me := tab(t, browser.View{Width: 1280})
			if who != "" {
				check(t, town.SignIn(me, "github", who))
			}
			heard, err := browser.Listen(me)
			check(t, err)
			for _, p := range browser.Pages(town, history) {
				// What is for others shows a problem's page, which is held against the same.
				_, err := browser.Open(me, town.URL+p.Path)
				check(t, err)
				for _, v := range views() {
					check(t, browser.Look(me, v))
					audit(t, me, p.Name+" "+v.String())
				}
				for _, complaint := range heard() {
					t.Errorf("%s: the browser complains of %s", p.Name, complaint)
				}
			}
		})
	}
}

// heaviest is what a page may weigh on the wire with all that it loads, in bytes.
const heaviest = 100_000

// audit holds the page in the tab against what is true of every page.
func audit(t *testing.T, tab context.Context, page string) {
	t.Helper()
	weight, err := browser.Weight(tab)
	check(t, err)
	if weight > heaviest {
		t.Errorf("%s weighs %d bytes, expected at most %d", page, weight, heaviest)
	}
	over, err := browser.Overflow(tab)
	check(t, err)
	if over != "" {
		t.Errorf("%s is wider than the window because of %s", page, over)
	}
	if err := browser.Audit(tab, axe); err != nil {
		t.Errorf("%s: %v", page, err)
	}
}

// What is blocked is heard: else silence would prove nothing.
func TestListenHearsWhatTheCSPBlocks(t *testing.T) {
	t.Parallel()
	town := found(t)
	me := tab(t, browser.View{Width: 1280})
	heard, err := browser.Listen(me)
	check(t, err)
	at(t, me, town.URL+"/docs/")
	check(t, browser.Style(me, "h1 { color: red }"))
	for range 100 {
		if complaints := heard(); len(complaints) > 0 {
			return
		}
		see(t, me, "Manual")
	}
	t.Error("an inline style was put into the page, and nothing was heard")
}
