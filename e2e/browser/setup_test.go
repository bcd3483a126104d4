package browser_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/countersign/countersign/e2e/browser"
	"github.com/countersign/countersign/e2e/stage"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
)

// settingUp starts countersignd setup in the stage's folder and returns the link that it
// prints, and what ends it.
func settingUp(t *testing.T, s *stage.Stage) (link string, end func()) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "countersignd"), "setup", "--dir", s.Dir, "--data", s.Dir, "--url", s.URL,
		"--listen", strings.TrimPrefix(s.URL, "http://"), "--health-listen", strings.TrimPrefix(s.Health, "http://"),
		"--module", s.Module, "--token", s.Token.TokenLabel, "--pin-file", s.Token.PINFile)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.Dir}, s.Token.Env...)
	cmd.Stderr = s.Log
	out, err := cmd.StdoutPipe()
	check(t, err)
	check(t, cmd.Start())
	found := make(chan string, 1)
	go func() {
		isLink := regexp.MustCompile(`http://\S+/setup\?key=\S+`)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if l := isLink.FindString(lines.Text()); l != "" {
				found <- l
			}
		}
	}()
	select {
	case link = <-found:
	case <-time.After(30 * time.Second):
		t.Fatal("countersignd setup printed no link")
	}
	return link, func() {
		check(t, cmd.Process.Signal(syscall.SIGTERM))
		check(t, cmd.Wait())
	}
}

// From an empty folder to a signed release: the setup in the browser, through GitHub's
// manifest flow, without copying an ID; the gate audits, is told to enforce, and signs.
func TestSetup(t *testing.T) {
	dir := t.TempDir()
	log, err := os.Create(filepath.Join(dir, "daemon.log"))
	check(t, err)
	s, err := stage.New(t.Context(), stage.Options{Dir: filepath.Join(dir, "stage"), Bin: bin, Log: log})
	check(t, err)
	s.GitHub.Close()
	s.GitHub = githubtest.New(githubtest.Options{NotInstalled: true})
	s.Worlds["github"] = s.GitHub
	town := &browser.Town{Stage: s, Teams: map[string]*stage.Team{"github": stage.Gather(s.GitHub)}}
	t.Cleanup(func() {
		s.Close()
		_ = log.Close()
		if t.Failed() {
			told(t, log.Name())
		}
	})

	link, end := settingUp(t, s)
	me := tab(t, browser.View{Width: 1280})
	at(t, me, s.GitHub.URL()+"/test-login?login=eve")
	at(t, me, link)
	lookedAt(t, me, "Connect a forge")
	check(t, browser.Fill(me, "#gh-web", s.GitHub.URL()))
	check(t, browser.Press(me, "#gh-own"))
	check(t, browser.Click(me, `form[action="/setup/github"] button`))
	lookedAt(t, me, "Create the App at")
	check(t, browser.Click(me, "form[action*='/settings/apps/new'] button"))
	check(t, browser.Fill(me, `input[name="app_name"]`, "Gate of acme"))
	check(t, browser.Click(me, "form button"))
	lookedAt(t, me, "Install the App")
	check(t, browser.Click(me, "a.button"))
	check(t, browser.Click(me, "form button"))
	lookedAt(t, me, "Who may use the key")
	check(t, browser.Click(me, `form[action="/setup/installed"] button`))
	lookedAt(t, me, "Sign in as the first administrator")
	check(t, browser.Click(me, `form[action="/setup/sign-in"] button`))
	check(t, browser.Click(me, `button[name="authorize"][value="1"]`))
	lookedAt(t, me, "Make the key")
	check(t, browser.Click(me, `form[action="/setup/key"] button`))
	lookedAt(t, me, "Ready to start")
	check(t, browser.Click(me, `form[action="/setup/finish"] button`))
	lookedAt(t, me, "leads to this server")
	see(t, me, "@eve", "only audits until", "its proof holds")

	check(t, town.Adopt(t.Context(), town.Teams["github"]))
	tries, err := town.Ask(t.Context(), "github", "v0.9.0", town.Change("github", "ana", "bo", "Teach the widget to count"))
	check(t, err)
	check(t, town.Await(t.Context(), tries, "judged", browser.Judged))
	at(t, me, s.URL+"/releases/"+tries.ID)
	see(t, me, "the server only audits")
	end()

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
