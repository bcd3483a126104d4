package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/hsm"
)

// creation is what countersignd keys create was asked for.
type creation struct {
	token   hsm.TokenConfig
	label   string
	purpose string
	typ     string
	all     bool   // one key for each of the gate's own purposes
	prefix  string // of their labels
	asJSON  bool
}

func createCommand() *cobra.Command {
	var c creation
	cmd := &cobra.Command{
		Use: "create", Short: "Make key pairs that never leave the token", Args: cobra.NoArgs,
		Long: `Make a key pair that never leaves the token, and print the entry of the configuration that
binds it.

A key has exactly one purpose. Release keys sign what a grant names, and nothing else. The
gate's own keys make the evidence around it: log signs checkpoints of the ledger, timestamp
RFC 3161 time-stamps, ca certificates of release keys, ct their signed certificate timestamps,
and verdict what was refused. All are P-256; the log's may be Ed25519.

With --authority all five of the gate's own keys are made at once, the log's as Ed25519 where
the token can. Nothing is made where one of their labels is taken.`,
		Example: `  countersignd keys create --module /usr/lib/softhsm/libsofthsm2.so --token releases \
    --pin-file /etc/countersign/pin --label release-1
  countersignd keys create --module /usr/lib/softhsm/libsofthsm2.so --token releases \
    --pin-file /etc/countersign/pin --authority`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if c.all {
				return c.makeAuthority(cmd)
			}
			return c.makeOne(cmd)
		},
	}
	f := cmd.Flags()
	tokenFlags(cmd, &c.token)
	f.StringVar(&c.label, "label", "", "label of the new key, such as release-1")
	f.StringVar(&c.purpose, "purpose", string(gate.PurposeRelease), "what the key is for: "+strings.Join(purposeNames(), ", "))
	f.StringVar(&c.typ, "type", string(hsm.P256), "p256, or ed25519 for the log's key")
	f.BoolVar(&c.all, "authority", false, "make one key for each purpose of the gate's own")
	f.StringVar(&c.prefix, "prefix", "", "with --authority: what the keys' labels begin with")
	f.BoolVar(&c.asJSON, "json", false, "print JSON: an object, with --authority an array of them")
	cmd.MarkFlagsOneRequired("label", "authority")
	for _, one := range []string{"label", "purpose", "type"} {
		cmd.MarkFlagsMutuallyExclusive("authority", one)
		cmd.MarkFlagsMutuallyExclusive("prefix", one)
	}
	return cmd
}

// purposeNames are all purposes, the release key's first.
func purposeNames() []string {
	out := []string{string(gate.PurposeRelease)}
	for _, p := range gate.AuthorityPurposes() {
		out = append(out, string(p))
	}
	return out
}

func (c creation) makeOne(cmd *cobra.Command) error {
	if !slices.Contains(purposeNames(), c.purpose) {
		return &gate.Error{
			Kind: gate.Invalid, Code: gate.CodeConfig, Text: "no key has that purpose",
			Expected: strings.Join(purposeNames(), ", "), Got: fmt.Sprintf("%q", c.purpose), Fix: "name one of these with --purpose",
		}
	}
	k, err := hsm.Generate(cmd.Context(), hsm.GenerateConfig{
		Module: c.token.Module, TokenLabel: c.token.TokenLabel, PINFile: c.token.PINFile, Label: c.label,
		Purpose: gate.Purpose(c.purpose), Type: hsm.KeyType(c.typ),
	})
	if err != nil {
		return err
	}
	made := show(k)
	if c.asJSON {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(made)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "Made key %q. Bind it in the configuration:\n\nkeys:\n", made.Label)
	c.printEntry(cmd, made)
	return nil
}

// makeAuthority makes a set of keys. What is on the token is shown also where the set did
// not become whole.
func (c creation) makeAuthority(cmd *cobra.Command) error {
	keys, err := hsm.GenerateAuthority(cmd.Context(), c.token, c.prefix)
	if len(keys) == 0 {
		return err
	}
	var made []keyOutput
	for _, k := range keys {
		made = append(made, show(k))
	}
	if c.asJSON {
		if err != nil {
			return err
		}
		return json.NewEncoder(cmd.OutOrStdout()).Encode(made)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "Made %d of the gate's own keys. Bind them in the configuration:\n\nkeys:\n", len(made))
	for _, k := range made {
		c.printEntry(cmd, k)
	}
	return err
}

// printEntry prints what the configuration needs of a key.
func (c creation) printEntry(cmd *cobra.Command, k keyOutput) {
	const column = 28 // where the comments begin
	entry := func(dash, field, value, comment string) {
		line := fmt.Sprintf("  %s %s: %s", dash, field, value)
		if comment != "" {
			line = fmt.Sprintf("%-*s# %s", column, line, comment)
		}
		fmt.Fprintln(cmd.OutOrStdout(), line)
	}
	name := "the name that policies use"
	if k.Purpose != gate.PurposeRelease {
		name = "its name on pages and in the evidence"
	}
	kind := ""
	if k.Purpose == gate.PurposeLog {
		kind = map[hsm.KeyType]string{hsm.P256: "P-256", hsm.Ed25519: "Ed25519"}[k.Type]
	}
	entry("-", "lineage", string(k.Purpose), name)
	entry(" ", "purpose", string(k.Purpose), kind)
	entry(" ", "version", "1", "")
	entry(" ", "token", fmt.Sprintf("%q", c.token.TokenLabel), "")
	entry(" ", "label", fmt.Sprintf("%q", k.Label), "")
	entry(" ", "id", `"`+k.ID+`"`, "")
	entry(" ", "spki", `"`+k.Fingerprint+`"`, "")
	if k.Purpose == gate.PurposeRelease {
		entry(" ", "repositories", "[]", `"forge:number" of those that may use it, such as github:1296269`)
	}
}
