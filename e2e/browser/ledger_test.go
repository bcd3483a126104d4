package browser_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/countersign/countersign/e2e/browser"
)

// Whoever reads an entry of the ledger has it verified by their own browser, and sees it fail
// where a single bit of what the page holds was changed.
func TestVerifyEntries(t *testing.T) {
	t.Parallel()
	town := found(t)
	released, err := town.Released(t.Context(), "github", "v1.0.0", "Teach the widget to count")
	check(t, err)
	me := tab(t, browser.View{Width: 390})
	heard, err := browser.Listen(me)
	check(t, err)
	at(t, me, town.URL+"/releases/"+released.ID)
	check(t, browser.Click(me, `a[href="/ledger?q=`+released.ID+`"]`))
	for _, row := range []struct {
		words string
		see   []string
		data  []string // what the entry is verified from
	}{
		{"the gate decided", []string{"salted hash of the document", "hashes give the root", "signed by the log"}, []string{"leaf", "salt", "document", "note", "key"}},
		{"a signature, by its key", []string{"signature in the entry", "hashes give the root", "signed by the log"}, []string{"leaf", "note", "key"}},
		{"a signature, by its certificate", []string{"signature in the entry"}, []string{"leaf", "note"}},
	} {
		t.Run(row.words, func(t *testing.T) {
			path, err := town.Entry(t.Context(), released, row.words)
			check(t, err)
			at(t, me, town.URL+path)
			verified(t, me, "yes")
			see(t, me, append(row.see, "Everything holds")...)
			audit(t, me, row.words)
			for _, data := range row.data {
				check(t, browser.Tamper(me, data))
				verified(t, me, "no")
				see(t, me, "does not hold", "Not verified")
				check(t, browser.Tamper(me, data))
			}
			verified(t, me, "yes")
			signedByEither(t, me)
		})
	}
	for _, complaint := range heard() {
		t.Errorf("the browser complains of %s", complaint)
	}
}

// signedByEither has the checkpoint on the page signed anew by log keys of both kinds, and by
// another key than the page names.
func signedByEither(t *testing.T, me context.Context) {
	t.Helper()
	encoded, err := browser.Data(me, "note")
	check(t, err)
	note, err := base64.StdEncoding.DecodeString(encoded)
	check(t, err)
	text, _, found := strings.Cut(string(note), "\n\n")
	if !found {
		t.Fatalf("no checkpoint: %s", note)
	}
	text += "\n"
	origin, _, _ := strings.Cut(text, "\n")
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	check(t, err)
	weierstrass, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	digest := sha256.Sum256([]byte(text))
	for _, by := range []struct {
		crypto.Signer

		message []byte
		hash    crypto.Hash
	}{{edwards, []byte(text), 0}, {weierstrass, digest[:], crypto.SHA256}} {
		signature, err := by.Sign(rand.Reader, by.message, by.hash)
		check(t, err)
		line := "\n\u2014 " + origin + " " + base64.StdEncoding.EncodeToString(append([]byte("hint"), signature...)) + "\n"
		check(t, browser.SetData(me, "note", base64.StdEncoding.EncodeToString([]byte(text+line))))
		verified(t, me, "no")
		spki, err := x509.MarshalPKIXPublicKey(by.Public())
		check(t, err)
		check(t, browser.SetData(me, "key", base64.StdEncoding.EncodeToString(spki)))
		verified(t, me, "yes")
	}
}

func verified(t *testing.T, tab context.Context, want string) {
	t.Helper()
	got, err := browser.Verify(tab)
	check(t, err)
	if got != want {
		text, _ := browser.Text(tab)
		t.Errorf("verified: %s, expected %s:\n%s", got, want, text)
	}
}
