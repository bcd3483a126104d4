package hsmtest

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"sync"

	"github.com/countersign/countersign/gate"
)

// FakeAuthority signs in memory with keys of the gate's own as [hsm.Signer] does in a token,
// and fails when it is told to. It is safe for concurrent use.
type FakeAuthority struct {
	keys []ownKey

	mu     sync.Mutex
	always error
	closed bool
}

type ownKey struct {
	gate.AuthorityKey
	private crypto.Signer
}

// NewFakeAuthority makes version 1 of each of the gate's own keys: the log's is Ed25519, and
// each lineage is called as its purpose.
func NewFakeAuthority() *FakeAuthority {
	f := &FakeAuthority{}
	for _, p := range gate.AuthorityPurposes() {
		private, spki, err := newOwn(p)
		if err != nil {
			panic(err) // the system's random source is gone
		}
		v := gate.KeyVersion{Lineage: string(p), Version: 1, SPKI: spki, Software: true}
		f.keys = append(f.keys, ownKey{AuthorityKey: gate.AuthorityKey{Purpose: p, KeyVersion: v}, private: private})
	}
	return f
}

func newOwn(p gate.Purpose) (private crypto.Signer, spki []byte, err error) {
	if p == gate.PurposeLog {
		_, private, err = ed25519.GenerateKey(rand.Reader)
	} else {
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		return nil, nil, err
	}
	spki, err = x509.MarshalPKIXPublicKey(private.Public())
	return private, spki, err
}

// AuthorityKeys are as [hsm.Signer.AuthorityKeys].
func (f *FakeAuthority) AuthorityKeys() []gate.AuthorityKey {
	var out []gate.AuthorityKey
	for _, k := range f.keys {
		out = append(out, k.AuthorityKey)
	}
	return out
}

// Key is the key with that purpose.
func (f *FakeAuthority) Key(p gate.Purpose) gate.AuthorityKey {
	for _, k := range f.keys {
		if k.Purpose == p {
			return k.AuthorityKey
		}
	}
	return gate.AuthorityKey{}
}

// FailAlways makes every signature fail, until it is called with nil.
func (f *FakeAuthority) FailAlways(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.always = err
}

// Close ends it: what comes later is refused.
func (f *FakeAuthority) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
}

// Seal is as [hsm.Signer.Seal].
func (f *FakeAuthority) Seal(ctx context.Context, key gate.AuthorityKey, message []byte) ([]byte, error) {
	k, err := f.key(ctx, key)
	if err != nil {
		return nil, err
	}
	limit := 64 << 10
	if k.Purpose == gate.PurposeLog {
		limit = 4 << 10
	}
	if len(message) == 0 || len(message) > limit {
		return nil, &gate.Error{Kind: gate.Refused, Code: gate.CodeOrderRefused, Text: fmt.Sprintf("%d bytes are to be signed", len(message))}
	}
	if k.Purpose == gate.PurposeLog {
		return k.private.Sign(rand.Reader, message, crypto.Hash(0))
	}
	digest := gate.SHA256(message)
	return k.private.Sign(rand.Reader, digest[:], crypto.SHA256)
}

// SealDigest is as [hsm.Signer.SealDigest].
func (f *FakeAuthority) SealDigest(ctx context.Context, key gate.AuthorityKey, digest gate.Digest) ([]byte, error) {
	k, err := f.key(ctx, key)
	if err != nil {
		return nil, err
	}
	if k.Purpose == gate.PurposeLog {
		return nil, &gate.Error{Kind: gate.Refused, Code: gate.CodeOrderRefused, Text: "the log's key signs whole messages alone"}
	}
	return k.private.Sign(rand.Reader, digest[:], crypto.SHA256)
}

func (f *FakeAuthority) key(ctx context.Context, want gate.AuthorityKey) (ownKey, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.always != nil {
		return ownKey{}, f.always
	}
	for _, k := range f.keys {
		switch {
		case string(k.SPKI) != string(want.SPKI):
		case k.Purpose != want.Purpose:
			return ownKey{}, &gate.Error{Kind: gate.Refused, Code: gate.CodeOrderRefused, Text: "the key has another purpose"}
		case k.Lineage != want.Lineage || k.Version != want.Version:
			return ownKey{}, &gate.Error{Kind: gate.Refused, Code: gate.CodeKeyMismatch, Text: "the key is pinned under another name"}
		case f.closed || ctx.Err() != nil:
			return ownKey{}, Unavailable()
		default:
			return k, nil
		}
	}
	return ownKey{}, &gate.Error{Kind: gate.Refused, Code: gate.CodeKeyUnknown, Text: "key " + want.Lineage + " is not held here"}
}
