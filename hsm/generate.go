package hsm

import (
	"context"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/ThalesIgnite/crypto11"
	"github.com/miekg/pkcs11"

	"github.com/countersign/countersign/gate"
)

// TokenConfig is one token as an operator's command reaches it.
type TokenConfig struct {
	Module     string
	TokenLabel string
	PINFile    string
}

// GenerateConfig is one key pair to make.
type GenerateConfig struct {
	Module     string
	TokenLabel string
	PINFile    string
	Label      string // of both halves; no other EC key of the token may have it
}

// Key is a key pair as a token holds it: what belongs into its pin.
type Key struct {
	Label       string `json:"label"`
	ID          []byte `json:"id"`
	SPKI        []byte `json:"spki"` // DER SubjectPublicKeyInfo
	Fingerprint string `json:"fingerprint"`
	// Software is true where the token keeps its keys in files.
	Software bool `json:"software"`
	// Problem says why a pin of it would be refused; "" where it would not.
	Problem string `json:"problem,omitempty"`
}

// keyIDSize is the length of a fresh CKA_ID, in bytes.
const keyIDSize = 16

// Generate makes a P-256 key pair on the token: the private half sensitive, never
// extractable, for signatures alone; a fresh random id on both; signed with once.
// It loads the module into this process, so it is for a command that does nothing
// else: neither in a daemon, nor twice at a time. ctx is looked at before the
// token is: a module cannot be interrupted. Errors as those of [Start], and
// CodeConfig of kind Conflict where the label is taken.
func Generate(ctx context.Context, c GenerateConfig) (k Key, err error) {
	if c.Label == "" {
		return Key{}, configFault("a new key needs a label", "name it")
	}
	if err := context.Cause(ctx); err != nil {
		return Key{}, unavailable("given up before the token was opened", err)
	}
	t, err := openToken(c.Module, c.TokenLabel, c.PINFile)
	if err != nil {
		return Key{}, err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	if err := t.labelIsFree(c.Label); err != nil {
		return Key{}, err
	}
	id := make([]byte, keyIDSize)
	if _, err := rand.Read(id); err != nil {
		return Key{}, fmt.Errorf("draw a key id: %w", err)
	}
	return t.generate(c.Label, id)
}

func (t *token) labelIsFree(label string) error {
	for _, class := range []uint{pkcs11.CKO_PRIVATE_KEY, pkcs11.CKO_PUBLIC_KEY} {
		found, err := t.find(class, label, nil)
		if err != nil {
			return err
		}
		if len(found) > 0 {
			return &gate.Error{
				Kind: gate.Conflict, Code: gate.CodeConfig,
				Text: fmt.Sprintf("token %q already holds a key with label %q", t.label, label),
				Fix:  "choose another label; a new version of a lineage is a new key with a label of its own",
			}
		}
	}
	return nil
}

func (t *token) generate(label string, id []byte) (Key, error) {
	public, err := crypto11.NewAttributeSetWithIDAndLabel(id, []byte(label))
	if err != nil {
		return Key{}, fmt.Errorf("describe key %q: %w", label, err)
	}
	private := public.Copy()
	for attribute, value := range map[uint]bool{
		pkcs11.CKA_PRIVATE: true, pkcs11.CKA_SENSITIVE: true, pkcs11.CKA_EXTRACTABLE: false, pkcs11.CKA_SIGN: true,
		pkcs11.CKA_DECRYPT: false, pkcs11.CKA_UNWRAP: false, pkcs11.CKA_DERIVE: false,
	} {
		if err := private.Set(attribute, value); err != nil {
			return Key{}, fmt.Errorf("describe key %q: %w", label, err)
		}
	}
	signer, err := t.crypto.GenerateECDSAKeyPairWithAttributes(public, private, elliptic.P256())
	if err != nil {
		return Key{}, tokenFault(fmt.Sprintf("token %q makes no P-256 key", t.label), "check that it is writable and has room", err)
	}
	spki, err := x509.MarshalPKIXPublicKey(signer.Public())
	if err != nil {
		return Key{}, fmt.Errorf("encode public key %q: %w", label, err)
	}
	// What a worker would refuse later is better refused now.
	pin := KeyPin{Lineage: label, Version: 1, Label: label, ID: id, SPKI: spki}
	if _, err := t.key(pin); err != nil {
		return Key{}, err
	}
	return Key{Label: label, ID: id, SPKI: spki, Fingerprint: Fingerprint(spki), Software: t.slot.software()}, nil
}
