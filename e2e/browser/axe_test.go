package browser_test

import (
	"context"
	"testing"

	"github.com/countersign/countersign/e2e/browser"
)

// No page has a serious or critical violation, nor weighs more than 100 KB with all that
// it loads, however it is looked at.
func TestPagesAreAccessible(t *testing.T) {
	town := found(t)
	change := town.Change("github", "ana", "bo", "Teach the widget to count")
	asked, err := town.Ask(t.Context(), "github", "v1.0.0", change)
	check(t, err)
	check(t, town.Await(t.Context(), asked, "judged", browser.Judged))
	for _, v := range views() {
		t.Run(v.String(), func(t *testing.T) {
			me := tab(t, v)
			for _, path := range []string{"/", "/releases/" + asked.ID, "/errors/CS-1001"} {
				at(t, me, town.URL+path)
				audit(t, me)
			}
		})
	}
}

// heaviest is what a page may weigh on the wire with all that it loads, in bytes.
const heaviest = 100_000

// audit holds the page in the tab against what is true of every page.
func audit(t *testing.T, tab context.Context) {
	t.Helper()
	weight, err := browser.Weight(tab)
	check(t, err)
	if weight > heaviest {
		address, _ := browser.Address(tab)
		t.Errorf("%s weighs %d bytes, expected at most %d", address, weight, heaviest)
	}
	if err := browser.Audit(tab, axe); err != nil {
		t.Error(err)
	}
}
