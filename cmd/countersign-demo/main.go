// Command countersign-demo plays one release on each forge, from the first commit to
// the verified signature, on loopback: doubles of GitHub and GitLab, a SoftHSM
// token, and the real daemon and client.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/countersign/countersign/e2e/stage"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

type options struct {
	bin, out    string
	web         string
	once, quiet bool
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var o options
	f := flag.NewFlagSet("countersign-demo", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.bin, "bin", "bin", "folder of countersignd and countersign")
	f.StringVar(&o.out, "out", "demo-out", "folder for what the releases leave; emptied first")
	f.StringVar(&o.web, "github-web", "", "address that GitHub's repositories are said to have, such as https://github.com, which gh wants")
	f.BoolVar(&o.once, "once", false, "end when both releases are signed")
	f.BoolVar(&o.quiet, "quiet", false, "print nothing but errors")
	if err := f.Parse(args); err != nil || f.NArg() > 0 {
		fmt.Fprintln(stderr, "countersign-demo: expected flags alone; see --help")
		return 2
	}
	if o.quiet {
		stdout = io.Discard
	}
	if err := play(ctx, o, stdout); err != nil {
		fmt.Fprintln(stderr, "countersign-demo:", err)
		return 1
	}
	return 0
}

// play sets the stage up, runs both releases, and keeps it standing unless told not to.
func play(ctx context.Context, o options, stdout io.Writer) error {
	out, err := emptied(o.out)
	if err != nil {
		return err
	}
	bin, err := filepath.Abs(o.bin)
	if err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(out, "countersignd.log"))
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	s, teams, err := setUp(ctx, stage.Options{Dir: filepath.Join(out, "server"), Bin: bin, Log: log, GitHubWeb: o.web})
	if err != nil {
		return err
	}
	defer s.Close()
	t := teller{w: stdout}
	t.opening(s)
	var players []player
	for _, team := range teams {
		p := player{teller: t, Stage: s, team: team, dir: filepath.Join(out, team.World.Name())}
		if err := p.release(ctx); err != nil {
			return fmt.Errorf("%s: %w (the daemon's log is in %s)", team.World.Name(), err, log.Name())
		}
		players = append(players, p)
	}
	t.closing(o.out)
	if o.once {
		return s.Stop()
	}
	if err := players[0].yourTurn(ctx); err != nil {
		return err
	}
	<-ctx.Done()
	return s.Stop()
}

// emptied makes the output folder anew. It only ever removes one that a demo made.
func emptied(dir string) (string, error) {
	out, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	mark := filepath.Join(out, ".countersign-demo")
	entries, err := os.ReadDir(out)
	if err == nil && len(entries) > 0 {
		if _, err := os.Stat(mark); err != nil {
			return "", fmt.Errorf("%s: expected an empty folder or one of an earlier demo; name another with --out", out)
		}
		if err := os.RemoveAll(out); err != nil {
			return "", err
		}
	}
	if err := os.MkdirAll(out, 0o750); err != nil {
		return "", err
	}
	return out, os.WriteFile(mark, nil, 0o600)
}

// setUp makes the stage and a team on each forge, as an operator would: token, key,
// configuration, policies adopted, daemon started.
func setUp(ctx context.Context, o stage.Options) (*stage.Stage, []*stage.Team, error) {
	s, err := stage.New(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	// Every format, so that whoever tries the demo can check what it leaves with any tool.
	const formats = "formats: [raw, ssh, openpgp]"
	teams := []*stage.Team{stage.Gather(s.GitHub, formats), stage.Gather(s.GitLab, formats)}
	err = func() error {
		key, err := s.CreateKey(ctx)
		if err != nil {
			return err
		}
		if err := s.Configure(key, teams[0].Owner(), teams[1].Owner()); err != nil {
			return err
		}
		for _, t := range teams {
			t.World.Publish(t.Repo)
			if err := s.Adopt(ctx, t); err != nil {
				return err
			}
		}
		return s.Start(ctx)
	}()
	if err != nil {
		s.Close()
		return nil, nil, err
	}
	return s, teams, nil
}
