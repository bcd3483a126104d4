package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/countersign/countersign/config"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/hsm"
)

// signers are the signers of all tokens; an order goes to the one that holds its key.
type signers struct {
	all  []*tokenSigner
	held map[string]*tokenSigner // by SPKI
}

// tokenSigner is one token's signer. A token whose PIN changed gets a new signer, while
// the old one ends what it was asked for.
type tokenSigner struct {
	label string
	start func(ctx context.Context) (*hsm.Signer, error)

	mu      sync.Mutex // guards current, and its users from being waited for too early
	current *shift
}

// shift is a signer between its start and its end.
type shift struct {
	*hsm.Signer

	users sync.WaitGroup
}

// startSigners starts the workers of every token. What it started before an error is
// closed again.
func startSigners(ctx context.Context, c config.Config, log *slog.Logger) (*signers, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	s := &signers{held: map[string]*tokenSigner{}}
	for _, t := range c.HSM {
		one := &tokenSigner{label: t.Label, start: func(ctx context.Context) (*hsm.Signer, error) {
			return hsm.Start(ctx, hsm.Config{
				Module: t.Module, TokenLabel: t.Label, PINFile: t.PINFile, Keys: pins(c, t.Label), Workers: t.Workers,
				Command: []string{self, "hsm-worker"}, Log: log, Now: time.Now,
			})
		}}
		signer, err := one.start(ctx)
		if err != nil {
			s.Close()
			return nil, err
		}
		one.current = &shift{Signer: signer}
		s.all = append(s.all, one)
		s.hold(one, signer)
	}
	return s, nil
}

// hold notes whose keys a token has: release keys and the gate's own.
func (s *signers) hold(one *tokenSigner, signer *hsm.Signer) {
	for _, v := range signer.Keys() {
		s.held[string(v.SPKI)] = one
	}
	for _, k := range signer.AuthorityKeys() {
		s.held[string(k.SPKI)] = one
	}
}

func pins(c config.Config, token string) []hsm.KeyPin {
	var out []hsm.KeyPin
	for _, k := range c.Keys {
		if k.Token == token {
			out = append(out, hsm.KeyPin{
				Lineage: k.Lineage, Version: k.Version, Purpose: k.Purpose, Label: k.Label, ID: k.ID, Fingerprint: k.Fingerprint,
			})
		}
	}
	return out
}

// take gives the signer of now, to be given back with Done of its users.
func (t *tokenSigner) take() *shift {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.current.users.Add(1)
	return t.current
}

// Renew starts the token's workers anew, with the PIN that its file holds now, and lets
// the old ones end what they hold. Where the new ones do not start, the old ones stay.
func (t *tokenSigner) Renew(ctx context.Context) (bool, error) {
	next, err := t.start(ctx)
	if err != nil {
		return false, err
	}
	t.mu.Lock()
	old := t.current
	t.current = &shift{Signer: next}
	t.mu.Unlock()
	old.users.Wait()
	old.Close()
	return true, nil
}

// Keys are the versions that the tokens hold.
func (s *signers) Keys() []gate.KeyVersion {
	out := []gate.KeyVersion{}
	for _, x := range s.all {
		now := x.take()
		out = slices.Concat(out, now.Keys())
		now.users.Done()
	}
	return out
}

// Sign hands the orders of one grant, which all name its one key, to that key's token.
func (s *signers) Sign(ctx context.Context, orders []gate.Order) ([]gate.Signature, error) {
	if len(orders) == 0 {
		return nil, nil
	}
	signer, err := s.holder(orders[0].Key())
	if err != nil {
		return nil, err
	}
	defer signer.users.Done()
	return signer.Sign(ctx, orders)
}

// AuthorityKeys are the gate's own keys on all tokens.
func (s *signers) AuthorityKeys() []gate.AuthorityKey {
	out := []gate.AuthorityKey{}
	for _, x := range s.all {
		now := x.take()
		out = slices.Concat(out, now.AuthorityKeys())
		now.users.Done()
	}
	return out
}

// Seal signs a message with one of the gate's own keys, as [hsm.Signer.Seal] does.
func (s *signers) Seal(ctx context.Context, key gate.AuthorityKey, message []byte) ([]byte, error) {
	signer, err := s.holder(key.KeyVersion)
	if err != nil {
		return nil, err
	}
	defer signer.users.Done()
	return signer.Seal(ctx, key, message)
}

// SealDigest signs a digest with one of the gate's own keys, as [hsm.Signer.SealDigest] does.
func (s *signers) SealDigest(ctx context.Context, key gate.AuthorityKey, digest gate.Digest) ([]byte, error) {
	signer, err := s.holder(key.KeyVersion)
	if err != nil {
		return nil, err
	}
	defer signer.users.Done()
	return signer.SealDigest(ctx, key, digest)
}

// holder takes the signer that holds a key, to be given back with Done of its users.
func (s *signers) holder(k gate.KeyVersion) (*shift, error) {
	token, ok := s.held[string(k.SPKI)]
	if !ok {
		return nil, &gate.Error{
			Kind: gate.Unavailable, Code: gate.CodeKeyUnavailable,
			Text: fmt.Sprintf("no token holds key %s version %d", k.Lineage, k.Version), Fix: "the operator looks at the token",
		}
	}
	return token.take(), nil
}

// Close ends all workers.
func (s *signers) Close() {
	for _, x := range s.all {
		x.take().users.Done()
		x.current.Close()
	}
}
