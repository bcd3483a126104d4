package store

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/store/internal/db"
)

// longestSought bounds what is looked for, in bytes: ids and digests are shorter.
const longestSought = 200

// LedgerEntry is one entry of the ledger with what is known of it; CodeLogRange, kind
// NotFound, beyond the last one.
func (s *Store) LedgerEntry(ctx context.Context, index int64) (gate.LedgerEntry, error) {
	if index >= 0 && index < never {
		some, err := s.LedgerEntries(ctx, index+1, 1)
		if err != nil {
			return gate.LedgerEntry{}, err
		}
		if len(some) == 1 && some[0].Index == index {
			return some[0], nil
		}
	}
	size, err := s.LedgerSize(ctx)
	if err != nil {
		return gate.LedgerEntry{}, err
	}
	return gate.LedgerEntry{}, beyond(fmt.Sprintf("entry %d", index), size)
}

// LedgerEntries lists entries before an index, the newest first; 0 starts at the newest.
func (s *Store) LedgerEntries(ctx context.Context, before int64, limit int) ([]gate.LedgerEntry, error) {
	if before <= 0 {
		before = never
	}
	rows, err := s.read().LedgerEntries(ctx, db.LedgerEntriesParams{Before: before, Most: most(limit)})
	if err != nil {
		return nil, fault("list the ledger's entries", err)
	}
	return entriesFrom(rows), nil
}

// FindLedger lists the entries that a text names, the newest first: by index, by the hex
// SHA-256 of what was signed or of the leaf itself, or by the id of a request (with all that
// belongs to it), approval, intent or policy. What names nothing finds nothing.
func (s *Store) FindLedger(ctx context.Context, text string, limit int) ([]gate.LedgerEntry, error) {
	text = strings.TrimPrefix(strings.TrimSpace(text), "sha256:")
	if text == "" || len(text) > longestSought || !storable(text) {
		return nil, nil
	}
	if hash, err := hex.DecodeString(text); err == nil && len(hash) == tlog.HashSize {
		return s.findHash(ctx, gate.Digest(hash), limit)
	}
	if index, err := strconv.ParseInt(text, 10, 64); err == nil {
		return s.findIndex(ctx, index, limit)
	}
	rows, err := s.read().LedgerEntriesAbout(ctx, db.LedgerEntriesAboutParams{ID: text, Most: most(limit)})
	if err != nil {
		return nil, fault("find ledger entries by an id", err)
	}
	some := make([]db.LedgerEntriesRow, len(rows))
	for i, r := range rows {
		some[i] = db.LedgerEntriesRow(r)
	}
	return entriesFrom(some), nil
}

func (s *Store) findIndex(ctx context.Context, index int64, limit int) ([]gate.LedgerEntry, error) {
	e, err := s.LedgerEntry(ctx, index)
	switch {
	case gate.CodeOf(err) == gate.CodeLogRange || err == nil && limit < 1:
		return nil, nil
	case err != nil:
		return nil, err
	}
	return []gate.LedgerEntry{e}, nil
}

// findHash compares whole hashes: keys are the first part of them.
func (s *Store) findHash(ctx context.Context, hash gate.Digest, limit int) ([]gate.LedgerEntry, error) {
	rows, err := s.read().LeavesOfKey(ctx, db.LeavesOfKeyParams{Word: word(hash[:]), Most: most(limit)})
	if err != nil {
		return nil, fault("find ledger entries by a hash", err)
	}
	var out []gate.LedgerEntry
	for _, r := range rows {
		if !isOrSigns(r.Leaf, hash) {
			continue
		}
		e, err := s.LedgerEntry(ctx, r.Idx)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

func isOrSigns(leaf []byte, hash gate.Digest) bool {
	if gate.Digest(tlog.RecordHash(leaf)) == hash {
		return true
	}
	signed := signedDigest(leaf)
	return signed != nil && *signed == hash
}

func entriesFrom(rows []db.LedgerEntriesRow) []gate.LedgerEntry {
	out := make([]gate.LedgerEntry, 0, len(rows))
	for _, r := range rows {
		e := gate.LedgerEntry{
			Index: r.Idx, Kind: r.Kind, ID: r.LeafID, Bytes: r.Leaf, At: fromMicros(r.MadeAt), Request: r.RequestID,
			Salt: r.Salt, Document: r.Document,
		}
		if r.RepositoryID != 0 {
			e.Repository = gate.RepositoryID{Forge: gate.ForgeID(r.Forge), ID: r.RepositoryID}
		}
		out = append(out, e)
	}
	return out
}
