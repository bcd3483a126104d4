package monitor

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/countersign/countersign/gate/ledger"
)

// Key types of C2SP signed-note; that of ECDSA is Sigstore's and holds a
// SubjectPublicKeyInfo.
const (
	vkeyEd25519 = 0x01
	vkeyECDSA   = 0x02
)

// ParseLogKey reads a log's verifier key, "origin+hash+base64" as C2SP signed-note spells it.
func ParseLogKey(vkey string) (*ledger.LogKey, error) {
	bad := func(why string) error {
		return fmt.Errorf("log key: expected origin+hash+key as C2SP signed-note spells it: %s, got %.200q", why, vkey)
	}
	origin, rest, _ := strings.Cut(strings.TrimSpace(vkey), "+")
	hash, encoded, ok := strings.Cut(rest, "+")
	if !ok {
		return nil, bad("it has three parts")
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(key) < 2 {
		return nil, bad("the key is in base64")
	}
	spki := key[1:]
	switch key[0] {
	case vkeyECDSA:
	case vkeyEd25519:
		if len(spki) != ed25519.PublicKeySize {
			return nil, bad("an Ed25519 key has 32 bytes")
		}
		if spki, err = x509.MarshalPKIXPublicKey(ed25519.PublicKey(spki)); err != nil {
			return nil, bad(err.Error())
		}
	default:
		return nil, bad("the key is Ed25519 or ECDSA")
	}
	k, err := ledger.NewLogKey(origin, spki)
	if err != nil {
		return nil, err
	}
	if want := fmt.Sprintf("%08x", k.KeyHash()); hash != want {
		return nil, bad("the hash is " + want)
	}
	return k, nil
}
