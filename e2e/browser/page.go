package browser

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// patience bounds every wait; it is a limit, never a measure.
const patience = 30 * time.Second

// do runs actions in the tab, in bounded time.
func do(tab context.Context, what string, actions ...chromedp.Action) error {
	ctx, cancel := context.WithTimeout(tab, patience)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// Open loads a page and returns the status of the answer.
func Open(tab context.Context, url string) (status int, err error) {
	ctx, cancel := context.WithTimeout(tab, patience)
	defer cancel()
	resp, err := chromedp.RunResponse(ctx, chromedp.Navigate(url))
	if err != nil {
		return 0, fmt.Errorf("open %s: %w", url, err)
	}
	return int(resp.Status), nil
}

// Click clicks what matches a CSS selector, and waits for the page that it leads to.
func Click(tab context.Context, selector string) error {
	ctx, cancel := context.WithTimeout(tab, patience)
	defer cancel()
	if _, err := chromedp.RunResponse(ctx, chromedp.Click(selector, chromedp.ByQuery)); err != nil {
		return fmt.Errorf("click %s: %w", selector, err)
	}
	return nil
}

// Press clicks what matches a CSS selector, where no other page follows from it.
func Press(tab context.Context, selector string) error {
	return do(tab, "press "+selector, chromedp.Click(selector, chromedp.ByQuery))
}

// Fill writes text into the field that matches a CSS selector.
func Fill(tab context.Context, selector, text string) error {
	empty := fmt.Sprintf(`document.querySelector(%q).value = ""`, selector)
	return do(tab, "fill "+selector, chromedp.WaitVisible(selector, chromedp.ByQuery), chromedp.Evaluate(empty, nil), chromedp.SendKeys(selector, text, chromedp.ByQuery))
}

// See waits until the page's text holds one, however its letters are cased.
func See(tab context.Context, text string) error {
	return await(tab, fmt.Sprintf("%q on the page", text), func(shown string) bool {
		return strings.Contains(strings.ToLower(shown), strings.ToLower(text))
	})
}

// await looks at the page again and again until it is as wanted.
func await(tab context.Context, wanted string, is func(text string) bool) error {
	for over := time.Now().Add(patience); ; {
		shown, err := Text(tab)
		if err == nil && is(shown) {
			return nil
		}
		if time.Now().After(over) {
			at, _ := Address(tab) // it is told where it can be
			return errors.Join(err, fmt.Errorf("expected %s at %s, got:\n%s", wanted, at, shown))
		}
		select {
		case <-tab.Done():
			return tab.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Text is what the page shows.
func Text(tab context.Context) (string, error) {
	var out string
	err := do(tab, "read the page", chromedp.Evaluate(`document.body ? document.body.innerText : ""`, &out))
	return out, err
}

// Has reports whether anything of the page matches a CSS selector.
func Has(tab context.Context, selector string) (bool, error) {
	var n int
	err := do(tab, "look for "+selector, chromedp.Evaluate(fmt.Sprintf(`document.querySelectorAll(%q).length`, selector), &n))
	return n > 0, err
}

// is evaluates a condition in the page.
func is(tab context.Context, condition string) (bool, error) {
	var out bool
	err := do(tab, "ask whether "+condition, chromedp.Evaluate(condition, &out))
	return out, err
}

// Style puts a style into the page, as somebody would who may not.
func Style(tab context.Context, css string) error {
	put := fmt.Sprintf(`{ const s = document.createElement("style"); s.textContent = %q; document.head.append(s); }`, css)
	return do(tab, "put a style into the page", chromedp.Evaluate(put, nil))
}

// Address is where the tab is.
func Address(tab context.Context) (string, error) {
	var at string
	return at, do(tab, "read the address", chromedp.Location(&at))
}

// Weight is what the page and everything that it loaded took on the wire, in bytes.
func Weight(tab context.Context) (int, error) {
	const sum = `[...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
		.reduce((sum, e) => sum + e.encodedBodySize, 0)`
	var n int
	err := do(tab, "weigh the page", chromedp.Evaluate(sum, &n))
	return n, err
}

// Overflow tells what makes the page wider than the window; "" where nothing does.
func Overflow(tab context.Context) (string, error) {
	const look = `(() => {
		const width = document.documentElement.clientWidth;
		if (document.documentElement.scrollWidth <= width) return "";
		const wide = [...document.querySelectorAll("main *, header *, footer *")].filter(e => e.getBoundingClientRect().right > width + 1);
		return wide.length ? wide.at(-1).outerHTML.slice(0, 200) : "something";
	})()`
	var out string
	err := do(tab, "measure the page", chromedp.Evaluate(look, &out))
	return out, err
}

// Screenshot is a picture of the page from its top down, at most so many CSS pixels high, as
// PNG.
func Screenshot(tab context.Context, most int) ([]byte, error) {
	var size []float64
	if err := do(tab, "measure the page", chromedp.Evaluate(`[document.documentElement.clientWidth, document.body.scrollHeight]`, &size)); err != nil {
		return nil, err
	}
	clip := &page.Viewport{Width: size[0], Height: min(size[1], float64(most)), Scale: 1}
	var png []byte
	err := do(tab, "take a picture", chromedp.ActionFunc(func(ctx context.Context) error {
		var err error
		png, err = page.CaptureScreenshot().WithClip(clip).WithCaptureBeyondViewport(true).WithFromSurface(true).Do(ctx)
		return err
	}))
	return png, err
}
