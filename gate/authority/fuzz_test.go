package authority_test

import (
	"bytes"
	"crypto/x509"
	"os"
	"testing"
	"time"

	"github.com/digitorus/timestamp"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/authority"
)

// fromOpenSSL is a time-stamp over "a signature" that OpenSSL 3.0.19 made (`openssl ts -reply`,
// RSA), its chain, and its time.
func fromOpenSSL(t testing.TB) (response []byte, chain []*x509.Certificate, at time.Time) {
	t.Helper()
	response, err := os.ReadFile("testdata/openssl.tsr")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("testdata/openssl.pem")
	if err != nil {
		t.Fatal(err)
	}
	chains, err := authority.ParseChains(text)
	if err != nil {
		t.Fatal(err)
	}
	ts, err := timestamp.ParseResponse(response)
	if err != nil {
		t.Fatal(err)
	}
	return response, chains[0], ts.Time
}

func TestTokenOfOpenSSL(t *testing.T) {
	response, chain, at := fromOpenSSL(t)
	if err := authority.CheckToken(response, gate.SHA256([]byte("a signature")), at, chain); err != nil {
		t.Error(err)
	}
	if authority.CheckToken(response, gate.SHA256([]byte("another signature")), at, chain) == nil {
		t.Error("expected it to be refused for another signature")
	}
	loose := 0
	for i := range response {
		changed := bytes.Clone(response)
		changed[i] ^= 1
		if authority.CheckToken(changed, gate.SHA256([]byte("a signature")), at, chain) == nil {
			loose++
		}
		if authority.CheckToken(response[:i], gate.SHA256([]byte("a signature")), at, chain) == nil {
			t.Errorf("cut after %d of %d bytes: expected a refusal", i, len(response))
		}
	}
	// Algorithms and types stand twice in it, once unsigned.
	if loose > 40 {
		t.Errorf("expected all but what stands twice to be held to, got %d bytes that may change", loose)
	}
}

// No bytes pass for a time-stamp over a signature that nobody stamped, whatever is done to
// those of another.
func FuzzToken(f *testing.F) {
	response, chain, at := fromOpenSSL(f)
	f.Add(response)
	f.Fuzz(func(t *testing.T, response []byte) {
		if authority.CheckToken(response, gate.SHA256([]byte("another signature")), at, chain) == nil {
			t.Error("expected a refusal: nobody stamped this signature")
		}
	})
}

func FuzzParseChains(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		chains, err := authority.ParseChains(text)
		for _, chain := range chains {
			if err != nil || len(chain) == 0 || chain[0].IsCA {
				t.Error("expected chains that begin with a signing certificate, or an error alone")
			}
		}
	})
}
