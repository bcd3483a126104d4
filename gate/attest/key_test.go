package attest_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"strings"
	"testing"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest"
	"github.com/countersign/countersign/gate/attest/attesttest"
)

// testdata/key.fingerprint is what `ssh-keygen -l -E sha256` printed for testdata/key.pem,
// after `ssh-keygen -i -m PKCS8`: an independent path to the same form.
func TestHintIsTheFingerprintThatSSHPrints(t *testing.T) {
	key := goldenKey(t)
	want, err := os.ReadFile("testdata/key.fingerprint")
	if err != nil {
		t.Fatal(err)
	}
	if got := key.Hint(); got != strings.TrimSpace(string(want)) {
		t.Errorf("hint: expected %s, got %s", want, got)
	}
}

func goldenKey(t testing.TB) attest.Key {
	t.Helper()
	text, err := os.ReadFile("testdata/key.pem")
	if err != nil {
		t.Fatal(err)
	}
	key, err := attest.ParseKeyPEM(text)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(key.PEM(), text) {
		t.Errorf("PEM: expected the file's bytes back, got\n%s", key.PEM())
	}
	return key
}

func TestOnlyP256KeysAreRead(t *testing.T) {
	spki := func(public any) []byte {
		der, err := x509.MarshalPKIXPublicKey(public)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ed, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := goldenKey(t).SPKI()
	for name, der := range map[string][]byte{
		"nothing":         nil,
		"no DER":          []byte("key"),
		"P-384":           spki(&p384.PublicKey),
		"Ed25519":         spki(ed),
		"a byte too many": append(bytes.Clone(good), 0),
		"a byte too few":  good[:len(good)-1],
	} {
		if _, err := attest.ParseKey(der); err == nil {
			t.Errorf("%s: expected a refusal", name)
		}
	}
	text := goldenKey(t).PEM()
	for name, bad := range map[string][]byte{
		"no PEM":     []byte("countersign"),
		"two blocks": append(bytes.Clone(text), text...),
		"other type": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: good}),
	} {
		if _, err := attest.ParseKeyPEM(bad); err == nil {
			t.Errorf("%s: expected a refusal", name)
		}
	}
}

func TestTheZeroKeyVerifiesNothing(t *testing.T) {
	key := attesttest.NewKey(t)
	digest := gate.SHA256([]byte("artifact"))
	signed := key.Sign(t, gate.Intent{ID: "1", Digest: digest})
	if err := key.Public.Verify(digest, signed.Signature.Bytes); err != nil {
		t.Errorf("own signature: %v", err)
	}
	if err := (attest.Key{}).Verify(digest, signed.Signature.Bytes); err == nil {
		t.Error("zero key: expected a refusal")
	}
	if err := key.Public.Verify(gate.SHA256([]byte("other")), signed.Signature.Bytes); err == nil {
		t.Error("another digest: expected a refusal")
	}
	if got := (attest.Key{}).Hint(); got != "" {
		t.Errorf("zero key's hint: expected none, got %s", got)
	}
}
