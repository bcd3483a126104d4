package authority

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"time"

	"github.com/digitorus/timestamp"

	"github.com/countersign/countersign/gate"
)

const (
	stamperRenewed = year
	// accuracy is how far the gate's clock may be off: nothing checks it but its host.
	accuracy = time.Second
	// notIndependent stands in the certificate's name, and so in the trusted root.
	notIndependent = "Time stamps, not independent of the signer"
)

// ownPolicy names the gate's own rules for time-stamps: the clock of its host, a key beside
// the release keys. RFC 3161 wants some number; the arc 2.25 needs no registration.
func ownPolicy() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{2, 25, 1665201723} }

// ownToken is an unsigned time-stamp in whole seconds.
func ownToken(imprint gate.Digest, now time.Time) timestamp.Timestamp {
	return timestamp.Timestamp{
		HashAlgorithm: crypto.SHA256, HashedMessage: imprint[:], Time: now.Truncate(time.Second), Accuracy: accuracy,
		Policy: ownPolicy(), AddTSACertificate: true,
	}
}

// ownStamper is the certificate of the newest time-stamp key, and its chain.
func (a *Authority) ownStamper(ctx context.Context) (leaf *x509.Certificate, chain []*x509.Certificate, err error) {
	key, ok := a.keys.newest(gate.PurposeTimestamp)
	if !ok {
		return nil, nil, fmt.Errorf("make time-stamp: no key of purpose %s", gate.PurposeTimestamp)
	}
	ca, err := a.caCertificate(ctx)
	if err != nil {
		return nil, nil, err
	}
	issuers := []*x509.Certificate{ca}
	f := form{
		name: certificateName("timestamp", key),
		fits: func(c *x509.Certificate) bool {
			return bytes.Equal(c.RawSubjectPublicKeyInfo, key.SPKI) && a.left(c, stamperRenewed) && issuerOf(c, issuers) != nil
		},
		issue: func() ([]byte, error) { return a.issueStamper(ctx, key, ca) },
	}
	if leaf, err = a.own(ctx, f); err != nil {
		return nil, nil, err
	}
	return leaf, []*x509.Certificate{leaf, issuerOf(leaf, issuers)}, nil
}

// issueStamper: time-stamping and nothing else, which has to be critical (RFC 3161, 2.3).
func (a *Authority) issueStamper(ctx context.Context, key gate.AuthorityKey, ca *x509.Certificate) ([]byte, error) {
	usage, err := asn1.Marshal([]asn1.ObjectIdentifier{oidTimeStamping()})
	if err != nil {
		return nil, fmt.Errorf("encode extended key usage: %w", err)
	}
	from, until := a.span(caLasts, ca)
	return a.issue(ctx, &x509.Certificate{
		Subject:   pkix.Name{Organization: []string{a.organization}, CommonName: notIndependent},
		NotBefore: from, NotAfter: until, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtraExtensions: []pkix.Extension{{Id: oidExtendedKeyUsage(), Critical: true, Value: usage}},
	}, ca, key.SPKI)
}

func oidExtendedKeyUsage() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{2, 5, 29, 37} }

func oidTimeStamping() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 8}
}
