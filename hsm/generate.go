package hsm

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"

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
	Label      string // of both halves; no other key of the token may have it
	// Purpose is what the key is for, and Type what it is: "" means release and P-256. A
	// token knows no purpose: it is pinned in the configuration.
	Purpose gate.Purpose
	Type    KeyType
}

// Key is a key pair as a token holds it: what belongs into its pin.
type Key struct {
	// Purpose is what a new key is for; "" for a listed one: a token does not know it.
	Purpose     gate.Purpose `json:"purpose,omitempty"`
	Label       string       `json:"label"`
	ID          []byte       `json:"id"`
	SPKI        []byte       `json:"spki"` // DER SubjectPublicKeyInfo
	Fingerprint string       `json:"fingerprint"`
	Type        KeyType      `json:"type"`
	// Software is true where the token keeps its keys in files.
	Software bool `json:"software"`
	// Problem says why a pin of it would be refused; "" where it would not.
	Problem string `json:"problem,omitempty"`
}

// keyIDSize is the length of a fresh CKA_ID, in bytes.
const keyIDSize = 16

// Generate makes a key pair on the token: the private half sensitive, never
// extractable, for signatures alone; a fresh random id on both; signed with once.
// It loads the module into this process, so it is for a command that does nothing
// else: neither in a daemon, nor twice at a time. ctx is looked at before the
// token is: a module cannot be interrupted. Errors as those of [Start], and
// CodeConfig of kind Conflict where the label is taken.
func Generate(ctx context.Context, c GenerateConfig) (k Key, err error) {
	if c.Label == "" {
		return Key{}, configFault("a new key needs a label", "name it")
	}
	purpose, typ := cmp.Or(c.Purpose, gate.PurposeRelease), cmp.Or(c.Type, P256)
	if err := suits(purpose, typ); err != nil {
		return Key{}, configFault(fmt.Sprintf("key %q with purpose %s: %s", c.Label, purpose, err), "take --type p256")
	}
	t, err := openFor(ctx, TokenConfig{Module: c.Module, TokenLabel: c.TokenLabel, PINFile: c.PINFile})
	if err != nil {
		return Key{}, err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	free, err := t.isFree(c.Label)
	if err != nil {
		return Key{}, err
	}
	if !free {
		return Key{}, &gate.Error{
			Kind: gate.Conflict, Code: gate.CodeConfig,
			Text: fmt.Sprintf("token %q already holds a key with label %q", t.label, c.Label),
			Fix:  "choose another label; a new version of a lineage is a new key with a label of its own",
		}
	}
	return t.make(c.Label, purpose, typ)
}

// openFor opens a token for a command, unless ctx has ended.
func openFor(ctx context.Context, c TokenConfig) (*token, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, unavailable("given up before the token was opened", err)
	}
	return openToken(c.Module, c.TokenLabel, c.PINFile)
}

// isFree reports whether no key has that label.
func (t *token) isFree(label string) (bool, error) {
	for _, class := range []uint{pkcs11.CKO_PRIVATE_KEY, pkcs11.CKO_PUBLIC_KEY} {
		if found, err := t.find(class, label, nil); err != nil || len(found) > 0 {
			return false, err
		}
	}
	return true, nil
}

// make makes a key pair with a random id, and uses it once: what a worker would refuse
// later is better refused now.
func (t *token) make(label string, purpose gate.Purpose, typ KeyType) (Key, error) {
	id := make([]byte, keyIDSize)
	if _, err := rand.Read(id); err != nil {
		return Key{}, fmt.Errorf("draw a key id: %w", err)
	}
	if err := t.generate(label, id, typ); err != nil {
		return Key{}, err
	}
	public, err := t.find(pkcs11.CKO_PUBLIC_KEY, label, id)
	if err != nil {
		return Key{}, err
	}
	if len(public) != 1 {
		return Key{}, tokenFault(fmt.Sprintf("token %q shows %d public keys of the new pair %q", t.label, len(public), label), "check the device", nil)
	}
	spki, err := t.spki(public[0])
	if err != nil {
		return Key{}, err
	}
	if _, err := t.key(KeyPin{Lineage: label, Version: 1, Purpose: purpose, Label: label, ID: id, SPKI: spki}); err != nil {
		return Key{}, err
	}
	k, err := t.found(label, id, spki)
	k.Purpose = purpose
	return k, err
}
