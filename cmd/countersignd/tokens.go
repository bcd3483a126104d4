package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/countersign/countersign/hsm"
)

func tokensCommand() *cobra.Command {
	var module string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "tokens", Short: "List the tokens of a PKCS#11 module, and whether they can sign releases", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			found, err := hsm.Tokens(cmd.Context(), module)
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(found)
			}
			for _, t := range found {
				fmt.Fprintf(cmd.OutOrStdout(), "%s\n  %s, %s\n", t.Label, t.Manufacturer, t.Model)
				if t.Problem != "" {
					fmt.Fprintf(cmd.OutOrStdout(), "  unusable: %s\n", t.Problem)
				}
			}
			if len(found) == 0 {
				fmt.Fprintln(cmd.OutOrStdout(), "The module shows no initialized token.")
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&module, "module", "", "path of the vendor's PKCS#11 module")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cobra.CheckErr(cmd.MarkFlagRequired("module"))
	return cmd
}

func initCommand() *cobra.Command {
	var token hsm.TokenConfig
	cmd := &cobra.Command{
		Use: "init", Short: "Make a SoftHSM token, with PINs of its own, for a trial", Args: cobra.NoArgs,
		Long: `Make a token of a SoftHSM module for a trial. The user's PIN is written to --pin-file and
the security officer's beside it, both with mode 0600. Keys of such a token lie in files
on this machine: for releases that matter keep them in hardware, which is initialized with
its vendor's tools.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := hsm.InitSoftHSM(cmd.Context(), token); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Made token %q; its PIN is in %s.\n", token.TokenLabel, token.PINFile)
			return nil
		},
	}
	tokenFlags(cmd, &token)
	return cmd
}
