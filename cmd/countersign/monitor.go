package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign/countersign/gate/monitor"
)

// watching is what monitor's command line says.
type watching struct {
	log, root, state string
	logKeys          []string
	keys, verdicts   []string
	pin              bool
	witnesses        []string
	quorum           int
	releases         string
	allowUnreadable  bool
	once             bool
	every            time.Duration

	source  monitor.Source
	closing func()
}

func (a *app) monitorCommand() *cobra.Command {
	w := &watching{closing: func() {}}
	cmd := &cobra.Command{
		Use:   "monitor --log URL --trusted-root FILE --state FILE",
		Short: "Follow a gate's ledger and say what does not hold",
		Long: "Follow a gate's ledger from its tiles. Checks that it only grew, that every signature on it\n" +
			"verifies under a key that may sign, and that each was granted and intended before it was made,\n" +
			"by entries of the same ledger. Nothing is believed that does not hash to a checkpoint by the\n" +
			"log's key. Needs no account; run it where the gate's operator has no say.\n\n" +
			"The place in the ledger is kept in --state and moves on only behind what was told: after a\n" +
			"crash the last alerts come again. Every alert is one paragraph on standard output, or with\n" +
			"--json one object on one line. Files are read again in every round.\n\n" +
			"Exit codes with --once: 0 nothing to tell but notices, 1 alerts, 2 usage, 75 the log could not\n" +
			"be reached.",
		Example: "  countersign monitor --log https://sign.example.org/log --trusted-root trusted_root.json \\\n" +
			"    --state place.json --key countersign.pem",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.monitor(cmd.Context(), w) },
	}
	f := cmd.Flags()
	f.StringVar(&w.log, "log", "", "prefix of the ledger: https://host/log, or file:///folder/log with a copy of it")
	f.StringVar(&w.root, "trusted-root", "", "trusted_root.json with the log's keys and the authorities of certificates")
	f.StringArrayVar(&w.logKeys, "log-key", nil, "the log's key as origin+hash+key, instead of a trusted root; may be given several times")
	f.StringVar(&w.state, "state", "", "file that keeps the place in the ledger")
	f.StringArrayVar(&w.keys, "key", nil, "key that may sign releases: a PEM file or its SHA256:… fingerprint; may be given several times")
	f.StringArrayVar(&w.verdicts, "verdict-key", nil, "key that may sign refusals; as --key")
	f.BoolVar(&w.pin, "pin-keys", false, "take the keys that the gate names at the first look, and no others after it")
	f.StringArrayVar(&w.witnesses, "witness", nil, "key of a witness, as name+hash+key; may be given several times")
	f.IntVar(&w.quorum, "witnesses", 0, "how many of these witnesses have to have cosigned (default: all)")
	f.StringVar(&w.releases, "releases", "", "folder of published releases (SHA256SUMS, *.dsse.json), for what the gate does not show")
	f.BoolVar(&w.allowUnreadable, "allow-unreadable", false, "only take note of signatures of which the gate does not show what they are for")
	f.BoolVar(&w.once, "once", false, "look once and end")
	f.DurationVar(&w.every, "every", time.Minute, "how often to look")
	cmd.MarkFlagsOneRequired("log-key", "trusted-root")
	cmd.MarkFlagsMutuallyExclusive("log-key", "trusted-root")
	return cmd
}

func (a *app) monitor(ctx context.Context, w *watching) error {
	if err := w.check(); err != nil {
		return err
	}
	if err := w.open(); err != nil {
		return err
	}
	defer w.closing()
	c, err := a.watched(ctx, w)
	if err != nil {
		return err
	}
	m, err := monitor.New(c)
	if err != nil {
		return usage("the monitor cannot begin", "", err.Error(), "see countersign monitor --help")
	}
	for {
		if err := a.look(ctx, w, m); err != nil || w.once {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(w.every):
		}
		if err := a.refresh(ctx, w, m); err != nil {
			return err
		}
	}
}

// look is one round. An error ends the program; without --once what may pass is waited for.
func (a *app) look(ctx context.Context, w *watching, m *monitor.Monitor) error {
	sum, err := m.Round(ctx)
	switch {
	case ctx.Err() != nil && !w.once:
		return nil
	case monitor.Unreachable(err) && !w.once:
		a.console.line("the ledger cannot be read now, trying again in %s: %s", w.every, plain(err.Error()))
		return nil
	case monitor.Unreachable(err):
		return failed(ExitRetry, "the ledger cannot be read", "an answer of "+w.log, err.Error(), "try again; if it stays, ask the operator")
	case err != nil:
		return broken("the ledger cannot be followed", err, "see to the file of --state; without it the whole ledger is read anew, and what it was before is forgotten")
	}
	if !a.flags.json && (w.once || sum.Read > 0) {
		a.console.line("%s: %s in all, %d read now, %s", plain(sum.Origin), entriesIn(sum.Size), sum.Read, found(sum))
	}
	if w.once && sum.Alerts > 0 {
		f := failed(ExitFailed, "the ledger gave "+counted(sum.Alerts, "alert"), "", "", "see what was printed")
		f.printed = true
		return f
	}
	return nil
}

func found(s monitor.Summary) string {
	if s.Alerts+s.Notices == 0 {
		return "nothing to tell"
	}
	return counted(s.Alerts, "alert") + ", " + counted(s.Notices, "notice")
}

func entriesIn(size int64) string {
	if size == 1 {
		return "1 entry"
	}
	return fmt.Sprintf("%d entries", size)
}

func counted(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// alerted prints one alert, and has it on the disk where standard output is a file.
func (a *app) alerted(x monitor.Alert) error {
	var err error
	if a.flags.json {
		err = a.printLine(x)
	} else {
		err = a.print(paragraph(x))
	}
	if f, ok := a.stdout.(*os.File); ok && err == nil {
		_ = f.Sync() // pipes and terminals have nothing to sync
	}
	return err
}

// paragraph is an alert for people.
func paragraph(x monitor.Alert) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: %s\n", strings.ToUpper(string(x.Level)), x.Kind, x.Text)
	row := func(label, text string) {
		if text = plain(text); text != "" {
			fmt.Fprintf(&b, "  %-8s %s\n", label, text)
		}
	}
	where := fmt.Sprintf("%s, %d entries", x.Log, x.Size)
	if x.Index != nil {
		where = fmt.Sprintf("entry %d of %s", *x.Index, x.Log)
	}
	row("where:", where)
	row("why:", x.Why)
	row("key:", x.Key)
	if x.Digest != nil {
		row("digest:", x.Digest.String())
	}
	row("request:", x.Request)
	row("at:", x.At.Format(time.RFC3339))
	row("do:", x.Fix)
	for _, note := range x.Notes {
		b.WriteString("  checkpoint:\n")
		for line := range strings.Lines(note) {
			fmt.Fprintf(&b, "    %s\n", plain(line))
		}
	}
	return b.String()
}
