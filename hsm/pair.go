package hsm

import (
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"
)

// recipe is how pairs of one type are made.
type recipe struct {
	name      string
	mechanism uint
	keyType   uint
	curves    [][]byte // CKA_EC_PARAMS: the first that the module takes
}

func recipeOf(t KeyType) recipe {
	if t == Ed25519 {
		return recipe{"Ed25519", ckmEdwardsPairGen, ckkEdwards, curvesEd25519()}
	}
	return recipe{"P-256", pkcs11.CKM_EC_KEY_PAIR_GEN, pkcs11.CKK_EC, [][]byte{oidP256}}
}

// generate makes a key pair in a session of its own, for the token's other one only reads.
func (t *token) generate(label string, id []byte, typ KeyType) (err error) {
	r := recipeOf(typ)
	if typ == Ed25519 {
		able, err := t.canEdwards()
		if err != nil {
			return err
		}
		if !able {
			return t.noEdDSA(nil)
		}
	}
	h, err := t.module.OpenSession(t.slot.id, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
	if err != nil {
		return fmt.Errorf("open session on token %q: %w", t.label, err)
	}
	defer func() { err = errors.Join(err, t.module.CloseSession(h)) }()
	var refusals error
	for _, curve := range r.curves {
		public, private := r.halves(label, id, curve)
		_, _, err := t.module.GenerateKeyPair(h, []*pkcs11.Mechanism{pkcs11.NewMechanism(r.mechanism, nil)}, public, private)
		if err == nil {
			return nil
		}
		refusals = errors.Join(refusals, err)
	}
	return tokenFault(fmt.Sprintf("token %q makes no %s key", t.label, r.name), "check that it is writable and has room", refusals)
}

// halves are the attributes of a new pair: the private half signs, and nothing else. What
// the public half is for is left to the token, for nothing verifies there, and tpm2-pkcs11
// takes a public key that verifies for a private one that decrypts.
func (r recipe) halves(label string, id, curve []byte) (public, private []*pkcs11.Attribute) {
	set := func(class uint, more ...*pkcs11.Attribute) []*pkcs11.Attribute {
		return append([]*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_CLASS, class), pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, r.keyType),
			pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true),
			pkcs11.NewAttribute(pkcs11.CKA_LABEL, label), pkcs11.NewAttribute(pkcs11.CKA_ID, id),
		}, more...)
	}
	public = set(pkcs11.CKO_PUBLIC_KEY, pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, curve))
	private = set(pkcs11.CKO_PRIVATE_KEY,
		pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, true), pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, true),
		pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, false), pkcs11.NewAttribute(pkcs11.CKA_SIGN, true),
		pkcs11.NewAttribute(pkcs11.CKA_DECRYPT, false), pkcs11.NewAttribute(pkcs11.CKA_UNWRAP, false),
		pkcs11.NewAttribute(pkcs11.CKA_DERIVE, false))
	return public, private
}
