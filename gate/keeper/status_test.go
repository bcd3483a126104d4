package keeper_test

import (
	"errors"
	"testing"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/keeper"
)

func TestStatus(t *testing.T) {
	story(t, func(t *testing.T) {
		w, copied := published(t, 2)
		status := func() keeper.Status {
			t.Helper()
			k, err := keeper.New(w.config())
			if err != nil {
				t.Fatal(err)
			}
			s, err := k.Status(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		w.shelf.add(3, "entry")
		w.witnesses[1].set(func() { w.witnesses[1].err = errors.New("connection refused") })
		before := w.notary.count()
		s := status()
		if s.Size != 23 || s.Published.Size != 20 || len(s.Epochs) != 1 || s.Unfit != nil || !s.Guard.Kept || s.Guard.Size != 20 || s.Guard.Epoch != 1 {
			t.Errorf("got %+v", s)
		}
		if len(s.Witnesses) != 2 || s.Witnesses[0].Cosigned.IsZero() || s.Witnesses[0].Says != "" || s.Witnesses[1].Cosigned.IsZero() {
			t.Errorf("got %+v", s.Witnesses)
		}
		w.shelf.become(copied)
		s = status()
		if !isCode(s.Unfit, gate.CodeLedgerBehind) || s.Size != 10 || s.Witnesses[0].Says == "" {
			t.Errorf("got %+v", s)
		}
		if n := w.notary.count(); n != before {
			t.Errorf("it signed %d heads", n-before)
		}
		w.shelf.become(&shelf{})
		if s = status(); !isCode(s.Unfit, gate.CodeLedgerBehind) || s.Published.Size != 0 {
			t.Errorf("got %+v", s)
		}
	})
}
