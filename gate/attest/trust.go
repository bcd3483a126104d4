package attest

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"github.com/countersign/countersign/gate/ledger"
)

// TrustedRootType is the media type of trusted roots that stock verifiers read.
const TrustedRootType = "application/vnd.dev.sigstore.trustedroot+json;version=0.1"

// MaxTrustedRoot bounds a trusted root, in bytes: hundreds of keys.
const MaxTrustedRoot = 1 << 20

// Trust is whose word counts: every log, authority and key of one gate, those of earlier
// years included, because what they made stays.
type Trust struct {
	Logs   []TrustedLog       // at least one: one per epoch and key
	CAs    []TrustedAuthority // that issue certificates over release keys
	CTLogs []TrustedCT        // whose keys sign certificate timestamps (RFC 6962)
	TSAs   []TrustedAuthority // that make time-stamps (RFC 3161)
}

// TrustedLog is one log key under one origin.
type TrustedLog struct {
	Origin string    // a host name
	SPKI   []byte    // DER SubjectPublicKeyInfo, P-256 or Ed25519
	Since  time.Time // whole seconds
}

// Key is the log's key.
func (l TrustedLog) Key() (*ledger.LogKey, error) { return ledger.NewLogKey(l.Origin, l.SPKI) }

// TrustedAuthority is a chain of certificates.
type TrustedAuthority struct {
	// Chain is DER certificates from the leaf to the root. Where a CA signs with its root
	// itself, that is all of it; a time-stamping authority has its signing certificate first.
	Chain [][]byte
	// URI says where it is: the gate's public URL, or that of an outside authority.
	URI string
	// Since and Until bound what it may have made, in whole seconds; the zero Until leaves
	// that open.
	Since, Until time.Time
}

// TrustedCT is one key that signs certificate timestamps: ECDSA on P-256.
type TrustedCT struct {
	Origin string // a host name
	SPKI   []byte
	Since  time.Time // whole seconds
}

// check refuses what no verifier could use, and orders what has no order of its own: the
// oldest first, as the format asks.
func (t Trust) check() (Trust, error) {
	if len(t.Logs) == 0 {
		return Trust{}, fmt.Errorf("trusted root: expected at least one log, got none")
	}
	for _, l := range t.Logs {
		if _, err := l.Key(); err != nil {
			return Trust{}, fmt.Errorf("trusted root: %w", err)
		}
		if err := since(l.Origin, l.Since); err != nil {
			return Trust{}, err
		}
	}
	for _, c := range t.CTLogs {
		if _, err := ParseKey(c.SPKI); err != nil {
			return Trust{}, fmt.Errorf("trusted root: key of certificate timestamps: %w", err)
		}
		if err := since(c.Origin, c.Since); err != nil {
			return Trust{}, err
		}
	}
	for _, a := range t.CAs {
		if err := a.check("certificate authority", false); err != nil {
			return Trust{}, err
		}
	}
	for _, a := range t.TSAs {
		if err := a.check("time-stamping authority", true); err != nil {
			return Trust{}, err
		}
	}
	t.Logs, t.CTLogs = slices.Clone(t.Logs), slices.Clone(t.CTLogs)
	t.CAs, t.TSAs = slices.Clone(t.CAs), slices.Clone(t.TSAs)
	slices.SortStableFunc(t.Logs, func(a, b TrustedLog) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Origin, b.Origin), bytes.Compare(a.SPKI, b.SPKI))
	})
	slices.SortStableFunc(t.CTLogs, func(a, b TrustedCT) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Origin, b.Origin), bytes.Compare(a.SPKI, b.SPKI))
	})
	slices.SortStableFunc(t.CAs, byAge)
	slices.SortStableFunc(t.TSAs, byAge)
	return t, t.distinct()
}

// byAge orders authorities; of equal age, by their first certificates.
func byAge(a, b TrustedAuthority) int {
	return cmp.Or(a.Since.Compare(b.Since), slices.CompareFunc(a.Chain, b.Chain, bytes.Compare))
}

// distinct refuses one log twice: verifiers look logs up by id, and would take either.
func (t Trust) distinct() error {
	seen := map[string]bool{}
	for _, l := range t.Logs {
		key, err := l.Key()
		if err != nil {
			return fmt.Errorf("trusted root: %w", err)
		}
		if seen[string(key.ID())] {
			return fmt.Errorf("trusted root: the key of log %s is listed twice", l.Origin)
		}
		seen[string(key.ID())] = true
	}
	seen = map[string]bool{}
	for _, c := range t.CTLogs {
		if seen[string(c.SPKI)] {
			return fmt.Errorf("trusted root: a key of certificate timestamps of %s is listed twice", c.Origin)
		}
		seen[string(c.SPKI)] = true
	}
	return nil
}

// check wants a chain in which each certificate is signed by the next and the last by
// itself. A time-stamping authority's first is none that issues others.
func (a TrustedAuthority) check(what string, leaf bool) error {
	if len(a.Chain) == 0 {
		return fmt.Errorf("trusted root: %s: expected a chain of certificates, got none", what)
	}
	certs, err := a.Certificates()
	if err != nil {
		return fmt.Errorf("trusted root: %s: %w", what, err)
	}
	last := certs[len(certs)-1]
	if !last.IsCA {
		return fmt.Errorf("trusted root: %s: expected a root that is an authority, got %q", what, last.Subject)
	}
	for i, c := range certs {
		issuer := certs[min(i+1, len(certs)-1)]
		if err := c.CheckSignatureFrom(issuer); err != nil {
			return fmt.Errorf("trusted root: %s: certificate %d is not by the next one: %w", what, i+1, err)
		}
	}
	if leaf && (len(certs) < 2 || certs[0].IsCA || !slices.Contains(certs[0].ExtKeyUsage, x509.ExtKeyUsageTimeStamping)) {
		return fmt.Errorf("trusted root: %s: expected the signing certificate, for time-stamping, before its root", what)
	}
	if a.Since.IsZero() || !a.Until.IsZero() && a.Until.Before(a.Since) {
		return fmt.Errorf("trusted root: %s: expected a time since when it counts, and none until before that", what)
	}
	return nil
}

// Certificates are the parsed chain.
func (a TrustedAuthority) Certificates() ([]*x509.Certificate, error) {
	out := make([]*x509.Certificate, 0, len(a.Chain))
	for i, der := range a.Chain {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: expected DER: %w", i+1, err)
		}
		out = append(out, c)
	}
	return out, nil
}

// During reports whether a time is within Since and Until.
func (a TrustedAuthority) During(at time.Time) bool {
	return !at.Before(a.Since) && (a.Until.IsZero() || !at.After(a.Until))
}

// ctLogID is a certificate timestamp log's id (RFC 6962, 3.2).
func ctLogID(spki []byte) []byte {
	sum := sha256.Sum256(spki)
	return sum[:]
}
