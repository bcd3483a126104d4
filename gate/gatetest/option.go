package gatetest

import (
	"time"

	"github.com/countersign/countersign/gate"
)

// Option changes the release that a case is about.
type Option func(*release)

// release is what a case is built from.
type release struct {
	at       time.Time
	age      time.Duration
	manifest gate.Manifest
	key      gate.KeyVersion
	edits    []func(*gate.Case)
}

// At is when the decision is made; now where it is not given.
func At(at time.Time) Option { return func(r *release) { r.at = at.UTC() } }

// Age is how old the evidence is at the decision; one second where it is not given. A
// grant ends [gate.GrantLifetime] after its evidence was read.
func Age(d time.Duration) Option { return func(r *release) { r.age = d } }

// For is the manifest to release.
func For(m gate.Manifest) Option { return func(r *release) { r.manifest = m } }

// With is the key to sign with.
func With(k gate.KeyVersion) Option { return func(r *release) { r.key = k } }

// Edit changes the finished case: what a test is about.
func Edit(f func(*gate.Case)) Option {
	return func(r *release) { r.edits = append(r.edits, f) }
}
