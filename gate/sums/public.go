package sums

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"math/big"

	"golang.org/x/crypto/ssh"

	"github.com/countersign/countersign/gate"
)

// public is a release key in the forms that the formats want.
type public struct {
	key *ecdsa.PublicKey
	ssh ssh.PublicKey
}

func newPublic(v gate.KeyVersion) (public, error) {
	parsed, err := x509.ParsePKIXPublicKey(v.SPKI)
	if err != nil {
		return public{}, fmt.Errorf("sign SHA256SUMS: key %s version %d: expected a DER SubjectPublicKeyInfo: %w", v.Lineage, v.Version, err)
	}
	key, ok := parsed.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return public{}, fmt.Errorf("sign SHA256SUMS: key %s version %d: expected ECDSA on P-256, got %T", v.Lineage, v.Version, parsed)
	}
	wire, err := ssh.NewPublicKey(key)
	if err != nil {
		return public{}, fmt.Errorf("sign SHA256SUMS: key %s version %d: %w", v.Lineage, v.Version, err)
	}
	return public{key: key, ssh: wire}, nil
}

// point is the uncompressed point, 65 bytes.
func (p public) point() ([]byte, error) {
	b, err := p.key.Bytes()
	if err != nil {
		return nil, fmt.Errorf("sign SHA256SUMS: encode public key: %w", err)
	}
	return b, nil
}

// verify checks a DER signature over a digest and splits it.
func (p public) verify(digest gate.Digest, der []byte) (r, s *big.Int, err error) {
	if !ecdsa.VerifyASN1(p.key, digest[:], der) {
		return nil, nil, fmt.Errorf("it is not by key %s over digest %s", ssh.FingerprintSHA256(p.ssh), digest)
	}
	var value struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(der, &value); err != nil || len(rest) > 0 {
		return nil, nil, fmt.Errorf("expected a DER ECDSA-Sig-Value and nothing after it: %w", err)
	}
	return value.R, value.S, nil
}
