package authority_test

import (
	"bytes"
	"crypto/x509"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/digitorus/timestamp"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/authority"
)

func stamp(t *testing.T, a *authority.Authority, signature []byte) (whole []byte, parsed *timestamp.Timestamp) {
	t.Helper()
	whole, err := a.Timestamp(t.Context(), signature)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err = timestamp.ParseResponse(whole)
	if err != nil {
		t.Fatal(err)
	}
	return whole, parsed
}

func TestOwnTimestamps(t *testing.T) {
	w := newWorld(t)
	a := w.start(t)
	_, ts := stamp(t, a, []byte("a signature"))
	if want := gate.SHA256([]byte("a signature")); !bytes.Equal(ts.HashedMessage, want[:]) {
		t.Errorf("expected it over SHA-256 of the signature, got %x", ts.HashedMessage)
	}
	if !ts.Time.Equal(w.now) || ts.Accuracy != time.Second || ts.SerialNumber.Sign() <= 0 {
		t.Errorf("expected the time now, to the second, with a serial number, got %s, %s, %s", ts.Time, ts.Accuracy, ts.SerialNumber)
	}
	leaf := w.cert(t, "timestamp/timestamp/1")
	if leaf.CheckSignatureFrom(w.cert(t, "ca/ca/1")) != nil || leaf.IsCA || leaf.KeyUsage != x509.KeyUsageDigitalSignature {
		t.Error("expected a leaf by the gate's own authority")
	}
	if _, critical, ok := extension(leaf, 2, 5, 29, 37); !ok || !critical || len(leaf.ExtKeyUsage) != 1 || leaf.ExtKeyUsage[0] != x509.ExtKeyUsageTimeStamping {
		t.Errorf("expected time-stamping as the only, critical, usage, got %v", leaf.ExtKeyUsage)
	}
	if !strings.Contains(leaf.Subject.CommonName, "not independent") {
		t.Errorf("expected the name to say what it is not, got %q", leaf.Subject.CommonName)
	}
	if a.Independent() {
		t.Error("expected the gate's own time-stamps not to be independent")
	}
}

// One certificate serves all, and no serial number comes twice.
func TestOwnTimestampsAtOnce(t *testing.T) {
	w := newWorld(t)
	a := w.start(t)
	var mu sync.Mutex
	var wg sync.WaitGroup
	seen := map[string]*big.Int{}
	for i := range 50 {
		wg.Go(func() {
			whole, err := a.Timestamp(t.Context(), []byte{byte(i)})
			if err != nil {
				t.Error(err)
				return
			}
			ts, err := timestamp.ParseResponse(whole)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			seen[ts.SerialNumber.String()] = ts.SerialNumber
		})
	}
	wg.Wait()
	if len(seen) != 50 || len(w.certs) != 2 {
		t.Errorf("expected 50 serial numbers under 2 certificates, got %d under %d", len(seen), len(w.certs))
	}
}

func TestOpenSSLVerifiesOwnTimestamps(t *testing.T) {
	w := newWorld(t)
	whole, _ := stamp(t, w.start(t), []byte("a signature"))
	dir := t.TempDir()
	for name, content := range map[string][]byte{"stamp": whole, "signed": []byte("a signature"), "other": []byte("another signature")} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	root := writePEM(t, w.cert(t, "ca/ca/1"))
	verify := func(signed, ca string) (string, error) {
		return openssl(t, "ts", "-verify", "-in", filepath.Join(dir, "stamp"), "-data", filepath.Join(dir, signed), "-CAfile", ca)
	}
	if out, err := verify("signed", root); err != nil {
		t.Errorf("openssl ts -verify: %v\n%s", err, out)
	}
	if _, err := verify("other", root); err == nil {
		t.Error("expected openssl to refuse another signature")
	}
	stranger := newWorld(t)
	stamp(t, stranger.start(t), []byte("x"))
	if _, err := verify("signed", writePEM(t, stranger.cert(t, "ca/ca/1"))); err == nil {
		t.Error("expected openssl to refuse another authority")
	}
}

// Time-stamps go on over the renewal of certificates, and over new keys.
func TestOwnTimestampsOverTheYears(t *testing.T) {
	w := newWorld(t)
	stamp(t, w.start(t), []byte("x"))
	first := w.cert(t, "timestamp/timestamp/1")
	w.add(t, gate.PurposeTimestamp, 2)
	stamp(t, w.start(t), []byte("x"))
	if w.cert(t, "timestamp/timestamp/2").Equal(first) {
		t.Error("expected the newest key to have a certificate of its own")
	}
	w.add(t, gate.PurposeCA, 2)
	stamp(t, w.start(t), []byte("x"))
	if w.cert(t, "timestamp/timestamp/2").CheckSignatureFrom(w.cert(t, "ca/ca/2")) != nil {
		t.Error("expected the newest authority to certify the newest key")
	}
}
