package ledger_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/countersign/countersign/gate/ledger"
)

func marshal(t testing.TB, public crypto.PublicKey) []byte {
	t.Helper()
	spki, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return spki
}

// Verifiers find a log by these (reference: sigstore's and C2SP signed-note's rules).
func TestLogIDs(t *testing.T) {
	p256, _ := logKey(t, "P-256")
	if want := sha256.Sum256(p256.SPKI()); string(p256.ID()) != string(want[:]) || p256.Ed25519() {
		t.Errorf("P-256: expected SHA-256 of the key's SPKI, got %x", p256.ID())
	}
	ed, _ := logKey(t, "Ed25519")
	parsed, err := x509.ParsePKIXPublicKey(ed.SPKI())
	if err != nil {
		t.Fatal(err)
	}
	want := sha256.Sum256([]byte(origin + "\n\x01" + string(parsed.(ed25519.PublicKey))))
	if string(ed.ID()) != string(want[:]) || !ed.Ed25519() {
		t.Errorf("Ed25519: expected SHA-256 of name and key, got %x", ed.ID())
	}
	for _, k := range []*ledger.LogKey{p256, ed} {
		if k.KeyHash() != binary.BigEndian.Uint32(k.ID()) || k.Name() != origin {
			t.Errorf("got %08x of %s", k.KeyHash(), k.Name())
		}
		// What is handed out is the caller's own.
		k.ID()[0]++
		k.SPKI()[0]++
		if k.KeyHash() != binary.BigEndian.Uint32(k.ID()) || k.SPKI()[0] != 0x30 {
			t.Error("the key changed")
		}
	}
}

func TestLogKeysRefused(t *testing.T) {
	good, _ := logKey(t, "Ed25519")
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	big, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, x := range map[string]struct {
		origin string
		spki   []byte
	}{
		"no origin":         {"", good.SPKI()},
		"a space":           {"log example", good.SPKI()},
		"a plus":            {"log+example", good.SPKI()},
		"a line feed":       {"log\nexample", good.SPKI()},
		"no UTF-8":          {"log\xff", good.SPKI()},
		"no key":            {origin, nil},
		"bytes after it":    {origin, append(good.SPKI(), 0)},
		"P-384":             {origin, marshal(t, p384.Public())},
		"RSA":               {origin, marshal(t, big.Public())},
		"a wide no-break":   {"log\u00a0example", good.SPKI()},
		"a carriage return": {"log.example\r", good.SPKI()},
	} {
		if k, err := ledger.NewLogKey(x.origin, x.spki); err == nil {
			t.Errorf("%s: expected a refusal, got %s", name, k)
		}
	}
}

func TestWitnessKeysRefused(t *testing.T) {
	const good = "witness.example/w1+aa4a09d1+BOpKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs"
	if w, err := ledger.ParseWitnessKey(good); err != nil || w.Name() != "witness.example/w1" || w.KeyHash() != 0xaa4a09d1 {
		t.Fatalf("got %+v, %v", w, err)
	}
	for name, vkey := range map[string]string{
		"nothing":           "",
		"no name":           strings.TrimPrefix(good, "witness.example/w1"),
		"another name":      "x" + good,
		"a space in it":     "witness example+aa4a09d1+BOpKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs",
		"another hash":      strings.Replace(good, "aa4a09d1", "aa4a09d2", 1),
		"a short hash":      strings.Replace(good, "aa4a09d1", "a4a09d1", 1),
		"no key":            "witness.example/w1+aa4a09d1",
		"a log's key":       "log.example+3d34e96a+AROY9ixtGkV8UbpqS189vS9p/KkyFiGNyJl+QWvRfZPK",
		"a short key":       "witness.example/w1+aa4a09d1+BOpKbGPinFIKvvVQexMu",
		"another key":       strings.Replace(good, "BOpK", "BOpL", 1),
		"no base64":         strings.Replace(good, "BOpK", "B!pK", 1),
		"a line feed in it": strings.Replace(good, "BOpK", "BO\npK", 1),
	} {
		if w, err := ledger.ParseWitnessKey(vkey); err == nil {
			t.Errorf("%s: expected a refusal, got %+v", name, w)
		}
	}
}

func TestCosignatureOfAnotherLength(t *testing.T) {
	w, _ := witnessKey(t, "w1.example", 1)
	for _, n := range []int{0, 8, 64, 71, 73} {
		if w.Verify([]byte("x"), make([]byte, n)) {
			t.Errorf("%d bytes: expected no", n)
		}
	}
}

func FuzzParseWitnessKey(f *testing.F) {
	f.Add("witness.example/w1+aa4a09d1+BOpKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs")
	f.Fuzz(func(t *testing.T, vkey string) {
		if w, err := ledger.ParseWitnessKey(vkey); err == nil && (w.Name() == "" || strings.ContainsAny(w.Name(), " +\n")) {
			t.Errorf("%q gives the name %q", vkey, w.Name())
		}
	})
}
