package browser_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign/countersign/e2e/browser"
)

// From an empty folder to a signed release: the setup in the browser, through GitHub's
// manifest flow, without copying an ID; the gate audits, is told to enforce, and signs.
func TestSetup(t *testing.T) {
	dir := t.TempDir()
	log, err := os.Create(filepath.Join(dir, "daemon.log"))
	check(t, err)
	site, err := browser.SetUp(t.Context(), bin, filepath.Join(dir, "stage"), log)
	check(t, err)
	town, s := site.Town, site.Stage
	t.Cleanup(func() {
		s.Close()
		_ = log.Close()
		if t.Failed() {
			told(t, log.Name())
		}
	})

	me := tab(t, browser.View{Width: 1280})
	at(t, me, s.GitHub.URL()+"/test-login?login=eve")
	at(t, me, site.Link)
	check(t, site.Walk(me, func(step browser.SetupStep) error {
		lookedAt(t, me, step.Says)
		return nil
	}))
	lookedAt(t, me, "leads to this server")
	see(t, me, "@eve", "only audits until", "its proof holds")

	check(t, town.Adopt(t.Context(), town.Teams["github"]))
	tries, err := town.Ask(t.Context(), "github", "v0.9.0", town.Change("github", "ana", "bo", "Teach the widget to count"))
	check(t, err)
	check(t, town.Await(t.Context(), tries, "judged", browser.Judged))
	at(t, me, s.URL+"/releases/"+tries.ID)
	see(t, me, "the server only audits")
	check(t, site.End())

	path := filepath.Join(s.Dir, "countersign.yaml")
	text, err := os.ReadFile(path)
	check(t, err)
	check(t, os.WriteFile(path, []byte(strings.Replace(string(text), "mode: audit", "mode: enforce", 1)), 0o600))
	check(t, s.Start(t.Context()))
	signed := waits(t, town, "github", "v1.0.0", "Teach the widget to add")
	bo := tab(t, browser.View{Width: 390})
	check(t, town.SignIn(bo, "github", "bo"))
	at(t, bo, s.URL+"/releases/"+signed.ID)
	check(t, browser.Click(bo, approve))
	check(t, town.Await(t.Context(), signed, "signed", browser.Signed))
}

// lookedAt waits for a page and holds it against what is true of every page, however it is
// looked at.
func lookedAt(t *testing.T, tab context.Context, text string) {
	t.Helper()
	see(t, tab, text)
	for _, v := range views() {
		check(t, browser.Look(tab, v))
		audit(t, tab, text+" "+v.String())
	}
	check(t, browser.Look(tab, browser.View{Width: 1280}))
}
