package attesttest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"testing"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest"
	"github.com/countersign/countersign/gate/gatetest"
)

// Key is a P-256 key in memory.
type Key struct {
	Private *ecdsa.PrivateKey
	Version gate.KeyVersion
	Public  attest.Key
}

// GenerateKey makes a fresh key of a lineage.
func GenerateKey(lineage string) (Key, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Key{}, fmt.Errorf("generate key %s: %w", lineage, err)
	}
	spki, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		return Key{}, fmt.Errorf("encode key %s: %w", lineage, err)
	}
	public, err := attest.ParseKey(spki)
	if err != nil {
		return Key{}, fmt.Errorf("parse key %s: %w", lineage, err)
	}
	version := gate.KeyVersion{Lineage: lineage, Version: 1, SPKI: spki, Software: true}
	return Key{Private: private, Version: version, Public: public}, nil
}

// NewKey makes a fresh release key.
func NewKey(t testing.TB) Key {
	t.Helper()
	k, err := GenerateKey(gatetest.Lineage)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// SignIntent signs an intent.
func (k Key) SignIntent(i gate.Intent) (gate.SignedIntent, error) {
	sig, err := ecdsa.SignASN1(rand.Reader, k.Private, i.Digest[:])
	if err != nil {
		return gate.SignedIntent{}, fmt.Errorf("sign %s: %w", i.ID, err)
	}
	return gate.SignedIntent{Intent: i, Signature: gate.Signature{Intent: i.ID, Bytes: sig}}, nil
}

// Sign is [Key.SignIntent] in a test.
func (k Key) Sign(t testing.TB, i gate.Intent) gate.SignedIntent {
	t.Helper()
	s, err := k.SignIntent(i)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
