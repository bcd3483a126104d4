package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign/countersign/config"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/keeper"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/store"
	"github.com/countersign/countersign/gate/sums"
)

func ledgerEpochCommand() *cobra.Command {
	return group("epoch", "Have the ledger go on where published entries were lost for good, or under another log key",
		epochDraftCommand(), epochBeginCommand())
}

func epochDraftCommand() *cobra.Command {
	var path, reason, origin, published string
	cmd := &cobra.Command{
		Use: "draft", Args: cobra.NoArgs,
		Short: "Write the document of a new epoch, for administrators to sign",
		Long: `Write the document of a new epoch of the ledger: where the former one ended, which published
entries the database no longer holds, and why. Configure another ledger.origin (a host name
that no epoch had) and another key with purpose: log first.

Two administrators read the document, and each signs that very file:
  ssh-keygen -Y sign -n epoch@countersign -f ~/.ssh/id_ed25519 epoch.json
Their keys stand in ledger.signers_file, each line with the administrator's number:
  github:583231 namespaces="epoch@countersign" ssh-ed25519 AAAA…
Then countersignd ledger epoch begin begins it.`,
		Example: "  countersignd ledger epoch draft --reason 'disk lost; backup of Monday restored' > epoch.json\n" +
			"  countersignd ledger epoch draft --reason 'disk lost' --published checkpoint > epoch.json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withLedger(cmd.Context(), path, func(c config.Config, shelf *store.Store) error {
				p := keeper.Proposal{Origin: c.Ledger.Origin, LogKey: logPrint(c), Reason: reason}
				if origin != "" {
					p.Origin = origin
				}
				if published != "" {
					var err error
					if p.Published, err = readFile(published, "--published"); err != nil {
						return err
					}
				}
				document, d, err := succession(c, shelf).Draft(cmd.Context(), p)
				if err != nil {
					return err
				}
				tellDraft(cmd.ErrOrStderr(), d)
				_, err = cmd.OutOrStdout().Write(document)
				return err
			})
		},
	}
	configFlag(cmd, &path)
	cmd.Flags().StringVar(&reason, "reason", "", "what happened, for those who read it later")
	cmd.Flags().StringVar(&origin, "origin", "", "the new log's name (default: the configured ledger.origin)")
	cmd.Flags().StringVar(&published, "published", "", "file with a checkpoint that a monitor or a witness kept, where this server may have forgotten")
	cobra.CheckErr(cmd.MarkFlagRequired("reason"))
	return cmd
}

func tellDraft(w io.Writer, d keeper.EpochDocument) {
	fmt.Fprintf(w, "Epoch %d of the ledger: origin %s, log key %s.\n", d.Number, d.Origin, d.LogKey)
	fmt.Fprintf(w, "Epoch %d (%s) ended with %d published entries; the database has %d.\n", d.Previous.Number, d.Previous.Origin, d.Previous.Size, d.Database.Size)
	if d.Lost.From < d.Lost.To {
		fmt.Fprintf(w, "Published entries %d to %d are lost, as far as can be told.\n", d.Lost.From, d.Lost.To-1)
	} else {
		fmt.Fprintln(w, "No published entry is lost, as far as this server remembers. Compare with what witnesses and monitors kept.")
	}
	fmt.Fprintf(w, "Two administrators sign this very file, each: ssh-keygen -Y sign -n %s -f KEY FILE\n", keeper.EpochNamespace)
}

func succession(c config.Config, shelf *store.Store) keeper.Succession {
	return keeper.Succession{Shelf: shelf, Guard: keeper.File{Path: c.Ledger.Guard}, Now: time.Now}
}

func epochBeginCommand() *cobra.Command {
	var path, document string
	var signatures []string
	cmd := &cobra.Command{
		Use: "begin", Args: cobra.NoArgs,
		Short: "Begin the epoch of a document that two administrators signed",
		Long: `Begin the epoch of a document that two administrators signed. Document and signatures go on
the ledger. The servers have to be started again, and witnesses and monitors be told of the new
log by its verifier key, which is printed. Bundles of before stay valid under the former key,
which stays in the trusted root.`,
		Example: "  countersignd ledger epoch begin --document epoch.json --signature ana.sig --signature bo.sig",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withLedger(cmd.Context(), path, func(c config.Config, shelf *store.Store) error {
				b, err := beginning(cmd.Context(), c, document, signatures)
				if err != nil {
					return err
				}
				e, err := succession(c, shelf).Begin(cmd.Context(), b)
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "Epoch %d of the ledger has begun under %s.\nStart the servers again, and tell witnesses and monitors of the log:\n  %s\n",
					e.Number, e.Origin, b.Key)
				return nil
			})
		},
	}
	configFlag(cmd, &path)
	cmd.Flags().StringVar(&document, "document", "", "the file that was drafted and signed")
	cmd.Flags().StringArrayVar(&signatures, "signature", nil, "an administrator's signature over it (armored SSHSIG); at least two")
	cobra.CheckErr(cmd.MarkFlagRequired("document"))
	cobra.CheckErr(cmd.MarkFlagRequired("signature"))
	return cmd
}

func beginning(ctx context.Context, c config.Config, document string, signatures []string) (b keeper.Beginning, err error) {
	if b.Document, err = readFile(document, "--document"); err != nil {
		return b, err
	}
	for _, path := range signatures {
		s, err := readFile(path, "--signature")
		if err != nil {
			return b, err
		}
		b.Signatures = append(b.Signatures, s)
	}
	if b.Voters, err = voters(c); err != nil {
		return b, err
	}
	b.Key, err = logKeyOnToken(ctx, c)
	return b, err
}

// readFile reads a file that a flag names; documents and signatures are small.
func readFile(path, flag string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &gate.Error{Kind: gate.Invalid, Code: gate.CodeConfig, Text: flag + " names a file that cannot be read", Got: err.Error(), Fix: "name the file itself"}
	}
	defer func() { _ = f.Close() }() // it was only read
	b, err := io.ReadAll(io.LimitReader(f, keeper.MaxEpochDocument+1))
	if err != nil || len(b) > keeper.MaxEpochDocument {
		return nil, &gate.Error{
			Kind: gate.Invalid, Code: gate.CodeConfig, Text: flag + " " + path + " cannot be read", Expected: fmt.Sprintf("at most %d bytes", keeper.MaxEpochDocument),
			Got: fmt.Sprintf("%d or more", len(b)), Fix: "name the file itself", Err: err,
		}
	}
	return b, nil
}

// voters are those who may begin an epoch.
func voters(c config.Config) (keeper.Voters, error) {
	v := keeper.Voters{Administrators: c.Administrators}
	if c.Ledger.Signers == "" {
		return v, &gate.Error{
			Kind: gate.Invalid, Code: gate.CodeConfig, Text: "nobody's SSH key is configured to begin an epoch", Expected: "ledger.signers_file", Got: "none",
			Fix: `name an allowed_signers file with a line for each administrator: github:583231 namespaces="` + keeper.EpochNamespace + `" ssh-ed25519 AAAA…`,
		}
	}
	file, err := os.ReadFile(c.Ledger.Signers)
	if err == nil {
		v.Signers, err = sums.ParseAllowedSigners(file)
	}
	if err != nil {
		return v, notConfigured("ledger.signers_file does not read", err)
	}
	return v, nil
}

// logKeyOnToken is the log key that the token holds, under the configured origin.
func logKeyOnToken(ctx context.Context, c config.Config) (*ledger.LogKey, error) {
	print, token := logPrint(c), ""
	only := c
	only.Keys, only.HSM = nil, nil
	for _, k := range c.Keys {
		if k.Purpose == gate.PurposeLog && k.Fingerprint == print {
			only.Keys, token = append(only.Keys, k), k.Token
		}
	}
	for _, t := range c.HSM {
		if t.Label == token {
			t.Workers = 1
			only.HSM = append(only.HSM, t)
		}
	}
	s, err := startSigners(ctx, only, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	defer s.Close()
	for _, k := range s.AuthorityKeys() {
		if keeper.Fingerprint(k.SPKI) == print {
			return ledger.NewLogKey(c.Ledger.Origin, k.SPKI)
		}
	}
	return nil, &gate.Error{Kind: gate.Invalid, Code: gate.CodeConfig, Text: "no key with purpose: log is configured", Fix: "countersignd keys create --purpose log makes one"}
}
