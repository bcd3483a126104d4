package hsm

import (
	"crypto"
	"io"

	"github.com/miekg/pkcs11"
)

// PublicKey reads a public key from the values of its attributes.
func PublicKey(typ uint, params, point []byte) (crypto.PublicKey, error) {
	return publicKey(pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, typ).Value, params, point)
}

// ReadReply reads what a worker says.
func ReadReply(r io.Reader) error {
	b, err := readFrame(r)
	if err != nil {
		return err
	}
	return decode(b, &reply{})
}
