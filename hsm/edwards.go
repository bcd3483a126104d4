package hsm

import (
	"bytes"
	"crypto/ed25519"
	"fmt"

	"github.com/miekg/pkcs11"
)

// What PKCS#11 3.0 has for Ed25519, and the module's binding does not name.
const (
	ckkEdwards        = 0x40   // CKK_EC_EDWARDS
	ckmEdwardsPairGen = 0x1055 // CKM_EC_EDWARDS_KEY_PAIR_GEN
	ckmEdDSA          = 0x1057 // CKM_EDDSA
)

// curvesEd25519 are the values of CKA_EC_PARAMS that mean Ed25519: a curve's name, or one
// of two OIDs, as modules differ. Keys are made with the first that a module takes.
func curvesEd25519() [][]byte {
	return [][]byte{
		append([]byte{0x13, 0x0c}, "edwards25519"...),                      // PrintableString
		{0x06, 0x03, 0x2b, 0x65, 0x70},                                     // 1.3.101.112, RFC 8410
		{0x06, 0x09, 0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x0f, 0x01}, // 1.3.6.1.4.1.11591.15.1
	}
}

func isEd25519(params []byte) bool {
	for _, c := range curvesEd25519() {
		if bytes.Equal(c, params) {
			return true
		}
	}
	return false
}

// pointEd25519 reads CKA_EC_POINT: the 32 bytes of RFC 8032, bare, or in a DER octet
// string or bit string, as modules differ.
func pointEd25519(b []byte) (ed25519.PublicKey, error) {
	for _, head := range [][]byte{{0x04, 0x20}, {0x03, 0x21, 0x00}} {
		if bare, ok := bytes.CutPrefix(b, head); ok && len(bare) == ed25519.PublicKeySize {
			return bare, nil
		}
	}
	if len(b) == ed25519.PublicKeySize {
		return b, nil
	}
	return nil, fmt.Errorf("expected an Ed25519 point of 32 bytes, got %d bytes", len(b))
}

// edwards signs messages by CKM_EDDSA, which crypto11 does not know.
type edwards struct {
	token  *token
	handle pkcs11.ObjectHandle
}

// sign returns the 64 bytes of RFC 8032.
func (e edwards) sign(o order) ([]byte, error) {
	t := e.token
	err := t.module.SignInit(t.session, []*pkcs11.Mechanism{pkcs11.NewMechanism(ckmEdDSA, nil)}, e.handle)
	if isCode(err, pkcs11.CKR_MECHANISM_INVALID) || isCode(err, pkcs11.CKR_FUNCTION_NOT_SUPPORTED) {
		return nil, t.noEdDSA(err)
	}
	if err != nil {
		return nil, err
	}
	return t.module.Sign(t.session, o.Message)
}

// noEdDSA is a token that does not sign with Ed25519.
func (t *token) noEdDSA(err error) error {
	return configFaultOf(fmt.Sprintf("token %q makes no Ed25519 signatures (CKM_EDDSA)", t.label),
		"take a P-256 key for the log: countersignd keys create --purpose log --type p256", err)
}

// canEdwards reports whether the token says that it makes Ed25519 keys and signs with them.
func (t *token) canEdwards() (bool, error) {
	list, err := t.module.GetMechanismList(t.slot.id)
	if err != nil {
		return false, fmt.Errorf("list mechanisms of token %q: %w", t.label, err)
	}
	has := map[uint]bool{}
	for _, m := range list {
		has[m.Mechanism] = true
	}
	return has[ckmEdDSA] && has[ckmEdwardsPairGen], nil
}
