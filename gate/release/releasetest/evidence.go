// Package releasetest gives tests the evidence around signatures: the real authority and
// the real keeper, over keys in memory.
package releasetest

import (
	"context"
	"log/slog"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/gate/authority"
	"github.com/countersign/countersign/gate/keeper"
	"github.com/countersign/countersign/gate/store"
	"github.com/countersign/countersign/hsm/hsmtest"
)

// Evidence is what a gate needs beside its signer.
type Evidence struct {
	Authority *authority.Authority
	Ledger    *keeper.Keeper
	// Keys are the gate's own, in memory.
	Keys *hsmtest.FakeAuthority
}

// NewEvidence opens evidence over a store, for the gate at server. Witnesses may be none.
func NewEvidence(t testing.TB, s *store.Store, server *url.URL, now func() time.Time, witnesses ...keeper.Witness) Evidence {
	t.Helper()
	keys := hsmtest.NewFakeAuthority()
	a, err := authority.New(authority.Config{
		Server: server.String(), Origin: server.Hostname(), Keys: keys.AuthorityKeys(), Sealer: keys,
		Cabinet: s, Annals: s, Now: now,
	})
	if err != nil {
		t.Fatal(err)
	}
	k, err := keeper.New(keeper.Config{
		Shelf: s, Notary: a, Guard: &memory{}, Witnesses: witnesses, Key: a.LogKey(), Now: now,
		Log: slog.New(slog.DiscardHandler), Every: time.Hour, Patience: time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Start(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	// The library that writes time-stamps looks at the real clock: certificates are made before
	// a test turns its own ahead.
	if _, err := a.Timestamp(context.WithoutCancel(t.Context()), []byte("first")); err != nil {
		t.Fatal(err)
	}
	return Evidence{Authority: a, Ledger: k, Keys: keys}
}

// memory is a guard that remembers for as long as the test lasts.
type memory struct {
	mu   sync.Mutex
	mark keeper.Mark
	kept bool
}

func (m *memory) Read() (keeper.Mark, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mark, m.kept, nil
}

func (m *memory) Keep(mark keeper.Mark) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mark, m.kept = mark, true
	return nil
}
