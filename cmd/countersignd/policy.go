package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os/user"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign/countersign/config"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/policy"
	"github.com/countersign/countersign/gate/release"
)

func policyCommand() *cobra.Command {
	return group("policy", "Put repositories' policies in force, and show them", adoptCommand(), showPolicyCommand(), replayCommand())
}

func adoptCommand() *cobra.Command {
	var path, repository, baseline string
	cmd := &cobra.Command{
		Use: "adopt", Args: cobra.NoArgs,
		Short: "Put the policy at the head of a repository's default branch in force",
		Long: `Put the policy file at the head of a repository's default branch in force.

The baseline is the commit up to which everything counts as released: the first
release has to cover every change since. It is on record with your name.`,
		Example: "  countersignd policy adopt --repository github:1296269 --baseline 3f2c1e9a5b8e4f7291a0c3d4e5f607180a1b2c3d",
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := adopt(cmd, path, repository, baseline)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "In force for %s (%s): .countersign.yaml of %s, policy digest %s, baseline %s\n",
				a.Name, a.Repository, gate.ShortCommit(a.Commit), a.Digest, gate.ShortCommit(a.Baseline))
			return nil
		},
	}
	configFlag(cmd, &path)
	cmd.Flags().StringVar(&repository, "repository", "", "forge:number, such as github:1296269")
	cmd.Flags().StringVar(&baseline, "baseline", "", "full commit up to which everything counts as released")
	cobra.CheckErr(cmd.MarkFlagRequired("repository"))
	cobra.CheckErr(cmd.MarkFlagRequired("baseline"))
	return cmd
}

// repositoryFlag reads the value of --repository.
func repositoryFlag(value string) (gate.RepositoryID, error) {
	id, err := gate.ParseRepositoryID(value)
	if err != nil {
		return id, &gate.Error{Kind: gate.Invalid, Code: gate.CodeConfig, Text: err.Error(), Fix: "use the numeric id that the forge's API shows"}
	}
	return id, nil
}

func adopt(cmd *cobra.Command, path, repository, baseline string) (gate.Adoption, error) {
	var a gate.Adoption
	me, err := user.Current()
	if err != nil {
		return a, fmt.Errorf("find out who you are: %w", err)
	}
	err = withGate(cmd.Context(), path, repository, func(g *release.Gate, id gate.RepositoryID) error {
		a, err = g.Adopt(cmd.Context(), release.Adoption{Repository: id, Baseline: baseline, By: me.Username})
		return err
	})
	return a, err
}

// withGate gives a gate over the configured forges and database that signs nothing.
func withGate(ctx context.Context, path, repository string, do func(*release.Gate, gate.RepositoryID) error) error {
	id, err := repositoryFlag(repository)
	if err != nil {
		return err
	}
	c, err := config.Load(path)
	if err != nil {
		return err
	}
	all, err := openForges(c)
	if err != nil {
		return err
	}
	forges, _ := ports(all)
	keys, err := keyring(c, nil)
	if err != nil {
		return err
	}
	hold, err := floors(c)
	if err != nil {
		return err
	}
	shelf, err := openStore(ctx, c)
	if err != nil {
		return err
	}
	defer func() { _ = shelf.Close() }() // what was written is committed
	return do(release.New(release.Config{
		Server: c.Server.URL, Forges: forges, Store: shelf, Keys: keys, Floors: hold, Witnesses: len(c.Ledger.Witnesses), Cooldown: c.Policies.Cooldown, Audit: c.Policies.Audit,
		Log: slog.New(slog.DiscardHandler), Now: time.Now, NewID: newID, Owner: owner(),
	}), id)
}

// policyOutput is what is in force for a repository, as --json prints it.
type policyOutput struct {
	Adoption gate.Adoption `json:"adoption"`
	Mode     gate.Mode     `json:"mode"`
	// Digest is the policy digest of now: the adoption's, unless floors changed since.
	Digest   gate.Digest         `json:"digest"`
	Sources  []gate.PolicySource `json:"sources"`
	Releases []policy.Explained  `json:"releases"`
}

func showPolicyCommand() *cobra.Command {
	var path, repository string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "show", Args: cobra.NoArgs,
		Short: "Show the policy in force for a repository, by whom and since when",
		Long: `Show the policy in force for a repository: the version that was adopted, by whom and
since when, and what each of its releases comes to, with the defaults and with what the
server's floors ask for; behind each value that the file does not say stands who does.`,
		Example: "  countersignd policy show --repository github:1296269",
		RunE: func(cmd *cobra.Command, _ []string) error {
			out, err := inForce(cmd.Context(), path, repository)
			if out.Adoption.ID == "" {
				return err
			}
			if err == nil && asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(out)
			}
			if !asJSON {
				printPolicy(cmd.OutOrStdout(), out) // who adopted what this version cannot read is worth knowing
			}
			return err
		},
	}
	configFlag(cmd, &path)
	cmd.Flags().StringVar(&repository, "repository", "", "forge:number, such as github:1296269")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cobra.CheckErr(cmd.MarkFlagRequired("repository"))
	return cmd
}

// inForce reads the adopted policy of a repository from the database; no forge is asked.
func inForce(ctx context.Context, path, repository string) (policyOutput, error) {
	var out policyOutput
	id, err := repositoryFlag(repository)
	if err != nil {
		return out, err
	}
	c, err := config.Load(path)
	if err != nil {
		return out, err
	}
	at := slices.IndexFunc(c.Forges, func(f config.Forge) bool { return f.Name == id.Forge })
	if at < 0 {
		return out, &gate.Error{
			Kind: gate.NotFound, Code: gate.CodeForgeUnknown, Text: "no forge of this name is configured",
			Expected: "one under forges", Got: string(id.Forge), Fix: "name the repository as forge:number, by the forge's name in the configuration",
		}
	}
	keys, err := keyring(c, nil)
	if err != nil {
		return out, err
	}
	hold, err := floors(c)
	if err != nil {
		return out, err
	}
	shelf, err := openStore(ctx, c)
	if err != nil {
		return out, err
	}
	defer func() { _ = shelf.Close() }() // only read
	if out.Adoption, err = shelf.InForce(ctx, id); err != nil {
		return out, err
	}
	a := out.Adoption
	p, releases, err := policy.Explain(a.File, policy.Origin{
		Repository: a.Repository, Commit: a.Commit, Path: policy.Path, Kind: c.Forges[at].Kind,
		DefaultBranch: a.DefaultBranch, Keys: keys.Lineages(a.Repository, a.Owner), Floors: hold(a.Owner),
		Witnesses: len(c.Ledger.Witnesses),
	})
	out.Mode, out.Digest, out.Sources, out.Releases = p.Mode, p.Digest, p.Sources, releases
	return out, err
}

func printPolicy(w io.Writer, out policyOutput) {
	a := out.Adoption
	fmt.Fprintf(w, "%s (%s)\n", a.Name, a.Repository)
	fmt.Fprintf(w, "  in force since  %s\n  adopted by      %s\n", a.At.UTC().Format(time.RFC3339), a.By)
	fmt.Fprintf(w, "  file            %s of %s\n  baseline        %s\n", policy.Path, a.Commit, a.Baseline)
	if out.Mode != "" {
		fmt.Fprintf(w, "  policy digest   %s\n  mode            %s\n", out.Digest, out.Mode)
	}
	for _, s := range out.Sources {
		if s.Commit == "" {
			fmt.Fprintf(w, "  held to         %s, file of SHA-256 %s\n", s.Source, s.SHA256)
		}
	}
	for _, r := range out.Releases {
		fmt.Fprintf(w, "\n%s\n", r.Name)
		for _, v := range r.Values {
			fmt.Fprintf(w, "  %-20s  %s", v.Field, v.Value)
			if v.Source != policy.FromFile {
				fmt.Fprintf(w, "  (%s)", v.Source)
			}
			fmt.Fprintln(w)
		}
	}
}
