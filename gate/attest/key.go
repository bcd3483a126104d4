package attest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/countersign/countersign/gate"
)

// pemType is the PEM label of a SubjectPublicKeyInfo (RFC 7468, section 13).
const pemType = "PUBLIC KEY"

// Key is the public half of a release key: ECDSA on P-256. The zero Key verifies
// nothing.
type Key struct {
	public *ecdsa.PublicKey
	spki   []byte
}

// ParseKey reads a DER SubjectPublicKeyInfo (RFC 5280) of a P-256 key.
func ParseKey(spki []byte) (Key, error) {
	parsed, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return Key{}, fmt.Errorf("parse public key: expected a DER SubjectPublicKeyInfo: %w", err)
	}
	public, ok := parsed.(*ecdsa.PublicKey)
	if !ok || public.Curve != elliptic.P256() {
		return Key{}, fmt.Errorf("parse public key: expected ECDSA on P-256, got %s", keyKind(parsed))
	}
	// One key has one form: what hangs on the bytes (fingerprints, pins) must not
	// depend on how somebody encoded them.
	canonical, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return Key{}, fmt.Errorf("encode public key: %w", err)
	}
	if !bytes.Equal(canonical, spki) {
		return Key{}, errors.New("parse public key: expected the DER form of an uncompressed point, got another encoding")
	}
	return Key{public: public, spki: canonical}, nil
}

// ParseKeyPEM reads exactly one PEM block of type PUBLIC KEY.
func ParseKeyPEM(text []byte) (Key, error) {
	block, rest := pem.Decode(text)
	switch {
	case block == nil:
		return Key{}, errors.New("read public key: expected a PEM block -----BEGIN PUBLIC KEY-----, got none")
	case block.Type != pemType:
		return Key{}, fmt.Errorf("read public key: expected a PEM block of type %s, got %q", pemType, block.Type)
	case len(bytes.TrimSpace(rest)) > 0:
		return Key{}, errors.New("read public key: expected one PEM block, got more after it")
	}
	return ParseKey(block.Bytes)
}

func keyKind(key any) string {
	if e, ok := key.(*ecdsa.PublicKey); ok {
		return "ECDSA on " + e.Curve.Params().Name
	}
	return fmt.Sprintf("%T", key)
}

// PEM is the key as openssl and cosign read it.
func (k Key) PEM() []byte { return pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: k.spki}) }

// SPKI is the key's DER SubjectPublicKeyInfo.
func (k Key) SPKI() []byte { return bytes.Clone(k.spki) }

// Hint names the key in bundles and envelopes: `SHA256:` and the fingerprint that
// `ssh-keygen -l` prints (RFC 4253 section 6.6 and RFC 5656 section 3.1 under
// SHA-256). cosign looks a DSSE signature's key up by this very form.
func (k Key) Hint() string {
	if k.public == nil {
		return ""
	}
	point, err := k.public.Bytes()
	if err != nil {
		return "" // not on the curve, which ParseKey refuses
	}
	var wire []byte
	for _, field := range [][]byte{[]byte("ecdsa-sha2-nistp256"), []byte("nistp256"), point} {
		wire = binary.BigEndian.AppendUint32(wire, uint32(len(field))) // three short fields
		wire = append(wire, field...)
	}
	sum := sha256.Sum256(wire)
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}

// Verify checks a DER ECDSA-Sig-Value (RFC 3279) over a SHA-256 digest.
func (k Key) Verify(digest gate.Digest, signature []byte) error {
	if k.public == nil {
		return errors.New("verify signature: expected a public key, got none")
	}
	if !ecdsa.VerifyASN1(k.public, digest[:], signature) {
		return fmt.Errorf("verify signature: it is not by key %s over digest %s", k.Hint(), digest)
	}
	return nil
}
