package keeper

import (
	"context"
	"slices"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
)

// Status is how the ledger stands, for operators.
type Status struct {
	Size      int64           // entries in the database
	Epochs    []gate.Epoch    // the first one first
	Published gate.Checkpoint // the newest of the configured origin; Size 0 where there is none
	Guard     GuardStatus
	Witnesses []WitnessStatus
	// Unfit says why nothing is signed; nil where the ledger is fit.
	Unfit error
}

// GuardStatus is what the guard remembers.
type GuardStatus struct {
	Kept  bool
	Epoch int
	Size  int64 // -1 where its checkpoint is not of the configured log
	Err   error // why it cannot be read
}

// WitnessStatus is one witness's standing.
type WitnessStatus struct {
	Name string
	// Cosigned is when it cosigned the newest published checkpoint, as it says itself; the zero
	// time where it did not.
	Cosigned time.Time
	Says     string // why it did not
}

// Status asks every witness for its cosignature of the newest published checkpoint, and says
// how the ledger stands. It signs nothing.
func (k *Keeper) Status(ctx context.Context) (Status, error) {
	k.askAll(ctx)
	s, err := k.standing(ctx)
	if err != nil {
		return Status{}, err
	}
	out := Status{
		Size: s.size, Epochs: s.epochs, Published: s.latest, Unfit: k.judge(s),
		Guard: GuardStatus{Kept: s.guarded, Err: s.guardErr, Epoch: s.mark.Epoch},
	}
	if s.guarded {
		out.Guard.Size = k.marks(s.mark)
	}
	var known []*ledger.WitnessKey
	for _, w := range k.seats {
		known = append(known, w.witness.Key())
	}
	_, by, _ := ledger.Open(s.latest.Note, k.Key, known...) // where it does not open, Unfit says so
	for _, w := range k.seats {
		ws := WitnessStatus{Name: w.name}
		if i := slices.IndexFunc(by, func(c ledger.Cosignature) bool { return c.Witness == w.name }); i >= 0 {
			ws.Cosigned = by[i].At
		} else if s.published {
			ws.Says = w.words()
		}
		if err := w.objection(); err != nil {
			ws.Says = w.words()
		}
		out.Witnesses = append(out.Witnesses, ws)
	}
	return out, nil
}
