package browser

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/countersign/countersign/e2e/stage"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
)

// Site is a gate that is being set up, over a GitHub on which its App is not installed.
type Site struct {
	*Town

	Link string // what countersignd setup prints
	cmd  *exec.Cmd
}

// SetUp starts countersignd setup in an empty folder, with its questions answered.
func SetUp(ctx context.Context, bin, dir string, log io.Writer) (*Site, error) {
	s, err := stage.New(ctx, stage.Options{Dir: dir, Bin: bin, Log: log})
	if err != nil {
		return nil, err
	}
	s.GitHub.Close()
	s.GitHub = githubtest.New(githubtest.Options{NotInstalled: true})
	s.Worlds["github"] = s.GitHub
	site := &Site{Town: &Town{Stage: s, Teams: map[string]*stage.Team{"github": stage.Gather(s.GitHub)}}}
	if err := site.begin(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return site, nil
}

func (s *Site) begin(ctx context.Context) error {
	s.cmd = exec.CommandContext(ctx, filepath.Join(s.Bin, "countersignd"), "setup", "--dir", s.Dir, "--data", s.Dir, "--url", s.URL,
		"--listen", strings.TrimPrefix(s.URL, "http://"), "--health-listen", strings.TrimPrefix(s.Health, "http://"),
		"--module", s.Module, "--token", s.Token.TokenLabel, "--pin-file", s.Token.PINFile)
	s.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.Dir}, s.Token.Env...)
	s.cmd.Stderr = s.Log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := s.cmd.Start(); err != nil {
		return err
	}
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
	case s.Link = <-found:
		return nil
	case <-time.After(patience):
		return errors.Join(errors.New("countersignd setup printed no link"), s.End())
	}
}

// End stops what the setup became.
func (s *Site) End() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return s.cmd.Wait()
}

// SetupStep is one page of the setup.
type SetupStep struct {
	Name  string // as pictures are called
	Says  string // what tells it from the others
	deeds []deed // what the page asks for
}

// deed is something done in a tab.
type deed func(tab context.Context) error

func click(selector string) deed {
	return func(tab context.Context) error { return Click(tab, selector) }
}

func press(selector string) deed {
	return func(tab context.Context) error { return Press(tab, selector) }
}

func fill(selector, text string) deed {
	return func(tab context.Context) error { return Fill(tab, selector, text) }
}

// steps are all pages in their order, and what leads from each to the next, at GitHub too.
func (s *Site) steps() []SetupStep {
	return []SetupStep{
		{"setup-forge", "Connect a forge", []deed{
			fill("#gh-web", s.GitHub.URL()), press("#gh-own"), click(`form[action="/setup/github"] button`),
		}},
		{"setup-app", "Create the App at", []deed{
			click("form[action*='/settings/apps/new'] button"), fill(`input[name="app_name"]`, "Gate of acme"), click("form button"),
		}},
		{"setup-install", "Install the App", []deed{click("a.button"), click("form button")}},
		{"setup-holders", "Who may use the key", []deed{click(`form[action="/setup/installed"] button`)}},
		{"setup-administrator", "Sign in as the first administrator", []deed{
			click(`form[action="/setup/sign-in"] button`), click(`button[name="authorize"][value="1"]`),
		}},
		{"setup-key", "Make the key", []deed{click(`form[action="/setup/key"] button`)}},
		{"setup-start", "Ready to start", []deed{click(`form[action="/setup/finish"] button`)}},
	}
}

// Walk goes through the setup in a tab that is at its link, signed in to the double as eve: it
// shows each page to look, then does what the page asks for. It ends at the doctor.
func (s *Site) Walk(tab context.Context, look func(SetupStep) error) error {
	for _, step := range s.steps() {
		if err := See(tab, step.Says); err != nil {
			return err
		}
		if err := look(step); err != nil {
			return err
		}
		for _, do := range step.deeds {
			if err := do(tab); err != nil {
				return fmt.Errorf("%s: %w", step.Name, err)
			}
		}
	}
	return nil
}
