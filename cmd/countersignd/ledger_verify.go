package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/countersign/countersign/config"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/keeper"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/store"
)

// archive is the store as an audit reads it.
type archive struct{ *store.Store }

// Entries implements keeper.Archive.
func (a archive) Entries(ctx context.Context, from int64, limit int) ([]gate.LedgerEntry, error) {
	leaves, err := a.Leaves(ctx, from, limit)
	if err != nil {
		return nil, err
	}
	out := make([]gate.LedgerEntry, len(leaves))
	for i, l := range leaves {
		out[i] = gate.LedgerEntry{Index: l.Index, Kind: string(l.Kind), ID: l.ID, Bytes: l.Bytes, Salt: l.Salt, Document: l.Document, At: l.At}
	}
	return out, nil
}

func ledgerVerifyCommand() *cobra.Command {
	var path string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "verify", Args: cobra.NoArgs,
		Short: "Read the whole ledger of the database again and check all that it holds",
		Long: `Read the whole ledger of the database again and check it: that every document opens its
commitment, every signature verifies, every tile holds what the entries make, every published
checkpoint is of this tree and signed by its log, and every new epoch was signed for by two
administrators (with ledger.signers_file). It changes nothing, and may run beside the server.
Exit codes: 0 everything holds, 1 something does not, and what.`,
		Example: "  countersignd ledger verify\n  countersignd ledger verify --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withLedger(cmd.Context(), path, func(c config.Config, shelf *store.Store) error {
				f, err := audit(cmd.Context(), c, shelf)
				if err != nil {
					return err
				}
				if asJSON {
					err = json.NewEncoder(cmd.OutOrStdout()).Encode(f)
				} else {
					printFigures(cmd.OutOrStdout(), f)
				}
				if err == nil && f.Wrong > 0 {
					err = fmt.Errorf("the ledger does not hold: %s", count(int(f.Wrong), "problem"))
				}
				return err
			})
		},
	}
	configFlag(cmd, &path)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func audit(ctx context.Context, c config.Config, shelf *store.Store) (keeper.Figures, error) {
	a := keeper.Audit{Archive: archive{shelf}}
	for i, w := range c.Ledger.Witnesses {
		key, err := ledger.ParseWitnessKey(w.Key)
		if err != nil {
			return keeper.Figures{}, notConfigured(fmt.Sprintf("ledger.witnesses[%d] cannot be used", i), err)
		}
		a.Witnesses = append(a.Witnesses, key)
	}
	if c.Ledger.Signers != "" {
		v, err := voters(c)
		if err != nil {
			return keeper.Figures{}, err
		}
		a.Voters = &v
	}
	return a.Run(ctx)
}

func printFigures(w io.Writer, f keeper.Figures) {
	fmt.Fprintf(w, "entries       %d, root %s\n", f.Entries, f.Root)
	fmt.Fprintf(w, "commitments   %d opened by their documents\n", f.Commitments)
	fmt.Fprintf(w, "signatures    %d verified\n", f.Signatures)
	fmt.Fprintf(w, "tiles         %d as the entries make them\n", f.Tiles)
	fmt.Fprintf(w, "checkpoints   %d of this tree, with %d cosignatures\n", f.Checkpoints, f.Cosignatures)
	fmt.Fprintf(w, "epochs        %d\n", f.Epochs)
	for _, p := range f.Problems {
		fmt.Fprintf(w, "problem       %s\n", p)
	}
	if more := f.Wrong - int64(len(f.Problems)); more > 0 {
		fmt.Fprintf(w, "              and %d more\n", more)
	}
}
