package authority_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/authority"
)

const (
	server = "https://gate.example.org"
	origin = "log.gate.example.org"
)

// software is a Sealer with keys in memory.
type software struct {
	keys map[string]crypto.Signer // by SPKI
	spy  func(gate.AuthorityKey)
	bend func([]byte) []byte // changes what it signed
}

func (s *software) Seal(_ context.Context, key gate.AuthorityKey, message []byte) ([]byte, error) {
	k, ok := s.keys[string(key.SPKI)]
	if !ok {
		return nil, errors.New("no such key")
	}
	if _, ok := k.(ed25519.PrivateKey); ok {
		return s.sign(k, message, crypto.Hash(0))
	}
	digest := sha256.Sum256(message)
	return s.sign(k, digest[:], crypto.SHA256)
}

func (s *software) SealDigest(_ context.Context, key gate.AuthorityKey, digest gate.Digest) ([]byte, error) {
	k, ok := s.keys[string(key.SPKI)]
	if !ok {
		return nil, errors.New("no such key")
	}
	if s.spy != nil {
		s.spy(key)
	}
	return s.sign(k, digest[:], crypto.SHA256)
}

func (s *software) sign(k crypto.Signer, b []byte, h crypto.Hash) ([]byte, error) {
	sig, err := k.Sign(rand.Reader, b, h)
	if s.bend != nil {
		sig = s.bend(sig)
	}
	return sig, err
}

func (s *software) p256(t *testing.T, lineage string, version int) gate.KeyVersion {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return s.keep(t, k, lineage, version)
}

func (s *software) keep(t *testing.T, k crypto.Signer, lineage string, version int) gate.KeyVersion {
	t.Helper()
	spki, err := x509.MarshalPKIXPublicKey(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	s.keys[string(spki)] = k
	return gate.KeyVersion{Lineage: lineage, Version: version, SPKI: spki}
}

// drawer is a Cabinet in memory.
type drawer struct {
	mu    sync.Mutex
	certs []gate.Certificate
	roots [][]byte
	// before runs once before a certificate is kept, as another replica may.
	before func()
}

func (d *drawer) Certificate(_ context.Context, name string) (gate.Certificate, bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c, ok := d.newest(name)
	return c, ok, nil
}

func (d *drawer) newest(name string) (out gate.Certificate, ok bool) {
	for _, c := range d.certs {
		if c.Name == name {
			out, ok = c, true
		}
	}
	return out, ok
}

func (d *drawer) KeepCertificate(_ context.Context, c gate.Certificate, replaces []byte) (gate.Certificate, error) {
	if f := d.before; f != nil {
		d.before = nil
		f()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if old, _ := d.newest(c.Name); bytes.Equal(old.DER, replaces) {
		d.certs = append(d.certs, c)
	}
	out, _ := d.newest(c.Name)
	return out, nil
}

func (d *drawer) Certificates(context.Context) ([]gate.Certificate, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.certs), nil
}

func (d *drawer) TrustedRoot(context.Context) (doc []byte, version int, ok bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.roots) == 0 {
		return nil, 0, false, nil
	}
	return d.roots[len(d.roots)-1], len(d.roots), true, nil
}

func (d *drawer) KeepTrustedRoot(_ context.Context, doc []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.roots = append(d.roots, doc)
	return len(d.roots), nil
}

type epochs []gate.Epoch

func (e *epochs) Epochs(context.Context) ([]gate.Epoch, error) { return *e, nil }

// world is an authority's surroundings.
type world struct {
	*software
	*drawer

	now    time.Time
	epochs epochs
	config authority.Config
}

// newWorld has one key of each purpose, and today's date: what time-stamps are made with tells
// the real time beside the one it is given.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{software: &software{keys: map[string]crypto.Signer{}}, drawer: &drawer{}, now: time.Now().UTC().Truncate(time.Second)}
	w.config = authority.Config{
		Server: server, Origin: origin, Sealer: w.software, Cabinet: w.drawer, Annals: &w.epochs, Now: func() time.Time { return w.now },
	}
	for _, p := range gate.AuthorityPurposes() {
		w.add(t, p, 1)
	}
	w.epochs = epochs{{Number: 1, Origin: origin, SPKI: w.key(gate.PurposeLog).SPKI, Begun: w.now}}
	return w
}

func (w *world) add(t *testing.T, p gate.Purpose, version int) gate.AuthorityKey {
	t.Helper()
	k := gate.AuthorityKey{Purpose: p, KeyVersion: w.p256(t, string(p), version)}
	w.config.Keys = append(w.config.Keys, k)
	return k
}

// key is the first one of a purpose.
func (w *world) key(p gate.Purpose) gate.AuthorityKey {
	i := slices.IndexFunc(w.config.Keys, func(k gate.AuthorityKey) bool { return k.Purpose == p })
	return w.config.Keys[i]
}

// drop takes a key out of the configuration.
func (w *world) drop(gone gate.AuthorityKey) {
	w.config.Keys = slices.DeleteFunc(slices.Clone(w.config.Keys), func(k gate.AuthorityKey) bool { return bytes.Equal(k.SPKI, gone.SPKI) })
}

// start makes an authority as the configuration is now, as a server does that starts.
func (w *world) start(t *testing.T) *authority.Authority {
	t.Helper()
	a, err := authority.New(w.config)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func identity() gate.Identity {
	return gate.Identity{
		Issuer: server, PolicyURI: "https://github.com/acme/app/blob/main/.countersign.yaml@refs/heads/main",
		Repository: "https://github.com/acme/app", Owner: "https://github.com/acme", RepositoryID: "1296269", OwnerID: "583231",
	}
}
