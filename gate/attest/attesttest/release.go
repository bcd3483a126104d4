// Package attesttest makes signed and sealed releases for tests, with keys in memory.
package attesttest

import (
	"fmt"
	"testing"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest"
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
	Statement []byte // the verification summary
	Signed    []gate.SignedIntent
	Files     []attest.File
}

// New releases artifacts (contents by subject name) under [gatetest.GrantedCase]. Its files
// are without proof of anything but the signatures: see [Sealed] for the others.
func New(t testing.TB, artifacts map[string]string, opts ...gatetest.Option) Release {
	t.Helper()
	return NewAt(t, Server, artifacts, opts...)
}

// NewAt is [New] at a gate with the given URL.
func NewAt(t testing.TB, server string, artifacts map[string]string, opts ...gatetest.Option) Release {
	t.Helper()
	g, err := NewGate(Options{Server: server})
	if err != nil {
		t.Fatal(err)
	}
	r, err := g.signed(artifacts, opts...)
	if err != nil {
		t.Fatal(err)
	}
	r.Files, err = attest.Unsealed(r.Manifest, attest.ReleaseName(gatetest.Ref), r.Signed)
	if err != nil {
		t.Fatalf("files: %v", err)
	}
	return r
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
