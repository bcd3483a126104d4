package authority

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"net/url"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest"
)

// TrustedRoot is the newest trusted_root.json: one line and a line feed. It lists the log of
// every epoch, and all that keys in the configuration certified, stamped or are trusted for,
// older versions too. A key that is taken out of the configuration leaves the next version:
// that is how one is revoked. Each version is kept.
//
// Errors: CodeSealing, kind Unavailable, before the ledger's first epoch has begun.
func (a *Authority) TrustedRoot(ctx context.Context) ([]byte, error) {
	trust, err := a.trust(ctx)
	if err != nil {
		return nil, err
	}
	doc, err := attest.TrustedRoot(trust)
	if err != nil {
		return nil, err
	}
	newest, _, ok, err := a.cabinet.TrustedRoot(ctx)
	if err != nil {
		return nil, fmt.Errorf("look up trusted root: %w", err)
	}
	if ok && bytes.Equal(newest, doc) {
		return doc, nil
	}
	if _, err := a.cabinet.KeepTrustedRoot(ctx, doc); err != nil {
		return nil, fmt.Errorf("keep trusted root: %w", err)
	}
	return doc, nil
}

func (a *Authority) trust(ctx context.Context) (attest.Trust, error) {
	// What a release needs next is in the root before the release is: certificates are made
	// here at the latest.
	if _, err := a.caCertificate(ctx); err != nil {
		return attest.Trust{}, err
	}
	if a.outside == nil {
		if _, _, err := a.ownStamper(ctx); err != nil {
			return attest.Trust{}, err
		}
	}
	issuers, err := a.issuers(ctx)
	if err != nil {
		return attest.Trust{}, err
	}
	var out attest.Trust
	if out.Logs, err = a.trustedLogs(ctx); err != nil {
		return attest.Trust{}, err
	}
	for _, c := range issuers {
		out.CAs = append(out.CAs, trusted(a.server, c))
	}
	for _, k := range a.keys[gate.PurposeCT] {
		out.CTLogs = append(out.CTLogs, attest.TrustedCT{Origin: a.host, SPKI: k.SPKI, Since: ctSince(issuers)})
	}
	if out.TSAs, err = a.trustedStampers(ctx, issuers); err != nil {
		return attest.Trust{}, err
	}
	return out, nil
}

func (a *Authority) trustedLogs(ctx context.Context) ([]attest.TrustedLog, error) {
	epochs, err := a.annals.Epochs(ctx)
	if err != nil {
		return nil, fmt.Errorf("list epochs: %w", err)
	}
	if len(epochs) == 0 {
		return nil, &gate.Error{
			Kind: gate.Unavailable, Code: gate.CodeSealing, Text: "the ledger has not begun",
			Expected: "the ledger's first epoch", Got: "none", Fix: "try again in a few seconds",
		}
	}
	var out []attest.TrustedLog
	for _, e := range epochs {
		out = append(out, attest.TrustedLog{Origin: e.Origin, SPKI: e.SPKI, Since: e.Begun.UTC().Truncate(time.Second)})
	}
	return out, nil
}

// trustedStampers are the gate's own, where it has such keys, and those outside.
func (a *Authority) trustedStampers(ctx context.Context, issuers []*x509.Certificate) ([]attest.TrustedAuthority, error) {
	own, err := a.certificatesOf(ctx, "timestamp", gate.PurposeTimestamp)
	if err != nil {
		return nil, err
	}
	var out []attest.TrustedAuthority
	for _, c := range own {
		if ca := issuerOf(c, issuers); ca != nil { // else its CA is trusted no longer
			out = append(out, trusted(a.server, c, ca))
		}
	}
	if a.outside != nil {
		for _, chain := range a.outside.chains {
			out = append(out, trusted(a.outside.place(), chain...))
		}
	}
	return out, nil
}

// place is the authority's URL as the public may see it: some have a customer's key in them.
func (o *outside) place() string {
	u, err := url.Parse(o.url)
	if err != nil {
		return ""
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host}).String()
}

// trusted is a chain for as long as its first certificate is valid.
func trusted(uri string, chain ...*x509.Certificate) attest.TrustedAuthority {
	out := attest.TrustedAuthority{URI: uri, Since: chain[0].NotBefore, Until: chain[0].NotAfter}
	for _, c := range chain {
		out.Chain = append(out.Chain, c.Raw)
	}
	return out
}
