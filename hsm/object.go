package hsm

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"
)

// oidP256 is the DER of OID 1.2.840.10045.3.1.7 (prime256v1), as CKA_EC_PARAMS holds it.
var oidP256 = []byte{0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07}

// find lists the key objects of a class (CKO_PRIVATE_KEY or CKO_PUBLIC_KEY), of any type;
// an empty label or id matches all.
func (t *token) find(class uint, label string, id []byte) ([]pkcs11.ObjectHandle, error) {
	template := []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, class),
	}
	if label != "" {
		template = append(template, pkcs11.NewAttribute(pkcs11.CKA_LABEL, label))
	}
	if len(id) > 0 {
		template = append(template, pkcs11.NewAttribute(pkcs11.CKA_ID, id))
	}
	return t.search(template)
}

func (t *token) search(template []*pkcs11.Attribute) ([]pkcs11.ObjectHandle, error) {
	if err := t.module.FindObjectsInit(t.session, template); err != nil {
		return nil, fmt.Errorf("search token %q: %w", t.label, err)
	}
	var all []pkcs11.ObjectHandle
	for {
		const some = 64
		found, _, err := t.module.FindObjects(t.session, some)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("search token %q: %w", t.label, err), t.module.FindObjectsFinal(t.session))
		}
		if len(found) == 0 {
			break
		}
		all = append(all, found...)
	}
	if err := t.module.FindObjectsFinal(t.session); err != nil {
		return nil, fmt.Errorf("search token %q: %w", t.label, err)
	}
	return all, nil
}

// attributes reads attributes of an object, in the order asked for.
func (t *token) attributes(object pkcs11.ObjectHandle, types ...uint) ([][]byte, error) {
	var template []*pkcs11.Attribute
	for _, typ := range types {
		template = append(template, pkcs11.NewAttribute(typ, nil))
	}
	got, err := t.module.GetAttributeValue(t.session, object, template)
	if err != nil {
		return nil, fmt.Errorf("read an object of token %q: %w", t.label, err)
	}
	var values [][]byte
	for _, a := range got {
		values = append(values, a.Value)
	}
	return values, nil
}

// errOtherKey marks a key that nothing of ours signs with.
var errOtherKey = errors.New("it is neither a P-256 key nor an Ed25519 key")

// spki reads a public key object as DER SubjectPublicKeyInfo.
func (t *token) spki(public pkcs11.ObjectHandle) ([]byte, error) {
	typ, err := t.attributes(public, pkcs11.CKA_KEY_TYPE)
	if err != nil {
		return nil, err
	}
	if !isKeyType(typ[0], pkcs11.CKK_EC) && !isKeyType(typ[0], ckkEdwards) {
		return nil, errOtherKey
	}
	values, err := t.attributes(public, pkcs11.CKA_EC_PARAMS, pkcs11.CKA_EC_POINT)
	if err != nil {
		return nil, err
	}
	key, err := publicKey(typ[0], values[0], values[1])
	if errors.Is(err, errOtherKey) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("public key on token %q: %w", t.label, err)
	}
	return x509.MarshalPKIXPublicKey(key)
}

// isKeyType reports whether the value of CKA_KEY_TYPE is want.
func isKeyType(value []byte, want uint) bool {
	return bytes.Equal(value, pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, want).Value)
}

// publicKey reads a public key from its attributes.
func publicKey(typ, params, point []byte) (crypto.PublicKey, error) {
	switch {
	case isKeyType(typ, pkcs11.CKK_EC) && bytes.Equal(params, oidP256):
		return pointP256(point)
	case isKeyType(typ, ckkEdwards) && isEd25519(params):
		return pointEd25519(point)
	}
	return nil, errOtherKey
}

// pointP256 reads CKA_EC_POINT: an uncompressed point in a DER octet string.
func pointP256(b []byte) (crypto.PublicKey, error) {
	var point []byte
	if rest, err := asn1.Unmarshal(b, &point); err != nil || len(rest) > 0 {
		return nil, errors.New("expected its point as a DER octet string")
	}
	return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
}
