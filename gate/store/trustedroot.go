package store

import (
	"bytes"
	"context"
	"fmt"

	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/store/internal/db"
)

type trustedRootDoc struct {
	V       int    `json:"v"`
	Version int    `json:"version"`
	Root    []byte `json:"root"` // trusted_root.json
}

// TrustedRoot is the newest trusted_root.json and its version, from 1; false where there is
// none.
func (s *Store) TrustedRoot(ctx context.Context) (doc []byte, version int, ok bool, err error) {
	row, err := s.read().NewestTrustedRoot(ctx)
	if ok, err = found(err); err != nil || !ok {
		return nil, 0, false, fault("read the trusted root", err)
	}
	return row.Document, int(row.Version), true, nil
}

// TrustedRootVersion is one version of it; false where there is none.
func (s *Store) TrustedRootVersion(ctx context.Context, version int) ([]byte, bool, error) {
	doc, err := s.read().TrustedRoot(ctx, most(version))
	ok, err := found(err)
	return doc, ok && err == nil, fault(fmt.Sprintf("read version %d of the trusted root", version), err)
}

// KeepTrustedRoot stores a new version, with a leaf that commits to it, where doc differs
// from the newest one, and returns the version that doc is.
func (s *Store) KeepTrustedRoot(ctx context.Context, doc []byte) (int, error) {
	var version int
	err := s.alone(ctx, "keep the trusted root", func(ctx context.Context, u *unit) error {
		if _, err := u.q.LedgerSizeForUpdate(ctx); err != nil {
			return fmt.Errorf("lock the ledger's head: %w", err)
		}
		newest, err := u.q.NewestTrustedRoot(ctx)
		ok, err := found(err)
		if err != nil {
			return fmt.Errorf("read the newest one: %w", err)
		}
		version = int(newest.Version)
		if ok && bytes.Equal(newest.Document, doc) {
			return nil
		}
		version++
		if err := u.q.InsertTrustedRoot(ctx, db.InsertTrustedRootParams{Version: int32(version), Document: doc, KeptAt: u.at}); err != nil {
			return fmt.Errorf("store version %d: %w", version, err)
		}
		u.news = true
		return u.record(ledger.TrustedRoot, aboutServer, trustedRootDoc{V: docVersion, Version: version, Root: doc})
	})
	return version, err
}
