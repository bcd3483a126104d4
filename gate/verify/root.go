package verify

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest"
	"github.com/countersign/countersign/gate/ledger"
)

// Root is a parsed trusted_root.json: the logs and authorities whose word counts. It is
// safe for concurrent use.
type Root struct {
	logs []*ledger.LogKey
	cas  []authority
	tsas []authority
	cts  map[gate.Digest]attest.Key // by RFC 6962 log id
}

// authority is a chain of certificates from the leaf to the root.
type authority struct {
	attest.TrustedAuthority

	chain []*x509.Certificate
}

// pools are the chain's root, and what lies between it and a leaf.
func (a authority) pools() (roots, between *x509.CertPool) {
	roots, between = x509.NewCertPool(), x509.NewCertPool()
	last := len(a.chain) - 1
	roots.AddCert(a.chain[last])
	for _, c := range a.chain[:last] {
		between.AddCert(c)
	}
	return roots, between
}

// ParseRoot reads a trusted_root.json as a gate serves it
// (application/vnd.dev.sigstore.trustedroot+json;version=0.1). Where it came from is the
// caller's to know: everything is believed on its word.
func ParseRoot(text []byte) (*Root, error) {
	trust, err := attest.ParseTrustedRoot(text)
	if err != nil {
		return nil, err
	}
	root := &Root{cts: map[gate.Digest]attest.Key{}}
	for _, l := range trust.Logs {
		key, err := l.Key()
		if err != nil {
			return nil, fmt.Errorf("read trusted root: %w", err)
		}
		root.logs = append(root.logs, key)
	}
	for _, c := range trust.CTLogs {
		key, err := attest.ParseKey(c.SPKI)
		if err != nil {
			return nil, fmt.Errorf("read trusted root: %w", err)
		}
		root.cts[sha256.Sum256(c.SPKI)] = key
	}
	if root.cas, err = authorities(trust.CAs); err != nil {
		return nil, err
	}
	if root.tsas, err = authorities(trust.TSAs); err != nil {
		return nil, err
	}
	return root, nil
}

func authorities(all []attest.TrustedAuthority) ([]authority, error) {
	var out []authority
	for _, a := range all {
		chain, err := a.Certificates()
		if err != nil {
			return nil, fmt.Errorf("read trusted root: %w", err)
		}
		out = append(out, authority{a, chain})
	}
	return out, nil
}

// log is the listed log of that id.
func (r *Root) log(id []byte) (*ledger.LogKey, error) {
	for _, l := range r.logs {
		if bytes.Equal(l.ID(), id) {
			return l, nil
		}
	}
	return nil, fmt.Errorf("expected one of the %d logs that the trusted root lists, got log %x", len(r.logs), id)
}

// during are those of the authorities that counted at a time.
func during(all []authority, at time.Time) []authority {
	var out []authority
	for _, a := range all {
		if a.During(at) {
			out = append(out, a)
		}
	}
	return out
}
