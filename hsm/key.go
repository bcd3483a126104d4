package hsm

import (
	"crypto"
	"crypto/ecdsa"
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
	name   string
	spki   []byte
	public *ecdsa.PublicKey
	signer crypto.Signer
}

// key finds the pinned pair and proves that its halves belong together.
func (t *token) key(p KeyPin) (*key, error) {
	spki, err := t.matchPin(p)
	if err != nil {
		return nil, err
	}
	public, err := parseSPKI(spki)
	if err != nil {
		return nil, keyFault(gate.CodeKeyMismatch, p, t.label, err.Error(), "pin a P-256 key")
	}
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
	k := &key{name: p.name(), spki: spki, public: public, signer: signer}
	return k, k.selfTest()
}

// matchPin makes sure that exactly one private and one public key fit the pin, and
// returns the public one.
func (t *token) matchPin(p KeyPin) ([]byte, error) {
	private, err := t.find(pkcs11.CKO_PRIVATE_KEY, p.Label, p.ID)
	if err != nil {
		return nil, err
	}
	public, err := t.find(pkcs11.CKO_PUBLIC_KEY, p.Label, p.ID)
	if err != nil {
		return nil, err
	}
	switch {
	case len(private) == 0 && len(public) == 0:
		return nil, keyFault(gate.CodeKeyUnknown, p, t.label, "the token holds no such EC key",
			"correct the pin; countersignd keys list prints what is there")
	case len(private) != 1 || len(public) != 1:
		return nil, keyFault(gate.CodeKeyMismatch, p, t.label,
			fmt.Sprintf("expected one private and one public key, found %d and %d", len(private), len(public)),
			"leave one pair with this label and id")
	}
	spki, err := t.spki(public[0])
	if errors.Is(err, errNotP256) {
		return nil, keyFault(gate.CodeKeyMismatch, p, t.label, err.Error(), "pin a P-256 key")
	}
	if err != nil {
		return nil, err
	}
	if !p.matches(spki) {
		return nil, keyFault(gate.CodeKeyMismatch, p, t.label,
			fmt.Sprintf("expected fingerprint %s, found %s", p.fingerprint(), Fingerprint(spki)),
			"find out who replaced the key before you change the pin")
	}
	return spki, nil
}

// selfTest signs a constant that says what it is; the signature is thrown away.
func (k *key) selfTest() error {
	digest := sha256.Sum256([]byte("countersign: self-test of a key, nothing was released\n"))
	sig, err := k.sign(digest)
	if err != nil {
		return err
	}
	if !ecdsa.VerifyASN1(k.public, digest[:], sig) {
		return badSignature(k.name)
	}
	return nil
}

// sign signs a SHA-256 digest; the signature is DER ECDSA-Sig-Value, not yet checked.
// After any error the module is not to be used any more.
func (k *key) sign(digest [sha256.Size]byte) ([]byte, error) {
	sig, err := k.signer.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("sign with key %s: %w", k.name, err)
	}
	return sig, nil
}
