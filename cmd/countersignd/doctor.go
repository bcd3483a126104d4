package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign/countersign/config"
	"github.com/countersign/countersign/forges/probe"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/store"
)

func doctorCommand() *cobra.Command {
	var path, findings string
	var asJSON, all bool
	cmd := &cobra.Command{
		Use: "doctor", Args: cobra.NoArgs,
		Short: "Look whether the server can do its work, and what is unproven on its forges",
		Long: `Look whether the server can do its work: configuration, database, tokens and keys,
forges, credentials and clocks; and say what countersignd probe proved, or did not, on
each forge. Each finding is a pass, a warning or a failure, with its fix.

It writes nothing to any forge. Like serve, it brings the database's schema up to date.
Exit codes: 0 no failure (warnings are none), 1 a failure, 2 the command line is wrong.`,
		Example: "  countersignd doctor\n  countersignd doctor --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			d := &doctor{findings: findings}
			d.examine(cmd.Context(), path)
			return d.tell(cmd.OutOrStdout(), asJSON, all)
		},
	}
	configFlag(cmd, &path)
	cmd.Flags().StringVar(&findings, "findings", "", "folder that keeps what was probed (default: that of database.path, or /var/lib/countersign)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&all, "all", false, "show every fact that is proven, too")
	return cmd
}

// doctor is one examination.
type doctor struct {
	findings string
	checks   []probe.Check
}

func (d *doctor) add(area, id string, level probe.Level, fix, format string, args ...any) {
	if level == probe.Pass {
		fix = ""
	}
	d.checks = append(d.checks, probe.Check{ID: id, Area: area, Level: level, Text: fmt.Sprintf(format, args...), Fix: fix})
}

// fail adds what an error says, with its own fix.
func (d *doctor) fail(area, id string, err error) {
	text, fix := err.Error(), "look at what the error names, then run doctor again"
	var e *gate.Error
	if errors.As(err, &e) {
		fix = e.Fix
		stripped := *e
		stripped.Fix = ""
		text = explain(&stripped)
	}
	d.add(area, id, probe.Failure, fix, "%s", text)
}

const (
	areaConfig   = "Configuration"
	areaDatabase = "Database"
	areaTokens   = "Tokens and keys"
)

func (d *doctor) examine(ctx context.Context, path string) {
	c, err := config.Load(path)
	if err != nil {
		d.fail(areaConfig, "config", err)
		return
	}
	d.add(areaConfig, "config", probe.Pass, "", "%s holds: %s, %s", path, count(len(c.Forges), "forge"), count(len(c.Keys), "key"))
	if c.Server.URL.Scheme == "https" {
		d.add(areaConfig, "url", probe.Pass, "", "server.url is https")
	} else {
		d.add(areaConfig, "url", probe.Warning, "for anything but a trial put TLS in front and write https",
			"server.url is %s: ID tokens and signatures travel unprotected", c.Server.URL.Scheme)
	}
	d.database(ctx, c)
	for _, t := range c.HSM {
		d.token(ctx, c, t)
	}
	for _, f := range c.Forges {
		d.forge(ctx, c, f)
	}
}

func (d *doctor) database(ctx context.Context, c config.Config) {
	if c.Database.Engine == string(store.SQLite) {
		if _, err := os.Stat(c.Database.Path); errors.Is(err, fs.ErrNotExist) {
			d.add(areaDatabase, "database", probe.Warning, "start the server once: countersignd serve", "there is no %s yet", c.Database.Path)
			return
		}
	}
	shelf, err := openStore(ctx, c)
	if err != nil {
		d.fail(areaDatabase, "database", err)
		return
	}
	untold, err := shelf.GivenUp(ctx, untoldShown)
	err = errors.Join(err, shelf.Ready(ctx), shelf.Close())
	if err != nil {
		d.fail(areaDatabase, "database", err)
		return
	}
	d.add(areaDatabase, "database", probe.Pass, "", "%s opens and answers", c.Database.Engine)
	for _, u := range untold {
		d.add(areaDatabase, "untold", probe.Warning,
			"mend the permission, or switch the repository's issues or pull requests on; the release itself is as its page says",
			"%s was never told of request %s (%s, given up %s): %s", u.Post.Repository, u.Post.Request, u.Post.Target,
			u.At.UTC().Format(time.DateOnly), u.Why)
	}
}

// untoldShown is how many posts that were given up are shown, the latest first.
const untoldShown = 5

// token opens one token with the keys that are bound to it, as serve does.
func (d *doctor) token(ctx context.Context, c config.Config, t config.Token) {
	alone := c
	alone.HSM = []config.Token{t}
	alone.Keys = slices.DeleteFunc(slices.Clone(c.Keys), func(k config.Key) bool { return k.Token != t.Label })
	signer, err := startSigners(ctx, alone, slog.New(slog.DiscardHandler))
	if err != nil {
		d.fail(areaTokens, "token", err)
		return
	}
	defer signer.Close()
	d.add(areaTokens, "token", probe.Pass, "", "token %s opens", t.Label)
	for _, k := range signer.Keys() {
		if k.Software {
			d.add(areaTokens, "key", probe.Warning, "for releases that matter keep it in hardware",
				"key %s version %d is there, but the token does not say that it is kept in hardware; attestations say so", k.Lineage, k.Version)
		} else {
			d.add(areaTokens, "key", probe.Pass, "", "key %s version %d is there", k.Lineage, k.Version)
		}
	}
}

// shortSecret is how many bytes of webhook secret can still be guessed.
const shortSecret = 16

func (d *doctor) forge(ctx context.Context, c config.Config, f config.Forge) {
	area := "Forge " + string(f.Name)
	if n := len(f.WebhookSecret.Reveal()); n < shortSecret {
		d.add(area, "webhook-secret", probe.Warning, "make a longer one: openssl rand -hex 32", "the webhook secret has %s", count(n, "byte"))
	} else {
		d.add(area, "webhook-secret", probe.Pass, "", "the webhook secret is set")
	}
	wired, err := dial(f)
	if err != nil {
		d.fail(area, "credential", err)
		return
	}
	reached, version := probe.Reach(ctx, wired.probe(c))
	for _, check := range reached {
		check.Area = area
		d.checks = append(d.checks, check)
	}
	d.proven(area, c, f, version)
}

// proven adds what was probed of a forge.
func (d *doctor) proven(area string, c config.Config, f config.Forge, version string) {
	const probeIt = "countersignd probe --forge %s --repo OWNER/NAME, with a scratch repository"
	report, has, err := probe.Load(findingsFolder(d.findings, c), f.Name)
	switch {
	case err != nil:
		d.add(area, "probe", probe.Failure, "remove the file, and probe again", "%v", err)
		return
	case !has, report.URL != f.URL, report.Kind != f.Kind:
		d.add(area, "probe", probe.Warning, fmt.Sprintf(probeIt, f.Name),
			"nothing is proven about this forge: none of %s that the gate takes for granted", count(len(probe.Facts(f.Kind)), "fact"))
		return
	case version != report.Version && version != "":
		d.add(area, "probe", probe.Warning, fmt.Sprintf(probeIt, f.Name), "the forge was probed as version %s, and is version %s now", report.Version, version)
	}
	for _, check := range probe.Proven(report, f.Kind) {
		check.Area = area
		d.checks = append(d.checks, check)
	}
}

func (d *doctor) tell(out io.Writer, asJSON, all bool) error {
	n := map[probe.Level]int{}
	for _, c := range d.checks {
		n[c.Level]++
	}
	if asJSON {
		if err := json.NewEncoder(out).Encode(map[string]any{"checks": d.checks, "failures": n[probe.Failure], "warnings": n[probe.Warning], "passed": n[probe.Pass]}); err != nil {
			return err
		}
	} else if err := d.print(out, n, all); err != nil {
		return err
	}
	if n[probe.Failure] > 0 {
		return fmt.Errorf("%s", count(n[probe.Failure], "failure"))
	}
	return nil
}

// isFact tells the probed facts, whose ids name their kind, from doctor's own checks.
func isFact(id string) bool { return strings.Contains(id, ".") }
