package hsmtest

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
)

// Sealer signs with the gate's own keys: [hsm.Signer], or a [FakeAuthority].
type Sealer interface {
	AuthorityKeys() []gate.AuthorityKey
	Seal(ctx context.Context, key gate.AuthorityKey, message []byte) ([]byte, error)
	SealDigest(ctx context.Context, key gate.AuthorityKey, digest gate.Digest) ([]byte, error)
	Close()
}

// TestSealer holds a sealer to what the makers of evidence are promised. open makes a fresh
// one with version 1 of each of the gate's own purposes, the log's as Ed25519.
func TestSealer(t *testing.T, open func(t *testing.T) Sealer) {
	for name, f := range map[string]func(t *testing.T, s Sealer){
		"it has one key for each purpose": sealsForEach,
		"signs messages":                  sealsMessages,
		"signs digests":                   sealsDigests,
		"refuses what the key is not for": refusesToSeal,
		"refuses sizes":                   refusesSizes,
		"ends with its caller":            sealGivesUp,
	} {
		t.Run(name, func(t *testing.T) { f(t, open(t)) })
	}
}

// Sealed reports whether sig is k's signature over message.
func Sealed(t testing.TB, k gate.AuthorityKey, message, sig []byte) bool {
	t.Helper()
	public, err := x509.ParsePKIXPublicKey(k.SPKI)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(message)
	switch p := public.(type) {
	case ed25519.PublicKey:
		return ed25519.Verify(p, message, sig)
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(p, digest[:], sig)
	}
	t.Fatalf("%T is no key of the gate's own", public)
	return false
}

// keyFor is the sealer's key with that purpose.
func keyFor(t *testing.T, s Sealer, p gate.Purpose) gate.AuthorityKey {
	t.Helper()
	for _, k := range s.AuthorityKeys() {
		if k.Purpose == p {
			return k
		}
	}
	t.Fatalf("there is no %s key", p)
	return gate.AuthorityKey{}
}

func sealsForEach(t *testing.T, s Sealer) {
	keys := s.AuthorityKeys()
	if len(keys) != len(gate.AuthorityPurposes()) {
		t.Fatalf("%d keys, expected %d", len(keys), len(gate.AuthorityPurposes()))
	}
	for i, p := range gate.AuthorityPurposes() {
		if k := keys[i]; k.Purpose != p || k.Lineage != string(p) || k.Version != 1 || !k.Software {
			t.Errorf("key %d is %+v, expected version 1 of %s in software", i, k, p)
		}
	}
}

func sealsMessages(t *testing.T, s Sealer) {
	for _, k := range s.AuthorityKeys() {
		for _, n := range []int{1, 32, 4 << 10, 64 << 10} {
			if k.Purpose == gate.PurposeLog && n > 4<<10 {
				continue
			}
			message := bytes.Repeat([]byte{7}, n)
			if sig, err := s.Seal(t.Context(), k, message); err != nil || !Sealed(t, k, message, sig) {
				t.Errorf("%s over %d bytes: %v", k.Purpose, n, err)
			}
		}
	}
}

func sealsDigests(t *testing.T, s Sealer) {
	for _, k := range s.AuthorityKeys() {
		sig, err := s.SealDigest(t.Context(), k, gate.SHA256([]byte("x")))
		switch {
		case k.Purpose == gate.PurposeLog:
			if sig != nil || gate.CodeOf(err) != gate.CodeOrderRefused {
				t.Errorf("the log's key over a digest: %x, %v", sig, err)
			}
		case err != nil || !Sealed(t, k, []byte("x"), sig):
			t.Errorf("%s: %v", k.Purpose, err)
		}
	}
}

func refusesToSeal(t *testing.T, s Sealer) {
	as := func(edit func(k *gate.AuthorityKey)) gate.AuthorityKey {
		k := keyFor(t, s, gate.PurposeCA)
		edit(&k)
		return k
	}
	for name, row := range map[string]struct {
		key  gate.AuthorityKey
		code gate.Code
	}{
		"the CA's key as a release key":      {as(func(k *gate.AuthorityKey) { k.Purpose = gate.PurposeRelease }), gate.CodeOrderRefused},
		"the CA's key for time-stamps":       {as(func(k *gate.AuthorityKey) { k.Purpose = gate.PurposeTimestamp }), gate.CodeOrderRefused},
		"the CA's key for nothing":           {as(func(k *gate.AuthorityKey) { k.Purpose = "" }), gate.CodeOrderRefused},
		"the CA's key under another version": {as(func(k *gate.AuthorityKey) { k.Version = 2 }), gate.CodeKeyMismatch},
		"the CA's key under another lineage": {as(func(k *gate.AuthorityKey) { k.Lineage = "ct" }), gate.CodeKeyMismatch},
		"a key that is not here":             {as(func(k *gate.AuthorityKey) { k.SPKI = []byte("another") }), gate.CodeKeyUnknown},
		"the zero key":                       {gate.AuthorityKey{}, gate.CodeKeyUnknown},
	} {
		sig, err := s.Seal(t.Context(), row.key, []byte("x"))
		mustRefuse(t, name, row.code, sig, err)
		sig, err = s.SealDigest(t.Context(), row.key, gate.SHA256([]byte("x")))
		mustRefuse(t, name+", a digest", row.code, sig, err)
	}
}

func refusesSizes(t *testing.T, s Sealer) {
	for name, row := range map[string]struct {
		purpose gate.Purpose
		size    int
	}{
		"nothing":                       {gate.PurposeCA, 0},
		"64 KiB and one byte":           {gate.PurposeCA, 64<<10 + 1},
		"nothing by Ed25519":            {gate.PurposeLog, 0},
		"4 KiB and one byte by Ed25519": {gate.PurposeLog, 4<<10 + 1},
	} {
		sig, err := s.Seal(t.Context(), keyFor(t, s, row.purpose), make([]byte, row.size))
		mustRefuse(t, name, gate.CodeOrderRefused, sig, err)
	}
}

func mustRefuse(t *testing.T, name string, code gate.Code, sig []byte, err error) {
	t.Helper()
	if sig != nil || gate.CodeOf(err) != code || gate.KindOf(err) != gate.Refused {
		t.Errorf("%s: %x, %v; expected no signature and %s", name, sig, err, code)
	}
}

func sealGivesUp(t *testing.T, s Sealer) {
	ca := keyFor(t, s, gate.PurposeCA)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	for _, ctx := range []context.Context{ended, late} {
		if sig, err := s.Seal(ctx, ca, []byte("x")); sig != nil || gate.CodeOf(err) != gate.CodeKeyUnavailable {
			t.Errorf("%x, %v", sig, err)
		}
	}
	s.Close()
	if sig, err := s.Seal(t.Context(), ca, []byte("x")); sig != nil || gate.CodeOf(err) != gate.CodeKeyUnavailable {
		t.Errorf("closed: %x, %v", sig, err)
	}
}
