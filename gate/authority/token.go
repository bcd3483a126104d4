package authority

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/digitorus/pkcs7"
	"github.com/digitorus/timestamp"

	"github.com/countersign/countersign/gate"
)

// Bounds of what a time-stamping authority answers.
const (
	maxResponse = 64 << 10        // bytes: a token with its chain
	maxDrift    = 5 * time.Minute // between its clock and ours
)

// asked is what a time-stamp has to answer.
type asked struct {
	imprint gate.Digest
	nonce   *big.Int // nil for none
	now     time.Time
}

// checkToken wants a whole TimeStampResp (RFC 3161) that answers what was asked, signed by the
// first certificate of one of the chains, which was valid then, and by nobody else.
func checkToken(response []byte, q asked, chains [][]*x509.Certificate) error {
	ts, err := timestamp.ParseResponse(response)
	if err != nil {
		return fmt.Errorf("read time-stamp: %w", err)
	}
	if ts.HashAlgorithm != crypto.SHA256 || !bytes.Equal(ts.HashedMessage, q.imprint[:]) {
		return fmt.Errorf("check time-stamp: expected one over SHA-256 %s, got %s %x", q.imprint, ts.HashAlgorithm, ts.HashedMessage)
	}
	if q.nonce != nil && (ts.Nonce == nil || ts.Nonce.Cmp(q.nonce) != 0) {
		return errors.New("check time-stamp: expected the nonce that was asked with, got another or none")
	}
	if drift := ts.Time.Sub(q.now); drift > maxDrift || drift < -maxDrift {
		return fmt.Errorf("check time-stamp: expected a time within %s of this host's, got %s, which is off by %s: one of the clocks is wrong",
			maxDrift, ts.Time.UTC().Format(time.RFC3339), drift.Round(time.Second))
	}
	var problems []error
	for _, chain := range chains {
		err := checkSigner(ts.RawToken, chain, ts.Time)
		if err == nil {
			return nil
		}
		problems = append(problems, err)
	}
	return fmt.Errorf("check time-stamp: %w", errors.Join(problems...))
}

// checkSigner verifies the token under the chain's first certificate, whatever certificates
// the token itself holds.
func checkSigner(token []byte, chain []*x509.Certificate, at time.Time) error {
	p7, err := pkcs7.Parse(token)
	if err != nil {
		return fmt.Errorf("read token: %w", err)
	}
	leaf := chain[0]
	// The certificate was asked for: verifiers that look into the token shall find the true one.
	if !slices.ContainsFunc(p7.Certificates, leaf.Equal) {
		return fmt.Errorf("expected it to hold the certificate %q with serial number %s, which its chain begins with", leaf.Subject, leaf.SerialNumber)
	}
	p7.Certificates = []*x509.Certificate{leaf}
	if p7.GetOnlySigner() == nil {
		return fmt.Errorf("expected it to be signed by %q with serial number %s, which its chain begins with", leaf.Subject, leaf.SerialNumber)
	}
	var kind asn1.ObjectIdentifier
	tstInfo := asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4}
	if err := p7.UnmarshalSignedAttribute(pkcs7.OIDAttributeContentType, &kind); err != nil || !kind.Equal(tstInfo) {
		return errors.New("expected signed attributes that name a time-stamp's content (RFC 5652, 11.1)")
	}
	if err := p7.Verify(); err != nil {
		return fmt.Errorf("verify token: %w", err)
	}
	return checkChain(chain, at)
}

// checkChain wants a chain from a certificate for time-stamping alone to a root.
func checkChain(chain []*x509.Certificate, at time.Time) error {
	if len(chain) < 2 {
		return errors.New("expected a chain from the signing certificate to its root, got one certificate")
	}
	leaf, root := chain[0], x509.NewCertPool()
	critical := slices.ContainsFunc(leaf.Extensions, func(e pkix.Extension) bool { return e.Critical && e.Id.Equal(oidExtendedKeyUsage()) })
	if !critical || !slices.Equal(leaf.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping}) || len(leaf.UnknownExtKeyUsage) > 0 {
		return fmt.Errorf("certificate %q: expected time-stamping as its only, critical, extended key usage (RFC 3161, 2.3)", leaf.Subject)
	}
	root.AddCert(chain[len(chain)-1])
	between := x509.NewCertPool()
	for _, c := range chain[1 : len(chain)-1] {
		between.AddCert(c)
	}
	if _, err := leaf.Verify(x509.VerifyOptions{
		Roots: root, Intermediates: between, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping},
	}); err != nil {
		return fmt.Errorf("certificate %q at %s: %w", leaf.Subject, at.UTC().Format(time.RFC3339), err)
	}
	return nil
}
