package store

import "context"

// LedgerSize is how many leaves the ledger has: the head, which every leaf moved by one.
func (s *Store) LedgerSize(ctx context.Context) (int64, error) {
	n, err := s.read().LedgerSize(ctx)
	if err != nil {
		return 0, fault("read the ledger's head", err)
	}
	return n, nil
}
