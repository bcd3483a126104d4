package browser

import (
	"context"
	"fmt"
	"os"
	"os/exec"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// Start starts Chromium, without a window and with a fresh profile below dir; the context
// that it returns is what tabs are opened from. The returned function ends it.
func Start(ctx context.Context, dir string) (context.Context, context.CancelFunc, error) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		return nil, nil, fmt.Errorf("find Chromium: %w; scripts/deps.sh installs it", err)
	}
	profile, err := os.MkdirTemp(dir, "chromium")
	if err != nil {
		return nil, nil, err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.UserDataDir(profile),
		chromedp.Flag("force-color-profile", "srgb"), chromedp.Flag("hide-scrollbars", true),
		chromedp.Flag("font-render-hinting", "none"))
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium refuses to run as root with one
	}
	ctx, endAllocator := chromedp.NewExecAllocator(ctx, options...)
	ctx, endBrowser := chromedp.NewContext(ctx)
	end := func() {
		endBrowser()
		endAllocator()
	}
	if err := chromedp.Run(ctx); err != nil {
		end()
		return nil, nil, fmt.Errorf("start %s: %w", path, err)
	}
	return ctx, end, nil
}

// View is how a person looks at the pages.
type View struct {
	Width    int // of the window, in CSS pixels
	Dark     bool
	NoScript bool // JavaScript is off
}

// String names the view: "1280-light".
func (v View) String() string {
	name := fmt.Sprintf("%d-light", v.Width)
	if v.Dark {
		name = fmt.Sprintf("%d-dark", v.Width)
	}
	if v.NoScript {
		name += "-noscript"
	}
	return name
}

// Tab opens a tab with cookies of its own: another person's browser. The returned function
// closes it.
func Tab(browser context.Context, v View) (context.Context, context.CancelFunc, error) {
	person, window, err := open(cdp.WithExecutor(browser, chromedp.FromContext(browser).Browser))
	if err != nil {
		return nil, nil, fmt.Errorf("open a window: %w", err)
	}
	tab, leave := chromedp.NewContext(browser, chromedp.WithTargetID(window))
	closeTab := func() {
		leave()
		// The browser may be gone already: so is the person then.
		_ = target.DisposeBrowserContext(person).Do(cdp.WithExecutor(browser, chromedp.FromContext(browser).Browser))
	}
	if err := Look(tab, v); err != nil {
		closeTab()
		return nil, nil, err
	}
	return tab, closeTab, nil
}

// open opens a window in a browser context of its own. Chromium wants the window asked for:
// chromedp's own way finds no browser to put the tab into.
func open(ctx context.Context) (cdp.BrowserContextID, target.ID, error) {
	person, err := target.CreateBrowserContext().Do(ctx)
	if err != nil {
		return "", "", err
	}
	window, err := target.CreateTarget("about:blank").WithBrowserContextID(person).WithNewWindow(true).Do(ctx)
	return person, window, err
}

// Look changes how the tab is looked at, from the next page on.
func Look(tab context.Context, v View) error {
	scheme := "light"
	if v.Dark {
		scheme = "dark"
	}
	media := emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	})
	const height = 900
	err := chromedp.Run(tab, media, chromedp.EmulateViewport(int64(v.Width), height), emulation.SetScriptExecutionDisabled(v.NoScript))
	if err != nil {
		return fmt.Errorf("look at it as %s: %w", v, err)
	}
	return nil
}
