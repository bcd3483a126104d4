package main

import (
	"context"
	"log/slog"

	"github.com/countersign/countersign/config"
)

// Signers are the signers of all tokens, as serve starts them.
type Signers = signers

// StartSigners starts the workers of every token.
func StartSigners(ctx context.Context, c config.Config) (*Signers, error) {
	return startSigners(ctx, c, slog.New(slog.DiscardHandler))
}

// RenewAll starts the workers of every token anew, as a changed PIN does.
func (s *signers) RenewAll(ctx context.Context) error {
	for _, t := range s.all {
		if _, err := t.Renew(ctx); err != nil {
			return err
		}
	}
	return nil
}
