package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign/countersign/config"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/keeper"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/store"
)

func ledgerCommand() *cobra.Command {
	return group("ledger", "Show, check and mend the ledger and its publication",
		ledgerStatusCommand(), ledgerCheckpointCommand(), ledgerVerifyCommand(), ledgerEpochCommand())
}

// withLedger gives the configured database, which has to be there.
func withLedger(ctx context.Context, path string, do func(config.Config, *store.Store) error) error {
	c, err := config.Load(path)
	if err != nil {
		return err
	}
	if c.Database.Engine == string(store.SQLite) {
		if _, err := os.Stat(c.Database.Path); errors.Is(err, fs.ErrNotExist) {
			return &gate.Error{Kind: gate.Invalid, Code: gate.CodeConfig, Text: "there is no database at " + c.Database.Path, Fix: "start the server once: countersignd serve"}
		}
	}
	shelf, err := openStore(ctx, c)
	if err != nil {
		return err
	}
	defer func() { _ = shelf.Close() }() // what was written is committed
	return do(c, shelf)
}

// logPrint is the fingerprint of the log key that is configured to sign: the newest version.
func logPrint(c config.Config) string {
	newest, print := 0, ""
	for _, k := range c.Keys {
		if k.Purpose == gate.PurposeLog && k.Version > newest {
			newest, print = k.Version, k.Fingerprint
		}
	}
	return print
}

// openKeeper gives a keeper that signs nothing, over the log key of the newest epoch; the
// error, beside a keeper, says that the configuration has another one.
func openKeeper(ctx context.Context, c config.Config, shelf *store.Store) (*keeper.Keeper, error, error) {
	epochs, err := shelf.Epochs(ctx)
	if err != nil {
		return nil, nil, err
	}
	if len(epochs) == 0 {
		return nil, nil, &gate.Error{Kind: gate.Unavailable, Code: gate.CodeEpoch, Text: "the ledger has not begun", Fix: "start the server once: countersignd serve"}
	}
	e := epochs[len(epochs)-1]
	key, err := ledger.NewLogKey(e.Origin, e.SPKI)
	if err != nil {
		return nil, nil, fmt.Errorf("epoch %d: %w", e.Number, err)
	}
	k, err := newKeeper(c, shelf, nil, key, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, nil, err
	}
	if e.Origin != c.Ledger.Origin || keeper.Fingerprint(e.SPKI) != logPrint(c) {
		return k, &gate.Error{
			Kind: gate.Conflict, Code: gate.CodeEpoch, Text: "the configured origin and log key are not those of the ledger's epoch: nothing is signed",
			Expected: fmt.Sprintf("origin %s and log key %s, as epoch %d has", e.Origin, keeper.Fingerprint(e.SPKI), e.Number),
			Got:      fmt.Sprintf("origin %s and log key %s", c.Ledger.Origin, logPrint(c)),
			Fix:      "configure those again; or, to change them, have two administrators begin a new epoch: countersignd ledger epoch draft",
		}, nil
	}
	return k, nil, nil
}

// standingOutput is how the ledger stands, as --json prints it.
type standingOutput struct {
	Entries   int64           `json:"entries"`
	Published gate.Checkpoint `json:"published"`
	Guard     guardOutput     `json:"guard"`
	Epochs    []epochOutput   `json:"epochs"`
	Log       string          `json:"log"` // verifier key
	Witnesses []witnessOutput `json:"witnesses"`
	Fit       bool            `json:"fit"`
	Why       string          `json:"why,omitempty"` // it is not fit
}

type guardOutput struct {
	File    string `json:"file"`
	Kept    bool   `json:"kept"`
	Epoch   int    `json:"epoch,omitempty"`
	Entries int64  `json:"entries,omitempty"`
	Problem string `json:"problem,omitempty"`
}

type epochOutput struct {
	Number int       `json:"number"`
	Origin string    `json:"origin"`
	LogKey string    `json:"log_key"`
	Begun  time.Time `json:"begun"`
}

type witnessOutput struct {
	Name     string     `json:"name"`
	Cosigned *time.Time `json:"cosigned,omitempty"` // the newest published checkpoint
	Says     string     `json:"says,omitempty"`
}

func ledgerStatusCommand() *cobra.Command {
	var path string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "status", Args: cobra.NoArgs,
		Short: "Show how the ledger stands: its size, what is published, guard, witnesses, epochs",
		Long: `Show how the ledger stands: how many entries the database has and how many are published,
what the guard's file remembers, and the log's verifier key, by which witnesses and monitors
are told of it. Every witness is asked for its cosignature of what is published; nothing is
signed here.
Exit codes: 0 the server may sign, 1 it may not, and why.`,
		Example: "  countersignd ledger status\n  countersignd ledger status --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withLedger(cmd.Context(), path, func(c config.Config, shelf *store.Store) error {
				k, unfit, err := openKeeper(cmd.Context(), c, shelf)
				if err != nil {
					return err
				}
				s, err := k.Status(cmd.Context())
				if err != nil {
					return err
				}
				if unfit == nil {
					unfit = s.Unfit
				}
				out := standingOf(c, k, s, unfit)
				if asJSON {
					err = json.NewEncoder(cmd.OutOrStdout()).Encode(out)
				} else {
					printStanding(cmd.OutOrStdout(), out)
				}
				return errors.Join(err, unfit)
			})
		},
	}
	configFlag(cmd, &path)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func standingOf(c config.Config, k *keeper.Keeper, s keeper.Status, unfit error) standingOutput {
	out := standingOutput{
		Entries: s.Size, Published: s.Published, Log: k.Key.String(), Fit: unfit == nil,
		Guard:     guardOutput{File: c.Ledger.Guard, Kept: s.Guard.Kept, Epoch: s.Guard.Epoch, Entries: s.Guard.Size},
		Epochs:    []epochOutput{},
		Witnesses: []witnessOutput{},
	}
	if s.Guard.Err != nil {
		out.Guard.Problem = s.Guard.Err.Error()
	}
	if unfit != nil {
		out.Why = explain(unfit)
	}
	for _, e := range s.Epochs {
		out.Epochs = append(out.Epochs, epochOutput{Number: e.Number, Origin: e.Origin, LogKey: keeper.Fingerprint(e.SPKI), Begun: e.Begun})
	}
	for _, w := range s.Witnesses {
		x := witnessOutput{Name: w.Name, Says: w.Says}
		if !w.Cosigned.IsZero() {
			x.Cosigned = &w.Cosigned
		}
		out.Witnesses = append(out.Witnesses, x)
	}
	return out
}

func printStanding(w io.Writer, s standingOutput) {
	fmt.Fprintf(w, "entries    %d in the database\n", s.Entries)
	if s.Published.Note == nil {
		fmt.Fprintln(w, "published  nothing yet")
	} else {
		fmt.Fprintf(w, "published  %d, root %s, %s\n", s.Published.Size, s.Published.Root, s.Published.At.Format(time.RFC3339))
	}
	switch {
	case s.Guard.Problem != "":
		fmt.Fprintf(w, "guard      %s\n", s.Guard.Problem)
	case !s.Guard.Kept:
		fmt.Fprintf(w, "guard      none yet at %s\n", s.Guard.File)
	case s.Guard.Entries < 0:
		fmt.Fprintf(w, "guard      epoch %d (%s)\n", s.Guard.Epoch, s.Guard.File)
	default:
		fmt.Fprintf(w, "guard      %d in epoch %d (%s)\n", s.Guard.Entries, s.Guard.Epoch, s.Guard.File)
	}
	for _, e := range s.Epochs {
		fmt.Fprintf(w, "epoch %-4d %s since %s, log key %s\n", e.Number, e.Origin, e.Begun.Format(time.RFC3339), e.LogKey)
	}
	fmt.Fprintf(w, "log        %s\n", s.Log)
	for _, x := range s.Witnesses {
		if x.Cosigned != nil {
			fmt.Fprintf(w, "witness    %s cosigned it at %s\n", x.Name, x.Cosigned.Format(time.RFC3339))
		}
		if x.Says != "" {
			fmt.Fprintf(w, "witness    %s: %s\n", x.Name, x.Says)
		}
	}
	if s.Fit {
		fmt.Fprintln(w, "fit        yes: the server may sign")
	} else {
		fmt.Fprintln(w, "fit        no: nothing is signed")
	}
}

func ledgerCheckpointCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use: "checkpoint", Args: cobra.NoArgs,
		Short: "Print the newest published checkpoint, with its cosignatures",
		Long: `Print the newest published checkpoint of the ledger as a signed note (C2SP tlog-checkpoint),
with the cosignatures that it has: what /log/checkpoint serves. It is verified first. Keep
one elsewhere now and then: it proves later what was published.`,
		Example: "  countersignd ledger checkpoint > checkpoint",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withLedger(cmd.Context(), path, func(c config.Config, shelf *store.Store) error {
				k, _, err := openKeeper(cmd.Context(), c, shelf)
				if err != nil {
					return err
				}
				newest, ok, err := shelf.LatestCheckpoint(cmd.Context(), k.Key.Name())
				if err != nil {
					return err
				}
				if !ok {
					return &gate.Error{Kind: gate.NotFound, Code: gate.CodeLogRange, Text: "nothing of the ledger is published yet", Fix: "start the server: countersignd serve"}
				}
				if _, _, err := ledger.Open(newest.Note, k.Key); err != nil {
					return err
				}
				_, err = cmd.OutOrStdout().Write(newest.Note)
				return err
			})
		},
	}
	configFlag(cmd, &path)
	return cmd
}
