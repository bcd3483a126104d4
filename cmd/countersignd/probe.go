package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign/countersign/config"
	"github.com/countersign/countersign/forges/probe"
	"github.com/countersign/countersign/forges/probe/transcript"
	"github.com/countersign/countersign/gate"
)

// probeFlags are what the probe is told.
type probeFlags struct {
	config, forge, repository, ref, public, team string
	claims, transcript, findings                 string
	write, asJSON                                bool
}

func probeCommand() *cobra.Command {
	var f probeFlags
	cmd := &cobra.Command{
		Use: "probe", Args: cobra.NoArgs,
		Short: "Find out on a scratch repository whether a forge behaves as the gate expects",
		Long: `Find out on a scratch repository whether a forge behaves as the gate expects.

The gate takes much for granted that a forge's documentation does not settle. This
asks the forge itself, with the server's own credential, and tells what holds, what
does not, and what follows. It only reads, unless --write lets it post a status, a
check run, an issue with a comment, and a reaction. Use a repository that is there for
nothing else, with the gate installed on it.

What only a CI job can tell takes three steps: run the CI file that the probe prints,
copy the line that its job prints into a file, and probe again with --claims FILE.

Findings are kept for countersignd doctor. Exit codes: 0 nothing that the gate rests on
was found not to hold, 1 something was, 2 the command line or the configuration is wrong.`,
		Example: "  countersignd probe --repo OWNER/NAME\n  countersignd probe --repo OWNER/NAME --ref refs/tags/v1.0.0 --write --transcript probe.jsonl",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runProbe(cmd.Context(), cmd.OutOrStdout(), f)
		},
	}
	configFlag(cmd, &f.config)
	for _, x := range []struct {
		into        *string
		name, usage string
	}{
		{&f.repository, "repo", "the scratch repository, OWNER/NAME"},
		{&f.forge, "forge", "the forge's name in the configuration, where it has several"},
		{&f.ref, "ref", "a ref to read as a release's, such as refs/tags/v1.0.0 (default: the default branch)"},
		{&f.public, "public", "a public repository that the gate is not installed on, to see that it is not read"},
		{&f.team, "team", "a team or group, as policies spell it, to see that its members are told"},
		{&f.claims, "claims", "file with the line that the probe's CI job printed"},
		{&f.transcript, "transcript", "file to write all calls to, without secrets and names; it must not be there yet"},
		{&f.findings, "findings", "folder that keeps what was found (default: that of database.path, or /var/lib/countersign)"},
	} {
		cmd.Flags().StringVar(x.into, x.name, "", x.usage)
	}
	cmd.Flags().BoolVar(&f.write, "write", false, "also post on the scratch repository")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print JSON")
	cobra.CheckErr(cmd.MarkFlagRequired("repo"))
	return cmd
}

// findingsFolder is where findings are kept.
func findingsFolder(flag string, c config.Config) string {
	switch {
	case flag != "":
		return flag
	case c.Database.Path != "":
		return filepath.Dir(c.Database.Path)
	}
	return "/var/lib/countersign"
}

// chooseForge finds the one that is meant.
func chooseForge(c config.Config, name string) (config.Forge, error) {
	at := slices.IndexFunc(c.Forges, func(f config.Forge) bool { return string(f.Name) == name })
	switch {
	case at >= 0:
		return c.Forges[at], nil
	case name == "" && len(c.Forges) == 1:
		return c.Forges[0], nil
	}
	var names []string
	for _, f := range c.Forges {
		names = append(names, string(f.Name))
	}
	got := name
	if got == "" {
		got = "none"
	}
	return config.Forge{}, &gate.Error{
		Kind: gate.Invalid, Code: gate.CodeForgeUnknown, Text: "it is not clear which forge is meant",
		Expected: strings.Join(names, " or "), Got: got, Fix: "name it with --forge",
	}
}

func runProbe(ctx context.Context, out io.Writer, f probeFlags) error {
	c, err := config.Load(f.config)
	if err != nil {
		return err
	}
	forge, err := chooseForge(c, f.forge)
	if err != nil {
		return err
	}
	dir := findingsFolder(f.findings, c)
	earlier, _, err := probe.Load(dir, forge.Name)
	if err != nil {
		return findingsFault(err)
	}
	d, err := dial(forge)
	if err != nil {
		return err
	}
	asked := d.probe(c)
	asked.Repository, asked.Ref, asked.Public, asked.Team, asked.Write = f.repository, f.ref, f.public, f.team, f.write
	if asked.Claims, err = readClaims(f.claims); err != nil {
		return err
	}
	record, err := openTranscript(f.transcript)
	if err != nil {
		return err
	}
	report, err := probe.Run(ctx, asked)
	if err != nil {
		return errors.Join(err, dropTranscript(record))
	}
	report.Calls = d.recorder.Calls()
	if err := writeTranscript(record, d.recorder, terms(c, forge), asked); err != nil {
		return err
	}
	known := report.After(earlier)
	kept, err := probe.Save(dir, known)
	if err != nil {
		return findingsFault(err)
	}
	if err := tellProbe(out, told{report, known, asked, kept, f.transcript}, f.asJSON); err != nil {
		return err
	}
	return failed(report)
}

// failed is an error where something that the gate rests on does not hold.
func failed(r probe.Report) error {
	n := 0
	for _, f := range probe.Facts(r.Kind) {
		if r.Find(f.ID).Outcome == probe.Fails && !f.Copes {
			n++
		}
	}
	if n == 0 {
		return nil
	}
	return fmt.Errorf("%s on which the gate rests %s not hold at %s", count(n, "fact"), map[bool]string{true: "does", false: "do"}[n == 1], r.Forge)
}

func findingsFault(err error) error {
	return &gate.Error{
		Kind: gate.Invalid, Code: gate.CodeConfig, Text: "the findings cannot be kept, or those of before not be read",
		Expected: "a folder that may be written", Got: err.Error(), Fix: "name another with --findings",
	}
}

// maxClaims bounds the file that a job's claims are read from, in bytes.
const maxClaims = 1 << 20

func readClaims(path string) ([]probe.Claims, error) {
	if path == "" {
		return nil, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, claimsUnread(err)
	}
	defer func() { _ = file.Close() }() // only read
	text, err := io.ReadAll(io.LimitReader(file, maxClaims))
	if err != nil {
		return nil, claimsUnread(err)
	}
	return probe.ParseClaims(text)
}

func claimsUnread(err error) error {
	return &gate.Error{Kind: gate.Invalid, Code: gate.CodeConfig, Text: "the job's claims cannot be read: " + err.Error(), Fix: "name the file with --claims"}
}

// openTranscript makes the file before anything is asked, so that nothing is asked in vain.
func openTranscript(path string) (*os.File, error) {
	if path == "" {
		return nil, nil //nolint:nilnil // none was asked for
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, &gate.Error{Kind: gate.Invalid, Code: gate.CodeConfig, Text: "the transcript cannot be written: " + err.Error(), Fix: "name a file that is not there yet"}
	}
	return f, nil
}

func dropTranscript(f *os.File) error {
	if f == nil {
		return nil
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

func writeTranscript(f *os.File, from *transcript.Recorder, t transcript.Terms, asked probe.Config) error {
	if f == nil {
		return nil
	}
	about := map[string]string{
		"kind": string(asked.Kind), "repository": asked.Repository, "ref": asked.Ref, "public": asked.Public, "team": asked.Team,
		"at": asked.Now().UTC().Format(time.RFC3339),
	}
	if err := from.Write(f, t, about); err != nil {
		return errors.Join(&gate.Error{Kind: gate.Internal, Code: gate.CodeInternal, Text: "the transcript was not written", Fix: "probe without --transcript, and report it", Err: err}, dropTranscript(f))
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("write the transcript: %w", err)
	}
	return nil
}

// terms are the configuration's secrets, none of which may be in a transcript.
func terms(c config.Config, forge config.Forge) transcript.Terms {
	t := transcript.Terms{Own: probe.OwnTexts(), URL: forge.URL, API: forge.APIURL, Secrets: []string{c.Database.DSN.Reveal()}}
	for _, f := range c.Forges {
		t.Secrets = append(t.Secrets, f.PrivateKey.Reveal(), f.Token.Reveal(), f.WebhookSecret.Reveal())
	}
	return t
}

// told is what there is to tell of a probe.
type told struct {
	report     probe.Report
	known      probe.Report // with what earlier probes found
	asked      probe.Config
	kept       string
	transcript string
}

func tellProbe(out io.Writer, t told, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(t.json())
	}
	return t.print(out)
}
