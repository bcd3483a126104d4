package monitor

import (
	"context"
	"errors"
	"fmt"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest"
	"github.com/countersign/countersign/gate/ledger"
)

// finding is whether something accounts for a signature; the zero finding says that it does.
type finding struct {
	why     string // what does not hold, or what is hidden
	hidden  bool   // the server does not show what it is for
	request string
}

// account finds what approved a signature: the intents that were on record before it, and
// the decision that granted them, both in the tree. An error says that it could not be
// looked for.
func (m *Monitor) account(ctx context.Context, t *tree, index int64, r ledger.Record, key attest.Key, purpose gate.Purpose) (finding, error) {
	spki := key.SPKI()
	if purpose != gate.PurposeVerdict && m.recent.has(r.Digest, spki) {
		return finding{}, nil
	}
	e, err := m.shown(ctx, index)
	if err != nil {
		return found("", err)
	}
	if e == nil {
		return found("", hiddenError{index})
	}
	if purpose == gate.PurposeVerdict {
		return found(e.Request, refusal(e.Statement, r.Digest))
	}
	if e.Evidence == nil {
		return finding{request: e.Request, why: "the server names no decision that granted it"}, nil
	}
	if e.Evidence.Intents >= index {
		return finding{request: e.Request, why: fmt.Sprintf("its intents are entry %d, which came after it", e.Evidence.Intents)}, nil
	}
	a, err := m.attempt(ctx, t, e.Evidence.Intents, e.Evidence.Decision)
	if err != nil {
		return found(e.Request, err)
	}
	if !a.has(r.Digest, spki) {
		return finding{request: a.request, why: fmt.Sprintf("the intents of entry %d do not name its digest and key", a.index)}, nil
	}
	m.recent.add(a)
	return finding{}, nil
}

// found makes a finding of an error that says something about the signature, and leaves the
// others as they are.
func found(request string, err error) (finding, error) {
	var hidden hiddenError
	var broken brokenError
	switch {
	case errors.As(err, &hidden):
		return finding{request: request, why: err.Error(), hidden: true}, nil
	case errors.As(err, &broken):
		return finding{request: request, why: err.Error()}, nil
	}
	return finding{}, err
}
