package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/policy"
	"github.com/countersign/countersign/gate/release"
)

func replayCommand() *cobra.Command {
	var path, repository string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "replay FILE", Args: cobra.ExactArgs(1),
		Short: "Try a policy file on a repository's last signed releases",
		Long: `Judge a repository's last signed releases again under a policy file, on evidence as the
forge shows it now. Nothing is stored, nothing is signed, and nobody is told.`,
		Example: "  countersignd policy replay .countersign.yaml --repository github:1296269",
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := readPolicy(args[0])
			if err != nil {
				return err
			}
			var found []gate.Replayed
			err = withGate(cmd.Context(), path, repository, func(g *release.Gate, id gate.RepositoryID) error {
				found, err = g.Replay(cmd.Context(), id, file)
				return err
			})
			switch {
			case err != nil:
				return err
			case asJSON:
				return json.NewEncoder(cmd.OutOrStdout()).Encode(found)
			}
			return printReplayed(cmd.OutOrStdout(), found)
		},
	}
	configFlag(cmd, &path)
	cmd.Flags().StringVar(&repository, "repository", "", "forge:number, such as github:1296269")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cobra.CheckErr(cmd.MarkFlagRequired("repository"))
	return cmd
}

// readPolicy reads at most what a policy file may be, and one byte more to tell.
func readPolicy(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &gate.Error{
			Kind: gate.Invalid, Code: gate.CodePolicyInvalid, Text: fmt.Sprintf("the policy file cannot be read: %v", err),
			Fix: "name the file to try, such as .countersign.yaml",
		}
	}
	defer func() { _ = f.Close() }() // read only
	return io.ReadAll(io.LimitReader(f, policy.MaxFile+1))
}

func printReplayed(w io.Writer, found []gate.Replayed) error {
	if len(found) == 0 {
		_, err := fmt.Fprintln(w, "Nothing was signed for this repository yet: there is nothing to try the file on.")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "RELEASE\tCOMMIT\tSTREAM\tWOULD BE\tWHY")
	for _, r := range found {
		why := r.Why
		if why == "" {
			why = "every check passes"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", gate.ShortRef(r.Ref), gate.ShortCommit(r.Commit), r.Stream, r.Outcome, why)
	}
	return t.Flush()
}
