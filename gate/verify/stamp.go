package verify

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"time"

	"github.com/digitorus/pkcs7"
	"github.com/digitorus/timestamp"
)

// maxStamp is the longest timestamp that is read, in bytes. With a chain of RSA
// certificates one has less than half of it.
const maxStamp = 32 << 10

// stampedTime is when a listed authority says that it saw the signature, and who says it.
func (r *Root) stampedTime(der, signature []byte) (time.Time, string, error) {
	stamp, err := timestamp.ParseResponse(der)
	if err != nil {
		return time.Time{}, "", fmt.Errorf("expected a granted RFC 3161 response: %w", err)
	}
	if stamp.HashAlgorithm != crypto.SHA256 {
		return time.Time{}, "", fmt.Errorf("expected an imprint by SHA-256, got %s", stamp.HashAlgorithm)
	}
	if want := sha256.Sum256(signature); !bytes.Equal(stamp.HashedMessage, want[:]) {
		return time.Time{}, "", fmt.Errorf("expected a timestamp over this signature, %x, got one over %x", want, stamp.HashedMessage)
	}
	var problems []error
	for _, a := range r.tsas {
		if err = a.stamped(stamp); err == nil {
			return stamp.Time.UTC(), a.chain[0].Subject.String(), nil
		}
		problems = append(problems, err)
	}
	if len(problems) == 0 {
		return time.Time{}, "", errors.New("expected a time-stamping authority in the trusted root, got none")
	}
	return time.Time{}, "", fmt.Errorf("expected one of the trusted root's time-stamping authorities: %w", errors.Join(problems...))
}

// stamped checks that the authority's own certificate, the first of its chain, made the
// timestamp while it was valid.
func (a authority) stamped(stamp *timestamp.Timestamp) error {
	leaf := a.chain[0]
	name := leaf.Subject.String()
	if !a.During(stamp.Time) {
		return fmt.Errorf("%s: the trusted root does not list it for %s", name, stamp.Time.UTC().Format(time.RFC3339))
	}
	message, err := pkcs7.Parse(stamp.RawToken)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	// A token may come without certificates; and whose it brings are not asked but compared.
	message.Certificates = []*x509.Certificate{leaf}
	if len(message.Signers) != 1 || message.GetOnlySigner() == nil {
		return fmt.Errorf("%s: it is not the only signer", name)
	}
	roots, between := a.pools()
	if err := message.VerifyWithOpts(x509.VerifyOptions{
		Roots: roots, Intermediates: between, CurrentTime: stamp.Time,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping},
	}); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	var content asn1.ObjectIdentifier
	if err := message.UnmarshalSignedAttribute(pkcs7.OIDAttributeContentType, &content); err != nil || !content.Equal(oidTSTInfo) {
		return fmt.Errorf("%s: expected signed attributes over a TSTInfo, got %s", name, content)
	}
	return onlyStamps(leaf)
}

// onlyStamps wants a critical extended key usage of time-stamping and nothing else (RFC
// 3161, 2.3).
func onlyStamps(leaf *x509.Certificate) error {
	for _, e := range leaf.Extensions {
		if e.Id.Equal(oidExtendedKeyUsage) && e.Critical &&
			len(leaf.UnknownExtKeyUsage) == 0 && len(leaf.ExtKeyUsage) == 1 && leaf.ExtKeyUsage[0] == x509.ExtKeyUsageTimeStamping {
			return nil
		}
	}
	return fmt.Errorf("%s: expected a certificate for time-stamping alone, marked critical", leaf.Subject)
}
