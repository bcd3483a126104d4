package browser

import (
	"context"
	"fmt"

	"github.com/chromedp/chromedp"
)

// Verify has the ledger entry in the tab verified by the browser, and returns what the page
// then says of it: "yes" or "no".
func Verify(tab context.Context) (string, error) {
	var verified string
	err := do(tab, "verify the entry",
		chromedp.Evaluate(`delete document.getElementById("check").dataset.verified`, nil),
		chromedp.Click("#check button", chromedp.ByQuery),
		chromedp.WaitReady("#check[data-verified]", chromedp.ByQuery),
		chromedp.AttributeValue("#check", "data-verified", &verified, nil, chromedp.ByQuery))
	return verified, err
}

// Tamper flips one bit in the middle of bytes that the ledger entry in the tab carries as a
// data attribute in base64. What it did is undone by doing it again.
func Tamper(tab context.Context, attribute string) error {
	const flip = `{ const d = document.getElementById("check").dataset, b = Array.from(atob(d[%[1]q]), c => c.charCodeAt(0));
		b[b.length >> 1] ^= 1; d[%[1]q] = btoa(String.fromCharCode(...b)); }`
	return do(tab, "tamper with "+attribute, chromedp.Evaluate(fmt.Sprintf(flip, attribute), nil))
}

// Data reads a data attribute of the ledger entry in the tab.
func Data(tab context.Context, attribute string) (string, error) {
	var value string
	read := fmt.Sprintf(`document.getElementById("check").dataset[%q]`, attribute)
	return value, do(tab, "read "+attribute, chromedp.Evaluate(read, &value))
}

// SetData replaces a data attribute of the ledger entry in the tab.
func SetData(tab context.Context, attribute, value string) error {
	set := fmt.Sprintf(`document.getElementById("check").dataset[%q] = %q`, attribute, value)
	return do(tab, "set "+attribute, chromedp.Evaluate(set, nil))
}
