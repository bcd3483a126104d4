package browser_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/countersign/countersign/e2e/browser"
)

// What all stories share: the real binaries, built once, one Chromium and axe-core.
var (
	bin      string          //nolint:gochecknoglobals // set once by TestMain, before any test
	chromium context.Context //nolint:gochecknoglobals // set once by TestMain, before any test
	axe      string          //nolint:gochecknoglobals // set once by TestMain, before any test
)

func TestMain(m *testing.M) {
	os.Exit(func() int {
		if err := prepare(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _ = os.RemoveAll(bin) }()
		ctx, end, err := browser.Start(context.Background(), bin)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer end()
		chromium = ctx
		return m.Run()
	}())
}

func prepare() error {
	var err error
	if axe, err = browser.Axe(); err != nil {
		return err
	}
	if bin, err = os.MkdirTemp("", "countersign-browser"); err != nil {
		return err
	}
	for _, name := range []string{"countersignd", "countersign", "countersign-demo"} {
		cmd := exec.Command("go", "build", "-o", filepath.Join(bin, name), "../../cmd/"+name)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", name, err, out)
		}
	}
	return nil
}

// found is a town of the test's own.
func found(t *testing.T) *browser.Town {
	t.Helper()
	dir := t.TempDir()
	log, err := os.Create(filepath.Join(dir, "daemon.log"))
	check(t, err)
	town, err := browser.Found(t.Context(), bin, filepath.Join(dir, "stage"), log)
	if err != nil {
		told(t, log.Name())
		t.Fatal(err)
	}
	t.Cleanup(func() {
		town.Close()
		_ = log.Close()
		if t.Failed() {
			told(t, log.Name())
		}
	})
	return town
}

// told prints the end of the daemon's log.
func told(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
	}
	const most = 8000
	t.Logf("the daemon's log ends:\n%s", b[max(0, len(b)-most):])
}

// tab is a person's browser.
func tab(t *testing.T, v browser.View) context.Context {
	t.Helper()
	ctx, closeTab, err := browser.Tab(chromium, v)
	check(t, err)
	t.Cleanup(closeTab)
	return ctx
}

// at opens a page and expects it to be there.
func at(t *testing.T, tab context.Context, url string) {
	t.Helper()
	status, err := browser.Open(tab, url)
	check(t, err)
	if status != 200 {
		text, _ := browser.Text(tab)
		t.Fatalf("%s answered %d:\n%s", url, status, text)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// views are how every page is looked at.
func views() []browser.View {
	return []browser.View{{Width: 1280}, {Width: 1280, Dark: true}, {Width: 390}, {Width: 390, Dark: true}}
}
