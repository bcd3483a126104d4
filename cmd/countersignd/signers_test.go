package main_test

import (
	"sync"
	"testing"

	main "github.com/countersign/countersign/cmd/countersignd"
	"github.com/countersign/countersign/config"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/gatetest"
	"github.com/countersign/countersign/hsm"
	"github.com/countersign/countersign/hsm/hsmtest"
)

var _ hsmtest.Sealer = (*main.Signers)(nil)

// sealing are signers with a release key and the gate's own keys, as a configuration pins
// them.
func sealing(t *testing.T) *main.Signers {
	t.Helper()
	token := softhsm(t)
	c := config.Config{HSM: []config.Token{{Module: token.Module, Label: token.TokenLabel, PINFile: token.PINFile}}}
	for _, p := range append([]hsm.KeyPin{token.Pin(t, "acme", 1)}, token.PinAuthority(t)...) {
		purpose := p.Purpose
		if purpose == "" {
			purpose = gate.PurposeRelease
		}
		c.Keys = append(c.Keys, config.Key{
			Purpose: purpose, Lineage: p.Lineage, Version: p.Version, Token: token.TokenLabel, Label: p.Label, ID: p.ID, Fingerprint: p.Fingerprint,
		})
	}
	s, err := main.StartSigners(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestSignersSealWithTheGatesOwnKeys(t *testing.T) {
	s := sealing(t)
	release := s.Keys()
	if len(release) != 1 || release[0].Lineage != "acme" {
		t.Fatalf("release keys %+v", release)
	}
	purposes := gate.AuthorityPurposes()
	for i, k := range s.AuthorityKeys() {
		message := []byte("message")
		sig, err := s.Seal(t.Context(), k, message)
		if err != nil || k.Purpose != purposes[i] || !hsmtest.Sealed(t, k, message, sig) {
			t.Errorf("%s: %v", k.Purpose, err)
		}
		sig, err = s.SealDigest(t.Context(), k, gate.SHA256(message))
		if good := err == nil && hsmtest.Sealed(t, k, message, sig); good != (k.Purpose != gate.PurposeLog) {
			t.Errorf("%s, a digest: %v", k.Purpose, err)
		}
		if _, err := s.Sign(t.Context(), gatetest.Orders(t, gatetest.Grant(t, gatetest.Manifest(1), k.KeyVersion))); gate.CodeOf(err) != gate.CodeOrderRefused {
			t.Errorf("%s for a release: %v", k.Purpose, err)
		}
	}
	as := gate.AuthorityKey{Purpose: gate.PurposeCA, KeyVersion: release[0]}
	if _, err := s.Seal(t.Context(), as, []byte("x")); gate.CodeOf(err) != gate.CodeOrderRefused {
		t.Errorf("a release key as the CA's: %v", err)
	}
	as.SPKI = []byte("another")
	if _, err := s.SealDigest(t.Context(), as, gate.Digest{}); gate.CodeOf(err) != gate.CodeKeyUnavailable {
		t.Errorf("a key that no token holds: %v", err)
	}
}

// A PIN changes while the ledger is published: nobody notices.
func TestSealingGoesOnWhileWorkersAreRenewed(t *testing.T) {
	s := sealing(t)
	log, message := s.AuthorityKeys()[0], []byte("message")
	done := make(chan struct{})
	var callers sync.WaitGroup
	for range 3 {
		callers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if sig, err := s.Seal(t.Context(), log, message); err != nil || !hsmtest.Sealed(t, log, message, sig) {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 3 {
		if err := s.RenewAll(t.Context()); err != nil {
			t.Error(err)
		}
	}
	close(done)
	callers.Wait()
}
