package authority

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/canonical"
)

const (
	leafLasts   = year
	leafRenewed = 30 * 24 * time.Hour
)

// Certificate is a DER certificate over a release key: whom it names is the policy file that
// says what may be signed, with Fulcio's extensions, so that stock verifiers can ask for it.
// It is valid for a year and used again while more than thirty days of it remain.
//
// It names the repository in public: whether it may is the caller's to say.
func (a *Authority) Certificate(ctx context.Context, key gate.KeyVersion, id gate.Identity) ([]byte, error) {
	if !a.certifies {
		return nil, errors.New("certify release key: this server makes no certificates")
	}
	san, err := checkIdentity(id)
	if err != nil {
		return nil, err
	}
	if _, err := publicKey(gate.AuthorityKey{Purpose: gate.PurposeRelease, KeyVersion: key}); err != nil {
		return nil, err
	}
	for _, p := range gate.AuthorityPurposes() {
		if a.keys.has(p, key.SPKI) {
			return nil, fmt.Errorf("certify key %s version %d: it is one of the gate's own, of purpose %s", key.Lineage, key.Version, p)
		}
	}
	plain, err := canonical.JSON(id)
	if err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	ca, err := a.caCertificate(ctx)
	if err != nil {
		return nil, err
	}
	issuers, err := a.issuers(ctx)
	if err != nil {
		return nil, err
	}
	c, err := a.kept(ctx, form{
		name: fmt.Sprintf("release/%s/%d/%s", key.Lineage, key.Version, gate.SHA256(plain)),
		fits: func(c *x509.Certificate) bool {
			return bytes.Equal(c.RawSubjectPublicKeyInfo, key.SPKI) && a.left(c, leafRenewed) && issuerOf(c, issuers) != nil && a.trustedSCT(c)
		},
		issue: func() ([]byte, error) { return a.certify(ctx, ca, key, id, san) },
	})
	if err != nil {
		return nil, err
	}
	return c.Raw, nil
}

// certify issues twice: without a certificate timestamp, which is what gets timestamped, and
// with it. Serial number and validity stay.
func (a *Authority) certify(ctx context.Context, ca *x509.Certificate, key gate.KeyVersion, id gate.Identity, san *url.URL) ([]byte, error) {
	template := &x509.Certificate{
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
		URIs: []*url.URL{san}, // critical, as the subject is empty
	}
	template.NotBefore, template.NotAfter = a.span(leafLasts, ca)
	var err error
	if template.SerialNumber, err = serial(); err != nil {
		return nil, err
	}
	if template.ExtraExtensions, err = fulcioExtensions(id); err != nil {
		return nil, err
	}
	der, err := a.issue(ctx, template, ca, key.SPKI)
	if err != nil {
		return nil, err
	}
	without, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read certificate without timestamp: %w", err)
	}
	list, err := a.sctList(ctx, without, ca)
	if err != nil {
		return nil, err
	}
	template.ExtraExtensions = append(template.ExtraExtensions, list)
	return a.issue(ctx, template, ca, key.SPKI)
}
