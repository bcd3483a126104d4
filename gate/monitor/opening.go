package monitor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/ledger"
)

// shown reads what the server says of an entry. A nil entry is one that it does not show; an
// entry that does not read is an error with which nothing is accounted for.
func (m *Monitor) shown(ctx context.Context, index int64) (*api.LedgerEntry, error) {
	b, err := m.Source.Entry(ctx, index)
	switch {
	case errors.Is(err, ErrAbsent):
		return nil, nil
	case errors.Is(err, errTooLong):
		return nil, brokenError{err}
	case err != nil:
		return nil, unreachableError{err}
	}
	e, err := ParseShown(b)
	if err != nil {
		return nil, brokenError{err}
	}
	if e.Index != index {
		return nil, brokenError{fmt.Errorf("the server shows entry %d where it was asked for %d", e.Index, index)}
	}
	return &e, nil
}

// brokenError marks what the server says and what cannot be so.
type brokenError struct{ err error }

func (e brokenError) Error() string { return e.err.Error() }
func (e brokenError) Unwrap() error { return e.err }

// ParseShown reads an answer of GET /v1/log/entries/{index}. Members that a later server adds
// are left aside: what counts is held against the tree.
func ParseShown(b []byte) (api.LedgerEntry, error) {
	var e api.LedgerEntry
	if len(b) > maxOpening {
		return e, fmt.Errorf("read a shown entry: expected at most %d bytes, got %d", maxOpening, len(b))
	}
	if err := json.Unmarshal(b, &e); err != nil {
		return e, fmt.Errorf("read a shown entry: %w", err)
	}
	if e.Index < 0 || len(e.Leaf) == 0 {
		return e, errors.New("read a shown entry: expected an index and a leaf")
	}
	return e, nil
}

// opened reads the document of an entry of the tree: what the server shows has to be that
// very leaf, of that kind, and to open its commitment.
func (m *Monitor) opened(ctx context.Context, t *tree, index int64, kind ledger.Kind, into any) (ledger.Leaf, error) {
	if index < 0 || index >= t.head.Size {
		return ledger.Leaf{}, brokenError{fmt.Errorf("the tree has no entry %d", index)}
	}
	e, err := m.shown(ctx, index)
	if err != nil {
		return ledger.Leaf{}, err
	}
	if e == nil || len(e.Salt) == 0 {
		return ledger.Leaf{}, hiddenError{index}
	}
	hashes, err := t.leaves(index, 1)
	if err != nil {
		return ledger.Leaf{}, err
	}
	broken := func(format string, args ...any) error {
		return brokenError{fmt.Errorf("entry %d: %w", index, fmt.Errorf(format, args...))}
	}
	if tlog.RecordHash(e.Leaf) != hashes[0] {
		return ledger.Leaf{}, broken("what the server shows is not the entry in the tree")
	}
	l, err := ledger.Parse(e.Leaf)
	switch {
	case err != nil:
		return l, broken("%w", err)
	case l.Kind != kind:
		return l, broken("expected one of kind %s, got %q", kind, l.Kind)
	case len(e.Salt) != ledger.SaltSize || ledger.Commit(e.Salt, e.Document) != l.Commitment:
		return l, broken("salt and document do not open its commitment")
	}
	if err := json.Unmarshal(e.Document, into); err != nil {
		return l, broken("its document does not read: %w", err)
	}
	return l, nil
}

// hiddenError marks an entry that the server does not show.
type hiddenError struct{ index int64 }

func (e hiddenError) Error() string { return fmt.Sprintf("the server does not show entry %d", e.index) }

// intentsDoc and decisionDoc are the documents of those leaves, as far as they matter here.
type intentsDoc struct {
	V       int           `json:"v"`
	Request string        `json:"request"`
	Intents []gate.Intent `json:"intents"`
}

type decisionDoc struct {
	V        int           `json:"v"`
	Request  string        `json:"request"`
	Decision gate.Decision `json:"decision"`
}

const docVersion = 1
