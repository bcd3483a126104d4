package browser_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"

	"github.com/countersign/countersign/e2e/browser"
)

// The demo's last release is its reader's: they open the address that it prints, sign in as
// somebody who did not write it, and approve; the job that waits then gets its signatures.
func TestDemoIsTheReadersToEnd(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "told")
	told, err := os.Create(path)
	check(t, err)
	defer func() { _ = told.Close() }()
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "countersign-demo"), "--bin", bin, "--out", filepath.Join(dir, "out"))
	cmd.Stdout, cmd.Stderr = told, told
	check(t, cmd.Start())
	tells := func(wanted string) string {
		t.Helper()
		pattern := regexp.MustCompile(wanted)
		for over := time.Now().Add(2 * time.Minute); time.Now().Before(over); time.Sleep(200 * time.Millisecond) {
			text, err := os.ReadFile(path)
			check(t, err)
			if found := pattern.FindSubmatch(text); found != nil {
				return string(found[1])
			}
		}
		text, _ := os.ReadFile(path)
		t.Fatalf("the demo never said %q:\n%s", wanted, text)
		return ""
	}

	reader := tab(t, browser.View{Width: 1280})
	at(t, reader, tells(`Open (http://\S+/releases/\S+)`))
	check(t, browser.Click(reader, `main form[action="/auth/github"] button`))
	check(t, browser.Click(reader, `a[href*="login=cy"]`))
	check(t, browser.Click(reader, `button[name="authorize"][value="1"]`))
	see(t, reader, "Yours to approve")
	check(t, browser.Click(reader, approve))
	tells(`(Signed)\. The job collected`)

	check(t, cmd.Process.Signal(syscall.SIGINT))
	check(t, cmd.Wait())
}
