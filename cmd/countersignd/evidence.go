package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/countersign/countersign/config"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/authority"
	"github.com/countersign/countersign/gate/keeper"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/release"
	"github.com/countersign/countersign/gate/store"
)

// evidence is what proves signatures to those who look at them later.
type evidence struct {
	authority *authority.Authority
	keeper    *keeper.Keeper
}

// openEvidence opens the gate's own keys and the ledger's publication. A ledger that is not
// fit to sign under opens too: pages and reading go on.
func openEvidence(ctx context.Context, c config.Config, signer *signers, shelf *store.Store, log *slog.Logger) (evidence, error) {
	if err := allKeys(c); err != nil {
		return evidence{}, err
	}
	outside, err := outsideStamps(c.Timestamps)
	if err != nil {
		return evidence{}, err
	}
	a, err := authority.New(authority.Config{
		Server: c.Server.URL.String(), Organization: c.Certificates.Organization, Origin: c.Ledger.Origin,
		Keys: signer.AuthorityKeys(), Sealer: signer, Cabinet: shelf, Annals: shelf, Outside: outside,
		NoCertificates: c.Certificates.Off, Now: time.Now,
	})
	if err != nil {
		return evidence{}, notConfigured("the gate's own keys cannot be used", err)
	}
	k, err := newKeeper(c, shelf, a, a.LogKey(), log)
	if err != nil {
		return evidence{}, err
	}
	if err := k.Start(ctx); err != nil {
		return evidence{}, fmt.Errorf("look at the ledger: %w", err)
	}
	// The trusted root is served from the first minute on, and lacks what left the
	// configuration. A ledger that is not fit gets no new one: the keeper says why.
	if fit := k.Fit(ctx) == nil; fit {
		if _, err := a.TrustedRoot(ctx); err != nil {
			log.ErrorContext(ctx, "no new trusted root yet", "error", err)
		}
	}
	return evidence{authority: a, keeper: k}, nil
}

// newKeeper keeps the configured ledger; without a notary it publishes nothing.
func newKeeper(c config.Config, shelf *store.Store, notary keeper.Notary, key *ledger.LogKey, log *slog.Logger) (*keeper.Keeper, error) {
	watching, err := witnesses(c.Ledger.Witnesses)
	if err != nil {
		return nil, err
	}
	k, err := keeper.New(keeper.Config{
		Shelf: shelf, Notary: notary, Guard: keeper.File{Path: c.Ledger.Guard}, Witnesses: watching, Key: key,
		Now: time.Now, Log: log, Every: c.Ledger.Every, Patience: cosignPatience,
	})
	if err != nil {
		return nil, notConfigured("the ledger cannot be published", err)
	}
	return k, nil
}

// cosignPatience is how long a release waits for witnesses before it is looked at again.
const cosignPatience = 10 * time.Second

// allKeys refuses a configuration that lacks one of the gate's own keys: what is signed
// without its evidence could not be made up for later.
func allKeys(c config.Config) error {
	missing := c.Missing()
	if len(missing) == 0 {
		return nil
	}
	var names []string
	for _, p := range missing {
		names = append(names, string(p))
	}
	return &gate.Error{
		Kind: gate.Invalid, Code: gate.CodeConfig, Text: "the gate lacks keys of its own",
		Expected: "an entry under keys for each purpose", Got: "none for " + strings.Join(names, ", "),
		Fix: "countersignd keys create --authority makes them and prints the entries",
	}
}

func outsideStamps(t config.Timestamps) (*authority.Outside, error) {
	if t.URL == "" {
		return nil, nil
	}
	chains, err := authority.ParseChains(t.Chain)
	if err != nil {
		return nil, notConfigured("timestamps.chain_file does not read", err)
	}
	return &authority.Outside{URL: t.URL, Chains: chains, Client: &http.Client{Timeout: cosignPatience}}, nil
}

func notConfigured(text string, err error) error {
	return &gate.Error{
		Kind: gate.Invalid, Code: gate.CodeConfig, Text: text, Got: err.Error(),
		Fix: "mend the configuration, or the file that it names",
	}
}

// Work publishes what is stored, soon after it was, until ctx ends.
func (e evidence) Work(ctx context.Context, wake func() <-chan struct{}) error {
	go func() {
		for ctx.Err() == nil {
			select {
			case <-wake():
				e.keeper.Wake()
			case <-ctx.Done():
			}
		}
	}()
	return e.keeper.Work(ctx)
}

// certify is the configuration's word on certificates.
func certify(c config.Certificates) release.Certify {
	switch {
	case c.Off:
		return release.CertifyNone
	case c.Private:
		return release.CertifyAll
	}
	return release.CertifyPublic
}
