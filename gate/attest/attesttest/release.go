// Package attesttest makes signed releases for tests, with keys in memory.
package attesttest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest"
	"github.com/countersign/countersign/gate/canonical"
	"github.com/countersign/countersign/gate/gatetest"
)

// Addresses of a release made here.
const (
	Server     = "https://gate.example"
	Repository = "https://github.example/acme/app"
)

// Release is a signed release.
type Release struct {
	Artifacts map[string]string // contents by subject name
	Manifest  gate.Manifest
	Decision  gate.Decision
	Key       Key
	Statement []byte
	Signed    []gate.SignedIntent
	Files     []attest.File
}

// Key is a P-256 key in memory.
type Key struct {
	Private *ecdsa.PrivateKey
	Version gate.KeyVersion
	Public  attest.Key
}

// NewKey makes a fresh key.
func NewKey(t testing.TB) Key {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatalf("generate key: %v", err)
	}
	spki, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		t.Fatalf("encode key: %v", err)
	}
	public, err := attest.ParseKey(spki)
	if err != nil {
		t.Fatalf("parse key: %v", err)
	}
	version := gate.KeyVersion{Lineage: gatetest.Lineage, Version: 1, SPKI: spki, Software: true}
	return Key{Private: private, Version: version, Public: public}
}

// Sign signs an intent.
func (k Key) Sign(t testing.TB, i gate.Intent) gate.SignedIntent {
	t.Helper()
	sig, err := ecdsa.SignASN1(rand.Reader, k.Private, i.Digest[:])
	if err != nil {
		t.Fatalf("sign %s: %v", i.ID, err)
	}
	return gate.SignedIntent{Intent: i, Signature: gate.Signature{Intent: i.ID, Bytes: sig}}
}

// New releases artifacts (contents by subject name) under [gatetest.GrantedCase].
func New(t testing.TB, artifacts map[string]string, opts ...gatetest.Option) Release {
	t.Helper()
	return NewAt(t, Server, artifacts, opts...)
}

// NewAt is [New] at a gate with the given URL.
func NewAt(t testing.TB, server string, artifacts map[string]string, opts ...gatetest.Option) Release {
	t.Helper()
	k := NewKey(t)
	var subjects []gate.Subject
	for _, name := range slices.Sorted(maps.Keys(artifacts)) {
		subjects = append(subjects, gate.Subject{Name: name, SHA256: gate.SHA256([]byte(artifacts[name]))})
	}
	m, err := canonical.NewManifest(subjects)
	if err != nil {
		t.Fatalf("manifest: %v", err)
	}
	c, at := gatetest.GrantedCase(append([]gatetest.Option{gatetest.For(m), gatetest.With(k.Version)}, opts...)...)
	r := Release{Artifacts: artifacts, Manifest: m, Key: k, Decision: gate.Decide(c, at)}
	r.Statement, err = attest.Statement(attest.Verdict{
		Server: server, Repository: Repository, PolicyCommit: gatetest.Baseline, Decision: r.Decision,
	})
	if err != nil {
		t.Fatalf("statement: %v", err)
	}
	r.sign(t)
	r.Files, err = attest.Files(m, attest.ReleaseName(c.Request.Ref), r.Signed)
	if err != nil {
		t.Fatalf("files: %v", err)
	}
	return r
}

func (r *Release) sign(t testing.TB) {
	t.Helper()
	g, ok := r.Decision.Grant()
	if !ok {
		t.Fatal("the case is not granted")
	}
	intents := append(gatetest.Intents(g), gate.Intent{
		ID: "0197f3a0-0000-7000-9000-999999999999", Request: r.Decision.Request, Attempt: 1,
		Kind: gate.IntentStatement, Name: gate.StatementVSA, Digest: gate.StatementDigest(r.Statement), Payload: r.Statement, Key: g.Key(),
	})
	for _, i := range intents {
		r.Signed = append(r.Signed, r.Key.Sign(t, i))
	}
}

// File is the content of one file of the release.
func (r Release) File(t testing.TB, name string) []byte {
	t.Helper()
	for _, f := range r.Files {
		if f.Name == name {
			return f.Content
		}
	}
	var have []string
	for _, f := range r.Files {
		have = append(have, f.Name)
	}
	t.Fatalf("file %s: expected one of %s", name, fmt.Sprint(have))
	return nil
}
