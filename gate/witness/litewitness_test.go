package witness_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/witness"
	"github.com/countersign/countersign/gate/witness/witnesstest"
)

func litewitness(t *testing.T) (*witnesstest.Witness, *witness.Client) {
	t.Helper()
	w, err := witnesstest.Start(t.Context(), t.TempDir(), "litewitness.example")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	c, err := witness.New(w.URL, w.Key, nil)
	if err != nil {
		t.Fatal(err)
	}
	return w, c
}

// A witness of other people's making cosigns, keeps its state, and finds out what it has to.
func TestLitewitness(t *testing.T) {
	w, c := litewitness(t)
	l := newLog(t)
	l.add(t, 10, "entry")
	if _, err := c.Cosign(t.Context(), l.submit(t, 10, 0)); err == nil || !strings.Contains(err.Error(), "does not know this log") {
		t.Errorf("an unknown log: got %v", err)
	}
	if err := w.Know(t.Context(), l.key.Name(), l.key.String()); err != nil {
		t.Fatal(err)
	}
	cosigned := func(s ledger.Submission) {
		t.Helper()
		line, err := c.Cosign(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		joined, err := ledger.WithCosignatures(s.Note, line)
		if err != nil {
			t.Fatal(err)
		}
		h, by, err := ledger.Open(joined, l.key, c.Key())
		if err != nil || h != s.Head || len(by) != 1 || by[0].Witness != "litewitness.example" || by[0].At.Year() < 2024 {
			t.Errorf("got %+v, %v, %v", h, by, err)
		}
	}
	cosigned(l.submit(t, 10, 0))
	cosigned(l.submit(t, 10, 10))
	l.add(t, 290, "entry")
	cosigned(l.submit(t, 257, 10))
	cosigned(l.submit(t, 300, 0)) // it says its size, and gets the proof from there

	if err := w.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Cosign(t.Context(), l.submit(t, 300, 300)); err == nil || errors.Is(err, ledger.ErrForked) {
		t.Errorf("a witness that is away: got %v", err)
	}
	if err := w.Go(t.Context()); err != nil {
		t.Fatal(err)
	}
	var ahead *ledger.AheadError
	if _, err := c.Cosign(t.Context(), l.submit(t, 299, 257)); !errors.As(err, &ahead) || ahead.Size != 300 {
		t.Errorf("a log that was rolled back: got %v", err)
	}

	fork := newLog(t)
	fork.add(t, 250, "entry")
	fork.add(t, 100, "another entry")
	for name, s := range map[string]ledger.Submission{
		"of the same size":           fork.submit(t, 300, 300),
		"that grew":                  fork.submit(t, 350, 300),
		"of the same size, restored": fork.submit(t, 300, 0),
	} {
		if _, err := c.Cosign(t.Context(), s); !errors.Is(err, ledger.ErrForked) {
			t.Errorf("a forked log %s: got %v", name, err)
		}
	}
}

// It takes logs with Ed25519 keys alone.
func TestLitewitnessAndP256(t *testing.T) {
	w, c := litewitness(t)
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(secret.Public())
	if err != nil {
		t.Fatal(err)
	}
	key, err := ledger.NewLogKey("p256.example", spki)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Know(t.Context(), key.Name(), key.String()); err != nil {
		t.Fatal(err)
	}
	h := ledger.Head{Origin: key.Name(), Size: 1, Root: tlog.RecordHash([]byte("entry"))}
	signed, err := ledger.Sign(h, key, func(text []byte) ([]byte, error) {
		digest := sha256.Sum256(text)
		return ecdsa.SignASN1(rand.Reader, secret, digest[:])
	})
	if err != nil {
		t.Fatal(err)
	}
	if line, err := c.Cosign(t.Context(), ledger.Submission{Note: signed, Head: h}); err == nil {
		t.Errorf("it takes P-256 after all, and the manual says otherwise: got %q", line)
	}
}
