package main_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// tsaChain is the certificate chain of an authority that openssl made.
func tsaChain(t *testing.T) []byte {
	t.Helper()
	b, err := os.ReadFile("../../gate/authority/testdata/openssl.pem")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// signersFile has a new key for each principal.
func signersFile(t *testing.T, principals ...string) []byte {
	t.Helper()
	var b strings.Builder
	for _, p := range principals {
		public, _, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		key, err := ssh.NewPublicKey(public)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s namespaces=\"epoch@countersign\" %s", p, ssh.MarshalAuthorizedKey(key))
	}
	return []byte(b.String())
}

// witnessKey is the verifier key of a witness that nobody runs (C2SP tlog-cosignature).
func witnessKey(t *testing.T) string {
	t.Helper()
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key := append([]byte{4}, public...)
	id := sha256.Sum256(append([]byte("witness.example\n"), key...))
	return fmt.Sprintf("witness.example+%x+%s", id[:4], base64.StdEncoding.EncodeToString(key))
}

// publishes waits until the server published its ledger.
func (v *serving) publishes() {
	for {
		if code, _, _ := run(v.t, "ledger", "checkpoint", "--config", v.config); code == 0 {
			return
		}
		select {
		case <-v.t.Context().Done():
			v.t.Fatal("nothing was published")
		case <-time.After(20 * time.Millisecond):
		}
	}
}
