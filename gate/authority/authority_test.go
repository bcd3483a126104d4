package authority_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest"
	"github.com/countersign/countersign/gate/authority"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/release"
)

var _ release.Authority = (*authority.Authority)(nil)

func TestNewRefuses(t *testing.T) {
	p384 := func(w *world) gate.KeyVersion {
		k, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return w.keep(t, k, "ca", 2)
	}
	for name, row := range map[string]struct {
		spoil func(*world)
		want  []string
	}{
		"no keys": {func(w *world) { w.config.Keys = nil }, []string{
			"purpose log", "purpose timestamp", "purpose ca", "purpose ct", "purpose verdict", "keys create --purpose log",
		}},
		"a release key":      {func(w *world) { w.config.Keys[0].Purpose = gate.PurposeRelease }, []string{"one of the gate's own keys", "purpose log"}},
		"one key for two":    {func(w *world) { w.config.Keys[1].SPKI = w.config.Keys[2].SPKI }, []string{"one purpose"}},
		"two of one version": {func(w *world) { w.add(t, gate.PurposeCA, 1) }, []string{"one version"}},
		"a key of another sort": {func(w *world) {
			w.config.Keys = append(w.config.Keys, gate.AuthorityKey{Purpose: gate.PurposeCA, KeyVersion: p384(w)})
		}, []string{"P-256"}},
		"a log key of another sort": {func(w *world) {
			w.drop(w.key(gate.PurposeLog))
			w.config.Keys = append(w.config.Keys, gate.AuthorityKey{Purpose: gate.PurposeLog, KeyVersion: p384(w)})
		}, []string{"P-256 or Ed25519"}},
		"no origin":       {func(w *world) { w.config.Origin = "" }, []string{"origin"}},
		"no URL":          {func(w *world) { w.config.Server = "gate.example.org" }, []string{"public URL"}},
		"no sealer":       {func(w *world) { w.config.Sealer = nil }, []string{"sealer"}},
		"several at once": {func(w *world) { w.config.Server, w.config.Origin, w.config.Now = "", "", nil }, []string{"public URL", "origin", "clock"}},
	} {
		w := newWorld(t)
		row.spoil(w)
		_, err := authority.New(w.config)
		for _, want := range row.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: expected an error with %q, got %v", name, want, err)
			}
		}
	}
}

func TestCheckpoint(t *testing.T) {
	w := newWorld(t)
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	edwards := gate.AuthorityKey{Purpose: gate.PurposeLog, KeyVersion: w.keep(t, private, "log", 2)}
	for name, keys := range map[string][]gate.AuthorityKey{"P-256": w.config.Keys, "Ed25519": append(slices.Clone(w.config.Keys), edwards)} {
		w.config.Keys = keys
		a := w.start(t)
		if a.LogKey().Name() != origin || a.LogKey().Ed25519() != (name == "Ed25519") {
			t.Errorf("%s: expected the newest log key under the origin", name)
		}
		h := ledger.Head{Origin: origin, Size: 7, Root: tlog.Hash(gate.SHA256([]byte("root")))}
		signed, err := a.Checkpoint(t.Context(), h)
		if err != nil {
			t.Fatal(err)
		}
		if got, _, err := ledger.Open(signed, a.LogKey()); err != nil || got != h {
			t.Errorf("%s: expected %v, got %v, %v", name, h, got, err)
		}
		if _, err := a.Checkpoint(t.Context(), ledger.Head{Origin: "elsewhere", Size: 7}); err == nil {
			t.Errorf("%s: expected another origin to be refused", name)
		}
		w.bend = func(sig []byte) []byte { return append(bytes.Clone(sig), 0) }
		if signed, err := a.Checkpoint(t.Context(), h); gate.CodeOf(err) != gate.CodeSignatureBad || signed != nil {
			t.Errorf("%s: expected a bad signature to be refused, got %v", name, err)
		}
		w.bend = nil
	}
}

func TestVerdict(t *testing.T) {
	w := newWorld(t)
	a := w.start(t)
	const failed = `{"predicate":{"verificationResult":"FAILED"}}`
	v, err := a.Verdict(t.Context(), "r-1", []byte(failed))
	if err != nil {
		t.Fatal(err)
	}
	key, err := attest.ParseKey(w.key(gate.PurposeVerdict).SPKI)
	if err != nil {
		t.Fatal(err)
	}
	if err := key.Verify(gate.StatementDigest([]byte(failed)), v.Signature); err != nil || v.Request != "r-1" || !v.At.Equal(w.now) || string(v.Statement) != failed {
		t.Errorf("expected the verdict key's signature over it, got %+v, %v", v, err)
	}
	for name, statement := range map[string]string{
		"a grant":        `{"predicate":{"verificationResult":"PASSED"}}`,
		"no result":      `{"predicate":{}}`,
		"no JSON":        `FAILED`,
		"nothing":        "",
		"two results":    `{"predicate":{"verificationResult":"FAILED","verificationResult":"PASSED"}}`,
		"far too much":   `{"predicate":{"verificationResult":"FAILED"},"x":"` + strings.Repeat("x", 1<<20) + `"}`,
		"more than one":  failed + failed,
		"a list of them": "[" + failed + "]",
	} {
		if v, err := a.Verdict(t.Context(), "r-1", []byte(statement)); err == nil || v.Signature != nil {
			t.Errorf("%s: expected a refusal", name)
		}
	}
	if _, err := a.Verdict(t.Context(), "", []byte(failed)); err == nil {
		t.Error("no request: expected a refusal")
	}
}

// Each key seals what is of its purpose and nothing else.
func TestKeysSealTheirOwn(t *testing.T) {
	w := newWorld(t)
	var used []gate.Purpose
	w.spy = func(k gate.AuthorityKey) { used = append(used, k.Purpose) }
	a := w.start(t)
	release := w.p256(t, "acme-release", 1)
	steps := []struct {
		what string
		do   func() error
		want []gate.Purpose
	}{
		{"the first certificate", func() error { _, err := a.Certificate(t.Context(), release, identity()); return err },
			[]gate.Purpose{gate.PurposeCA, gate.PurposeCA, gate.PurposeCT, gate.PurposeCA}},
		{"the same again", func() error { _, err := a.Certificate(t.Context(), release, identity()); return err }, nil},
		{"the first time-stamp", func() error { _, err := a.Timestamp(t.Context(), []byte("x")); return err },
			[]gate.Purpose{gate.PurposeCA, gate.PurposeTimestamp}},
		{"the second", func() error { _, err := a.Timestamp(t.Context(), []byte("x")); return err }, []gate.Purpose{gate.PurposeTimestamp}},
		{"a verdict", func() error {
			_, err := a.Verdict(t.Context(), "r", []byte(`{"predicate":{"verificationResult":"FAILED"}}`))
			return err
		}, []gate.Purpose{gate.PurposeVerdict}},
	}
	for _, s := range steps {
		used = nil
		if err := s.do(); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(used, s.want) {
			t.Errorf("%s: expected keys %v, got %v", s.what, s.want, used)
		}
	}
}
