package authority

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"slices"
	"time"

	"github.com/countersign/countersign/gate"
)

const (
	year    = 365 * 24 * time.Hour
	caLasts = 10 * year
	// caRenewed leaves every certificate that it issued room to end before it does.
	caRenewed = 2 * year
)

// caCertificate is the root of the newest CA key: self-signed, and the same bytes always once
// it was made.
func (a *Authority) caCertificate(ctx context.Context) (*x509.Certificate, error) {
	key, _ := a.keys.newest(gate.PurposeCA)
	return a.own(ctx, form{
		name: certificateName("ca", key),
		fits: func(c *x509.Certificate) bool {
			return bytes.Equal(c.RawSubjectPublicKeyInfo, key.SPKI) && c.IsCA && a.left(c, caRenewed)
		},
		issue: func() ([]byte, error) { return a.issueCA(ctx, key) },
	})
}

// certificateName is that of an authority's certificate in the cabinet.
func certificateName(kind string, key gate.AuthorityKey) string {
	return fmt.Sprintf("%s/%s/%d", kind, key.Lineage, key.Version)
}

func (a *Authority) issueCA(ctx context.Context, key gate.AuthorityKey) ([]byte, error) {
	from, until := a.span(caLasts, nil)
	template := &x509.Certificate{
		Subject:   pkix.Name{Organization: []string{a.organization}, CommonName: a.named("release certificates")},
		NotBefore: from, NotAfter: until,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		IsCA:     true, BasicConstraintsValid: true, MaxPathLen: 0, MaxPathLenZero: true,
	}
	return a.issue(ctx, template, template, key.SPKI)
}

// named is a common name, within its 64 characters (RFC 5280, ub-common-name).
func (a *Authority) named(what string) string {
	const most = 64
	if name := a.host + " " + what; len(name) <= most {
		return name
	}
	return what
}

// issue signs a certificate over a public key with the newest CA key.
func (a *Authority) issue(ctx context.Context, template, parent *x509.Certificate, spki []byte) ([]byte, error) {
	public, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return nil, fmt.Errorf("read public key: %w", err)
	}
	if template.SerialNumber == nil {
		if template.SerialNumber, err = serial(); err != nil {
			return nil, err
		}
	}
	sum := sha256.Sum256(spki)
	template.SubjectKeyId = sum[:20] // RFC 7093, 2, method 4
	template.SignatureAlgorithm = x509.ECDSAWithSHA256
	signer, err := a.handle(ctx, gate.PurposeCA)
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(nil, template, parent, public, signer)
	if err != nil {
		return nil, fmt.Errorf("create certificate: %w", err)
	}
	return der, nil
}

// issuers are the kept CA certificates of all configured CA keys.
func (a *Authority) issuers(ctx context.Context) ([]*x509.Certificate, error) {
	return a.certificatesOf(ctx, "ca", gate.PurposeCA)
}

// certificatesOf are the kept certificates of all configured keys of a purpose, the oldest
// first. Those of a key that was taken out of the configuration are trusted no longer.
func (a *Authority) certificatesOf(ctx context.Context, kind string, p gate.Purpose) ([]*x509.Certificate, error) {
	all, err := a.cabinet.Certificates(ctx)
	if err != nil {
		return nil, fmt.Errorf("list certificates: %w", err)
	}
	var out []*x509.Certificate
	for _, k := range a.keys[p] {
		for _, kept := range all {
			if kept.Name != certificateName(kind, k) {
				continue
			}
			c, err := x509.ParseCertificate(kept.DER)
			if err != nil {
				return nil, fmt.Errorf("read kept certificate %s: %w", kept.Name, err)
			}
			if bytes.Equal(c.RawSubjectPublicKeyInfo, k.SPKI) {
				out = append(out, c)
			}
		}
	}
	slices.SortFunc(out, func(a, b *x509.Certificate) int { return a.NotBefore.Compare(b.NotBefore) })
	return out, nil
}

// issuerOf finds who issued c; nil where none of them did.
func issuerOf(c *x509.Certificate, issuers []*x509.Certificate) *x509.Certificate {
	for _, i := range slices.Backward(issuers) {
		if c.CheckSignatureFrom(i) == nil {
			return i
		}
	}
	return nil
}
