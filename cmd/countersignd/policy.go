package main

import (
	"fmt"
	"log/slog"
	"os/user"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign/countersign/config"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/release"
)

func policyCommand() *cobra.Command {
	return group("policy", "Put repositories' policies in force", adoptCommand())
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

func adopt(cmd *cobra.Command, path, repository, baseline string) (gate.Adoption, error) {
	id, err := gate.ParseRepositoryID(repository)
	if err != nil {
		return gate.Adoption{}, &gate.Error{Kind: gate.Invalid, Code: gate.CodeConfig, Text: err.Error(), Fix: "use the numeric id that the forge's API shows"}
	}
	c, err := config.Load(path)
	if err != nil {
		return gate.Adoption{}, err
	}
	forges, _, err := ports(c)
	if err != nil {
		return gate.Adoption{}, err
	}
	keys, err := keyring(c, nil)
	if err != nil {
		return gate.Adoption{}, err
	}
	shelf, err := openStore(cmd.Context(), c)
	if err != nil {
		return gate.Adoption{}, err
	}
	defer func() { _ = shelf.Close() }() // what was adopted is committed
	me, err := user.Current()
	if err != nil {
		return gate.Adoption{}, fmt.Errorf("find out who you are: %w", err)
	}
	g := release.New(release.Config{
		Server: c.Server.URL, Forges: forges, Store: shelf, Keys: keys,
		Log: slog.New(slog.DiscardHandler), Now: time.Now, NewID: newID, Owner: owner(),
	})
	return g.Adopt(cmd.Context(), id, baseline, me.Username)
}
