package authority

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/countersign/countersign/gate"
)

// keys are the gate's own by purpose, the highest version first.
type keys map[gate.Purpose][]gate.AuthorityKey

// sortKeys wants a key for each purpose that is not spared, and each key in one place: who
// made something must be told by what it is signed with.
func sortKeys(all []gate.AuthorityKey, spared []gate.Purpose) (keys, error) {
	out := keys{}
	var problems []error
	for i, k := range all {
		if err := checkKey(k); err != nil {
			problems = append(problems, err)
			continue
		}
		for _, other := range all[:i] {
			switch {
			case bytes.Equal(k.SPKI, other.SPKI):
				problems = append(problems, fmt.Errorf("%s is the very key of %s: a key has one purpose and one version", called(k), called(other)))
			case k.Purpose == other.Purpose && k.Version == other.Version:
				problems = append(problems, fmt.Errorf("%s and %s have one version: the higher one signs", called(k), called(other)))
			}
		}
		out[k.Purpose] = append(out[k.Purpose], k)
	}
	for _, of := range out {
		slices.SortFunc(of, func(a, b gate.AuthorityKey) int { return cmp.Compare(b.Version, a.Version) })
	}
	for _, p := range gate.AuthorityPurposes() {
		if len(out[p]) == 0 && !slices.Contains(spared, p) {
			problems = append(problems, fmt.Errorf("expected a key of purpose %s, got none: countersignd keys create --purpose %s", p, p))
		}
	}
	return out, errors.Join(problems...)
}

func called(k gate.AuthorityKey) string {
	return fmt.Sprintf("%s key %s version %d", k.Purpose, k.Lineage, k.Version)
}

func checkKey(k gate.AuthorityKey) error {
	if !slices.Contains(gate.AuthorityPurposes(), k.Purpose) {
		return fmt.Errorf("%s: expected one of the gate's own keys", called(k))
	}
	if k.Purpose == gate.PurposeLog {
		return nil // ledger.NewLogKey says which it takes
	}
	_, err := publicKey(k)
	return err
}

func publicKey(k gate.AuthorityKey) (*ecdsa.PublicKey, error) {
	parsed, err := x509.ParsePKIXPublicKey(k.SPKI)
	if err != nil {
		return nil, fmt.Errorf("%s: expected a DER SubjectPublicKeyInfo: %w", called(k), err)
	}
	public, ok := parsed.(*ecdsa.PublicKey)
	if !ok || public.Curve != elliptic.P256() {
		return nil, fmt.Errorf("%s: expected ECDSA on P-256, got %T", called(k), parsed)
	}
	return public, nil
}

// newest is the key that signs for a purpose.
func (k keys) newest(p gate.Purpose) (gate.AuthorityKey, bool) {
	if len(k[p]) == 0 {
		return gate.AuthorityKey{}, false
	}
	return k[p][0], true
}

// has reports whether a public key is one for the purpose, of any version.
func (k keys) has(p gate.Purpose, spki []byte) bool {
	return slices.ContainsFunc(k[p], func(k gate.AuthorityKey) bool { return bytes.Equal(k.SPKI, spki) })
}

// sealDigest signs with the newest key of a purpose, and verifies what came.
func (a *Authority) sealDigest(ctx context.Context, p gate.Purpose, digest gate.Digest) (gate.AuthorityKey, []byte, error) {
	key, ok := a.keys.newest(p)
	if !ok {
		return key, nil, fmt.Errorf("seal: no key of purpose %s", p)
	}
	public, err := publicKey(key)
	if err != nil {
		return key, nil, err
	}
	signature, err := a.sealer.SealDigest(ctx, key, digest)
	if err != nil {
		return key, nil, fmt.Errorf("seal with %s: %w", called(key), err)
	}
	if !ecdsa.VerifyASN1(public, digest[:], signature) {
		return key, nil, badSignature(key)
	}
	return key, signature, nil
}

func badSignature(k gate.AuthorityKey) *gate.Error {
	return &gate.Error{
		Kind: gate.Internal, Code: gate.CodeSignatureBad, Text: "a signature by the " + called(k) + " does not verify",
		Expected: "one that verifies under the pinned public key", Got: "another", Fix: "take the token out of use and look into it before anything else",
	}
}

// handle lends the newest key of a purpose to libraries, for as long as ctx lasts.
func (a *Authority) handle(ctx context.Context, p gate.Purpose) (crypto.Signer, error) {
	key, ok := a.keys.newest(p)
	if !ok {
		return nil, fmt.Errorf("seal: no key of purpose %s", p)
	}
	public, err := publicKey(key)
	if err != nil {
		return nil, err
	}
	return handle{public: public, seal: func(d gate.Digest) ([]byte, error) {
		_, signature, err := a.sealDigest(ctx, p, d)
		return signature, err
	}}, nil
}

// handle is a crypto.Signer whose key lies elsewhere.
type handle struct {
	public *ecdsa.PublicKey
	seal   func(gate.Digest) ([]byte, error)
}

var _ crypto.Signer = handle{}

// Public implements crypto.Signer.
func (h handle) Public() crypto.PublicKey { return h.public }

// Sign implements crypto.Signer: SHA-256 alone.
func (h handle) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if opts.HashFunc() != crypto.SHA256 || len(digest) != sha256.Size {
		return nil, fmt.Errorf("seal: expected a SHA-256 digest, got %d bytes of %s", len(digest), opts.HashFunc())
	}
	return h.seal(gate.Digest(digest))
}
