package hsm

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"

	"github.com/countersign/countersign/gate"
)

// key is one pinned key pair of an open token.
type key struct {
	name    string
	purpose gate.Purpose
	spki    []byte
	public  public
	private private
}

// private is the private half of a key, which the token keeps. After any error the module
// is not to be used any more.
type private interface {
	sign(o order) ([]byte, error)
}

// key finds the pinned pair and proves that its halves belong together.
func (t *token) key(p KeyPin) (*key, error) {
	found, err := t.matchPin(p)
	if err != nil {
		return nil, err
	}
	public, err := p.public(found.spki)
	if err != nil {
		return nil, keyFault(gate.CodeKeyMismatch, p, t.label, err.Error(), "pin a P-256 key")
	}
	k := &key{name: p.name(), purpose: p.purpose(), spki: found.spki, public: public}
	if public.kind() == Ed25519 {
		k.private = edwards{token: t, handle: found.private}
	} else if k.private, err = t.signer(p); err != nil {
		return nil, err
	}
	return k, k.selfTest()
}

// signer has crypto11 find a P-256 pair that is known to be the only one of its label and id.
func (t *token) signer(p KeyPin) (private, error) {
	signer, err := t.crypto.FindKeyPair(p.ID, []byte(p.Label))
	if err != nil {
		return nil, fmt.Errorf("find key %s on token %q: %w", p.name(), t.label, err)
	}
	if signer == nil {
		return nil, keyFault(gate.CodeKeyMismatch, p, t.label, "crypto11 finds no pair", "check the key's attributes")
	}
	if found, err := x509.MarshalPKIXPublicKey(signer.Public()); err != nil || !p.matches(found) {
		return nil, keyFault(gate.CodeKeyMismatch, p, t.label, "crypto11 finds another pair", "give each key pair an id of its own")
	}
	return prehashed{signer}, nil
}

// pair is where a token keeps the halves of a key.
type pair struct {
	private pkcs11.ObjectHandle
	spki    []byte
}

// matchPin makes sure that exactly one private and one public key fit the pin, of whatever
// type: crypto11 would stumble over an Ed25519 key of the same label and id.
func (t *token) matchPin(p KeyPin) (pair, error) {
	private, err := t.find(pkcs11.CKO_PRIVATE_KEY, p.Label, p.ID)
	if err != nil {
		return pair{}, err
	}
	public, err := t.find(pkcs11.CKO_PUBLIC_KEY, p.Label, p.ID)
	if err != nil {
		return pair{}, err
	}
	switch {
	case len(private) == 0 && len(public) == 0:
		return pair{}, keyFault(gate.CodeKeyUnknown, p, t.label, "the token holds no such key",
			"correct the pin; countersignd keys list prints what is there")
	case len(private) != 1 || len(public) != 1:
		return pair{}, keyFault(gate.CodeKeyMismatch, p, t.label,
			fmt.Sprintf("expected one private and one public key, found %d and %d", len(private), len(public)),
			"leave one pair with this label and id")
	}
	spki, err := t.spki(public[0])
	if errors.Is(err, errOtherKey) {
		return pair{}, keyFault(gate.CodeKeyMismatch, p, t.label, err.Error(), "pin a P-256 key")
	}
	if err != nil {
		return pair{}, err
	}
	if !p.matches(spki) {
		return pair{}, keyFault(gate.CodeKeyMismatch, p, t.label,
			fmt.Sprintf("expected fingerprint %s, found %s", p.fingerprint(), Fingerprint(spki)),
			"find out who replaced the key before you change the pin")
	}
	if same, err := t.sameType(private[0], public[0]); err != nil || !same {
		return pair{}, errors.Join(err, keyFault(gate.CodeKeyMismatch, p, t.label, "its halves are keys of two types", "make the pair anew"))
	}
	return pair{private: private[0], spki: spki}, nil
}

func (t *token) sameType(a, b pkcs11.ObjectHandle) (bool, error) {
	one, err := t.attributes(a, pkcs11.CKA_KEY_TYPE)
	if err != nil {
		return false, err
	}
	other, err := t.attributes(b, pkcs11.CKA_KEY_TYPE)
	return err == nil && bytes.Equal(one[0], other[0]), err
}

// selfTest signs a constant that says what it is; the signature is thrown away.
func (k *key) selfTest() error {
	const text = "countersign: self-test of a key, nothing was released\n"
	o := order{Message: []byte(text)}
	if k.public.kind() != Ed25519 {
		digest := sha256.Sum256([]byte(text))
		o = order{Digest: digest[:]}
	}
	sig, err := k.sign(o)
	if err != nil {
		return err
	}
	if !k.public.verifies(o, sig) {
		return badSignature(k.name)
	}
	return nil
}

// sign signs what o holds; the signature is not yet checked.
func (k *key) sign(o order) ([]byte, error) {
	sig, err := k.private.sign(o)
	if err != nil {
		return nil, fmt.Errorf("sign with key %s: %w", k.name, err)
	}
	return sig, nil
}

// prehashed signs SHA-256 digests by CKM_ECDSA.
type prehashed struct{ signer crypto.Signer }

// sign returns a DER ECDSA-Sig-Value.
func (p prehashed) sign(o order) ([]byte, error) {
	return p.signer.Sign(rand.Reader, o.Digest, crypto.SHA256)
}
