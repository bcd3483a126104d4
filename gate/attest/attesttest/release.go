// Package attesttest makes sealed releases for tests, with keys and a log in memory.
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

// New is [Sealed] at a gate of its own kind, for who wants no more than the release.
func New(t testing.TB, artifacts map[string]string, opts ...gatetest.Option) Release {
	t.Helper()
	return NewAt(t, Server, artifacts, opts...)
}

// NewAt is [New] at a gate with the given URL.
func NewAt(t testing.TB, server string, artifacts map[string]string, opts ...gatetest.Option) Release {
	t.Helper()
	return Sealed(t, artifacts, Options{Server: server}, opts...).Release
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
