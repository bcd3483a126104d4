package verify

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/countersign/countersign/gate/attest"
)

// certified is what a certificate says once it was checked.
type certified struct {
	key      Key
	identity Identity
	issuer   string
	logged   time.Time // when a certificate log promised to list it
}

// certified checks a certificate at the time at which a timestamp proves that it was used:
// it is short-lived, and what it signed outlives it.
func (r *Root) certified(der []byte, at time.Time) (certified, error) {
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return certified{}, fmt.Errorf("expected a DER certificate: %w", err)
	}
	if at.IsZero() {
		return certified{}, fmt.Errorf("expected a timestamp that proves when the certificate was used: it is valid only from %s to %s",
			leaf.NotBefore.UTC().Format(time.RFC3339), leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	var out certified
	issuer, err := r.issuer(leaf, at)
	if err != nil {
		return certified{}, err
	}
	out.issuer = issuer.Subject.String()
	if err := signsCode(leaf); err != nil {
		return certified{}, err
	}
	if out.logged, err = r.listed(leaf, issuer); err != nil {
		return certified{}, fmt.Errorf("signed certificate timestamp: %w", err)
	}
	if out.identity, err = identityOf(leaf); err != nil {
		return certified{}, err
	}
	out.key.key, err = attest.ParseKey(leaf.RawSubjectPublicKeyInfo)
	return out, err
}

// issuer finds the authority whose chain the certificate ends.
func (r *Root) issuer(leaf *x509.Certificate, at time.Time) (*x509.Certificate, error) {
	cas := during(r.cas, at)
	if len(cas) == 0 {
		return nil, fmt.Errorf("expected a certificate authority in the trusted root for %s, got none", at.Format(time.RFC3339))
	}
	var problems []error
	for _, ca := range cas {
		roots, between := ca.pools()
		chains, err := leaf.Verify(x509.VerifyOptions{
			Roots: roots, Intermediates: between, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
		})
		if err == nil && len(chains[0]) > 1 {
			return chains[0][1], nil
		}
		problems = append(problems, fmt.Errorf("%s: %w", ca.chain[len(ca.chain)-1].Subject, err))
	}
	return nil, fmt.Errorf("expected a certificate by one of the trusted root's authorities, valid at %s: %w",
		at.Format(time.RFC3339), errors.Join(problems...))
}

// signsCode wants a certificate that is for signatures over code and nothing else.
func signsCode(leaf *x509.Certificate) error {
	switch {
	case leaf.IsCA:
		return errors.New("expected a certificate over a release key, got one of an authority")
	case leaf.KeyUsage != x509.KeyUsageDigitalSignature:
		return errors.New("expected a key usage of digitalSignature alone")
	case len(leaf.UnknownExtKeyUsage) > 0 || !slices.Equal(leaf.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}):
		return errors.New("expected an extended key usage of codeSigning alone")
	}
	return nil
}
