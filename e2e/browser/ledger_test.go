package browser_test

import (
	"context"
	"testing"

	"github.com/countersign/countersign/e2e/browser"
)

// Whoever reads an entry of the ledger has it verified by their own browser, and sees it fail
// where a single bit of what the page holds was changed.
func TestVerifyEntries(t *testing.T) {
	t.Parallel()
	town := found(t)
	released, err := town.Released(t.Context(), "github", "v1.0.0", "Teach the widget to count")
	check(t, err)
	me := tab(t, browser.View{Width: 390})
	heard, err := browser.Listen(me)
	check(t, err)
	at(t, me, town.URL+"/releases/"+released.ID)
	check(t, browser.Click(me, `a[href="/ledger?q=`+released.ID+`"]`))
	for _, row := range []struct {
		words string
		see   []string
		data  []string // what the entry is verified from
	}{
		{"the gate decided", []string{"salted hash of the document", "hashes give the root", "signed by the log"}, []string{"leaf", "salt", "document", "note", "key"}},
		{"a signature, by its key", []string{"signature in the entry", "hashes give the root", "signed by the log"}, []string{"leaf", "note", "key"}},
		{"a signature, by its certificate", []string{"signature in the entry"}, []string{"leaf", "note"}},
	} {
		t.Run(row.words, func(t *testing.T) {
			path, err := town.Entry(t.Context(), released, row.words)
			check(t, err)
			at(t, me, town.URL+path)
			verified(t, me, "yes")
			see(t, me, append(row.see, "Everything holds")...)
			audit(t, me, row.words)
			for _, data := range row.data {
				check(t, browser.Tamper(me, data))
				verified(t, me, "no")
				see(t, me, "does not hold", "Not verified")
				check(t, browser.Tamper(me, data))
			}
			verified(t, me, "yes")
		})
	}
	for _, complaint := range heard() {
		t.Errorf("the browser complains of %s", complaint)
	}
}

func verified(t *testing.T, tab context.Context, want string) {
	t.Helper()
	got, err := browser.Verify(tab)
	check(t, err)
	if got != want {
		text, _ := browser.Text(tab)
		t.Errorf("verified: %s, expected %s:\n%s", got, want, text)
	}
}
