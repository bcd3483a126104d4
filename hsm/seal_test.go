package hsm_test

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
	"github.com/countersign/countersign/gate/gatetest"
	"github.com/countersign/countersign/hsm"
	"github.com/countersign/countersign/hsm/hsmtest"
)

// authority starts a signer with one release key and all keys of the gate's own.
func authority(t *testing.T) (*hsm.Signer, map[gate.Purpose]gate.AuthorityKey) {
	t.Helper()
	tok := hsmtest.NewToken(t)
	pins := append(tok.PinAuthority(t), tok.Pin(t, "acme-release", 1))
	s := hsmtest.Start(t, hsmtest.Config(t, tok, pins...))
	keys := map[gate.Purpose]gate.AuthorityKey{}
	for i, k := range s.AuthorityKeys() {
		if k.Purpose != gate.AuthorityPurposes()[i] || k.Lineage != string(k.Purpose) || k.Version != 1 || !k.Software {
			t.Errorf("key %d is %+v", i, k)
		}
		keys[k.Purpose] = k
	}
	if len(keys) != 5 || len(s.Keys()) != 1 || s.Keys()[0].Lineage != "acme-release" {
		t.Fatalf("keys of the gate's own %v, release keys %v", keys, s.Keys())
	}
	return s, keys
}

// sealed reports whether sig is k's over message.
func sealed(t *testing.T, k gate.AuthorityKey, message, sig []byte) bool {
	t.Helper()
	public, err := x509.ParsePKIXPublicKey(k.SPKI)
	if err != nil {
		t.Fatal(err)
	}
	if ed, ok := public.(ed25519.PublicKey); ok {
		return ed25519.Verify(ed, message, sig)
	}
	digest := sha256.Sum256(message)
	return ecdsa.VerifyASN1(public.(*ecdsa.PublicKey), digest[:], sig)
}

func TestSeal(t *testing.T) {
	t.Parallel()
	s, keys := authority(t)
	for p, k := range keys {
		for _, n := range []int{1, 32, 4096} {
			message := bytes.Repeat([]byte{7}, n)
			sig, err := s.Seal(t.Context(), k, message)
			if err != nil || !sealed(t, k, message, sig) {
				t.Errorf("%s over %d bytes: %v", p, n, err)
			}
		}
		message := make([]byte, 64<<10)
		sig, err := s.Seal(t.Context(), k, message)
		if good := err == nil && sealed(t, k, message, sig); good != (p != gate.PurposeLog) {
			t.Errorf("%s over 64 KiB: %v", p, err)
		}
		sig, err = s.SealDigest(t.Context(), k, gate.SHA256([]byte("x")))
		if good := err == nil && sealed(t, k, []byte("x"), sig); good != (p != gate.PurposeLog) {
			t.Errorf("%s over a digest: %v", p, err)
		}
	}
	sign(t, s, 3)
}

// What one purpose's key is for, no other key does.
func TestSealRefuses(t *testing.T) {
	t.Parallel()
	s, keys := authority(t)
	message := []byte("message")
	as := func(k gate.AuthorityKey, edit func(k *gate.AuthorityKey)) gate.AuthorityKey { edit(&k); return k }
	ca, release := keys[gate.PurposeCA], gate.AuthorityKey{KeyVersion: s.Keys()[0]}
	for name, row := range map[string]struct {
		key     gate.AuthorityKey
		message []byte
		code    gate.Code
	}{
		"a release key":                      {release, message, gate.CodeOrderRefused},
		"a release key, named so":            {as(release, func(k *gate.AuthorityKey) { k.Purpose = gate.PurposeRelease }), message, gate.CodeOrderRefused},
		"a release key as the CA's":          {as(release, func(k *gate.AuthorityKey) { k.Purpose = gate.PurposeCA }), message, gate.CodeOrderRefused},
		"the CA's key as a release key":      {as(ca, func(k *gate.AuthorityKey) { k.Purpose = gate.PurposeRelease }), message, gate.CodeOrderRefused},
		"the CA's key for time-stamps":       {as(ca, func(k *gate.AuthorityKey) { k.Purpose = gate.PurposeTimestamp }), message, gate.CodeOrderRefused},
		"the CA's key for nothing":           {as(ca, func(k *gate.AuthorityKey) { k.Purpose = "" }), message, gate.CodeOrderRefused},
		"the CA's key under another version": {as(ca, func(k *gate.AuthorityKey) { k.Version = 2 }), message, gate.CodeKeyMismatch},
		"the CA's key under another lineage": {as(ca, func(k *gate.AuthorityKey) { k.Lineage = "ct" }), message, gate.CodeKeyMismatch},
		"a key that is not here":             {as(ca, func(k *gate.AuthorityKey) { k.SPKI = publicOf(newKey()) }), message, gate.CodeKeyUnknown},
		"the zero key":                       {gate.AuthorityKey{}, message, gate.CodeKeyUnknown},
		"an empty message":                   {ca, nil, gate.CodeOrderRefused},
		"64 KiB and one byte":                {ca, make([]byte, 64<<10+1), gate.CodeOrderRefused},
		"4 KiB and one byte by Ed25519":      {keys[gate.PurposeLog], make([]byte, 4<<10+1), gate.CodeOrderRefused},
	} {
		sig, err := s.Seal(t.Context(), row.key, row.message)
		if sig != nil || gate.CodeOf(err) != row.code || gate.KindOf(err) != gate.Refused {
			t.Errorf("%s: %x, %v; expected %s", name, sig, err, row.code)
		}
		if len(row.message) == 0 || len(row.message) > 1<<10 {
			continue // a digest has one length
		}
		sig, err = s.SealDigest(t.Context(), row.key, gate.SHA256(row.message))
		if sig != nil || gate.CodeOf(err) != row.code || gate.KindOf(err) != gate.Refused {
			t.Errorf("%s, a digest: %x, %v; expected %s", name, sig, err, row.code)
		}
	}
}

// The gate's own keys sign no release, whatever a grant names.
func TestAuthorityKeysSignNoRelease(t *testing.T) {
	t.Parallel()
	s, keys := authority(t)
	for p, k := range keys {
		orders := gatetest.Orders(t, gatetest.Grant(t, gatetest.Manifest(1), k.KeyVersion))
		sigs, err := s.Sign(t.Context(), orders)
		if sigs != nil || gate.CodeOf(err) != gate.CodeOrderRefused || gate.KindOf(err) != gate.Refused {
			t.Errorf("%s: %d signatures, %v", p, len(sigs), err)
		}
	}
}

func TestSealEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	s, keys := authority(t)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	for _, ctx := range []context.Context{ended, late} {
		if sig, err := s.Seal(ctx, keys[gate.PurposeCA], []byte("x")); sig != nil || gate.KindOf(err) != gate.Unavailable {
			t.Errorf("%x, %v", sig, err)
		}
	}
	s.Close()
	if sig, err := s.Seal(t.Context(), keys[gate.PurposeCA], []byte("x")); sig != nil || gate.CodeOf(err) != gate.CodeKeyUnavailable {
		t.Errorf("closed: %x, %v", sig, err)
	}
}
