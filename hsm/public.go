package hsm

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/countersign/countersign/gate"
)

// KeyType is the kind of a key pair.
type KeyType string

// Key types. Every key may be P-256; Ed25519 is for the log's alone.
const (
	P256    KeyType = "p256"
	Ed25519 KeyType = "ed25519"
)

// suits fails where a key of that type cannot have that purpose.
func suits(p gate.Purpose, t KeyType) error {
	switch {
	case t != P256 && t != Ed25519:
		return fmt.Errorf("expected key type p256, or ed25519 for the log's, got %q", t)
	case t == Ed25519 && p != gate.PurposeLog:
		return errors.New("expected a P-256 key, got an Ed25519 key, which only the log's may be")
	}
	return nil
}

// mechanismEd25519 is an Ed25519 signature (RFC 8032) over the message itself, made with
// CKM_EDDSA.
const mechanismEd25519 gate.Mechanism = "ed25519"

// maxPure is the largest message that is signed itself, in bytes: a checkpoint is far
// smaller.
const maxPure = 4 << 10

// public is the public half of a key.
type public interface {
	kind() KeyType
	mechanism() gate.Mechanism
	// fits says why o asks for nothing that such a key signs, or "" and "".
	fits(o order) (expected, got string)
	// verifies reports whether sig is this key's signature for o.
	verifies(o order, sig []byte) bool
}

// parseSPKI reads a DER SubjectPublicKeyInfo; it accepts P-256 and Ed25519 alone.
func parseSPKI(der []byte) (public, error) {
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, fmt.Errorf("parse its public key: %w", err)
	}
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() {
			return publicP256{k}, nil
		}
	case ed25519.PublicKey:
		return publicEd25519(k), nil
	}
	return nil, errors.New("expected a P-256 or an Ed25519 public key")
}

type publicP256 struct{ key *ecdsa.PublicKey }

func (publicP256) kind() KeyType { return P256 }

func (publicP256) mechanism() gate.Mechanism { return gate.ECDSAP256SHA256 }

func (publicP256) fits(o order) (expected, got string) {
	if len(o.Digest) != sha256.Size || o.Message != nil {
		return "a SHA-256 digest of 32 bytes and no message", fmt.Sprintf("%d bytes and a message of %d", len(o.Digest), len(o.Message))
	}
	return "", ""
}

func (p publicP256) verifies(o order, sig []byte) bool {
	return ecdsa.VerifyASN1(p.key, o.Digest, sig)
}

type publicEd25519 ed25519.PublicKey

func (publicEd25519) kind() KeyType { return Ed25519 }

func (publicEd25519) mechanism() gate.Mechanism { return mechanismEd25519 }

func (publicEd25519) fits(o order) (expected, got string) {
	if len(o.Message) == 0 || len(o.Message) > maxPure || o.Digest != nil {
		return fmt.Sprintf("a message of 1 to %d bytes and no digest", maxPure), fmt.Sprintf("%d bytes and a digest of %d", len(o.Message), len(o.Digest))
	}
	return "", ""
}

func (p publicEd25519) verifies(o order, sig []byte) bool {
	return len(p) == ed25519.PublicKeySize && ed25519.Verify(ed25519.PublicKey(p), o.Message, sig)
}
