package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/hsm"
)

// keyOutput is a key as the commands show it: what belongs into the configuration.
type keyOutput struct {
	Purpose     gate.Purpose `json:"purpose,omitempty"` // of a new key: a token does not know it
	Type        hsm.KeyType  `json:"type"`
	Label       string       `json:"label"`
	ID          string       `json:"id"` // hex
	Fingerprint string       `json:"fingerprint"`
	Software    bool         `json:"software"`
	Problem     string       `json:"problem,omitempty"`
}

func show(k hsm.Key) keyOutput {
	return keyOutput{
		Purpose: k.Purpose, Type: k.Type, Label: k.Label, ID: hex.EncodeToString(k.ID),
		Fingerprint: k.Fingerprint, Software: k.Software, Problem: k.Problem,
	}
}

func keysCommand() *cobra.Command {
	return group("keys", "Make and list the keys of a PKCS#11 token, and the tokens of a module",
		createCommand(), listCommand(), tokensCommand(), initCommand())
}

func listCommand() *cobra.Command {
	var token hsm.TokenConfig
	var asJSON bool
	list := &cobra.Command{
		Use: "list", Short: "List the token's P-256 and Ed25519 keys with what their pins need", Args: cobra.NoArgs,
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
	tokenFlags(list, &token)
	list.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return list
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

func printKeys(cmd *cobra.Command, keys []keyOutput, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(keys)
	}
	for _, k := range keys {
		fmt.Fprintf(cmd.OutOrStdout(), "%s\n  type  %s\n  id    %s\n  spki  %s\n", k.Label, k.Type, k.ID, k.Fingerprint)
		if k.Problem != "" {
			fmt.Fprintf(cmd.OutOrStdout(), "  unusable: %s\n", k.Problem)
		}
	}
	if len(keys) == 0 {
		fmt.Fprintln(cmd.OutOrStdout(), "The token holds no P-256 or Ed25519 key: make one with countersignd keys create.")
	}
	return nil
}
