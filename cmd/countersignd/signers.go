package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/countersign/countersign/config"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/hsm"
)

// signers are the signers of all tokens; an order goes to the one that holds its key.
type signers struct {
	all  []*hsm.Signer
	held map[string]*hsm.Signer // by SPKI
}

// startSigners starts the workers of every token. What it started before an error is
// closed again.
func startSigners(ctx context.Context, c config.Config, log *slog.Logger) (*signers, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	s := &signers{held: map[string]*hsm.Signer{}}
	for _, t := range c.HSM {
		signer, err := hsm.Start(ctx, hsm.Config{
			Module: t.Module, TokenLabel: t.Label, PINFile: t.PINFile, Keys: pins(c, t.Label), Workers: t.Workers,
			Command: []string{self, "hsm-worker"}, Log: log, Now: time.Now,
		})
		if err != nil {
			s.Close()
			return nil, err
		}
		s.all = append(s.all, signer)
		for _, v := range signer.Keys() {
			s.held[string(v.SPKI)] = signer
		}
	}
	return s, nil
}

func pins(c config.Config, token string) []hsm.KeyPin {
	var out []hsm.KeyPin
	for _, k := range c.Keys {
		if k.Token == token {
			out = append(out, hsm.KeyPin{Lineage: k.Lineage, Version: k.Version, Label: k.Label, ID: k.ID, Fingerprint: k.Fingerprint})
		}
	}
	return out
}

// Keys are the versions that the tokens hold.
func (s *signers) Keys() []gate.KeyVersion {
	out := []gate.KeyVersion{}
	for _, x := range s.all {
		out = append(out, x.Keys()...)
	}
	return out
}

// Sign hands the orders of one grant, which all name its one key, to that key's token.
func (s *signers) Sign(ctx context.Context, orders []gate.Order) ([]gate.Signature, error) {
	if len(orders) == 0 {
		return nil, nil
	}
	k := orders[0].Key()
	signer, ok := s.held[string(k.SPKI)]
	if !ok {
		return nil, &gate.Error{
			Kind: gate.Unavailable, Code: gate.CodeKeyUnavailable,
			Text: fmt.Sprintf("no token holds key %s version %d", k.Lineage, k.Version), Fix: "the operator looks at the token",
		}
	}
	return signer.Sign(ctx, orders)
}

// Close ends all workers.
func (s *signers) Close() {
	for _, x := range s.all {
		x.Close()
	}
}
