package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/countersign/countersign/hsm"
)

// keyOutput is a key as the commands show it: what belongs into the configuration.
type keyOutput struct {
	Label       string `json:"label"`
	ID          string `json:"id"` // hex
	Fingerprint string `json:"fingerprint"`
	Software    bool   `json:"software"`
	Problem     string `json:"problem,omitempty"`
}

func show(k hsm.Key) keyOutput {
	return keyOutput{Label: k.Label, ID: hex.EncodeToString(k.ID), Fingerprint: k.Fingerprint, Software: k.Software, Problem: k.Problem}
}

func keysCommand() *cobra.Command {
	var token hsm.TokenConfig
	var asJSON bool
	keys := group("keys", "Make and list the keys of a PKCS#11 token, and the tokens of a module", tokensCommand(), initCommand())

	var label string
	create := &cobra.Command{
		Use: "create", Short: "Make a P-256 key pair that never leaves the token", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			k, err := hsm.Generate(cmd.Context(), hsm.GenerateConfig{
				Module: token.Module, TokenLabel: token.TokenLabel, PINFile: token.PINFile, Label: label,
			})
			if err != nil {
				return err
			}
			return printKey(cmd, token.TokenLabel, show(k), asJSON)
		},
	}
	create.Flags().StringVar(&label, "label", "", "label of the new key, such as release-1")
	cobra.CheckErr(create.MarkFlagRequired("label"))

	list := &cobra.Command{
		Use: "list", Short: "List the token's P-256 keys with what their pins need", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			found, err := hsm.List(cmd.Context(), token)
			if err != nil {
				return err
			}
			out := make([]keyOutput, 0, len(found))
			for _, k := range found {
				out = append(out, show(k))
			}
			return printKeys(cmd, out, asJSON)
		},
	}
	for _, cmd := range []*cobra.Command{create, list} {
		tokenFlags(cmd, &token)
		cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	}
	keys.AddCommand(create, list)
	return keys
}

// tokenFlags adds the flags of a command on one token.
func tokenFlags(cmd *cobra.Command, t *hsm.TokenConfig) {
	f := cmd.Flags()
	f.StringVar(&t.Module, "module", "", "path of the vendor's PKCS#11 module")
	f.StringVar(&t.TokenLabel, "token", "", "label of the token")
	f.StringVar(&t.PINFile, "pin-file", "", "file that holds the user PIN (mode 0600)")
	for _, name := range []string{"module", "token", "pin-file"} {
		cobra.CheckErr(cmd.MarkFlagRequired(name))
	}
}

func printKey(cmd *cobra.Command, token string, k keyOutput, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(k)
	}
	fmt.Fprintf(cmd.OutOrStdout(), `Made key %q. Bind it in the configuration:

keys:
  - lineage: release        # the name that policies use
    version: 1
    token: %s
    label: %s
    id: "%s"
    spki: "%s"
    repositories: []        # "forge:number" of those that may use it, such as github:1296269
`, k.Label, token, k.Label, k.ID, k.Fingerprint)
	return nil
}

func printKeys(cmd *cobra.Command, keys []keyOutput, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(keys)
	}
	for _, k := range keys {
		fmt.Fprintf(cmd.OutOrStdout(), "%s\n  id    %s\n  spki  %s\n", k.Label, k.ID, k.Fingerprint)
		if k.Problem != "" {
			fmt.Fprintf(cmd.OutOrStdout(), "  unusable: %s\n", k.Problem)
		}
	}
	if len(keys) == 0 {
		fmt.Fprintln(cmd.OutOrStdout(), "The token holds no P-256 key: make one with countersignd keys create.")
	}
	return nil
}
