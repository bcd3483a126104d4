package store_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
)

// recorded expects the documents of the ledger's leaves.
func (w *world) recorded(kind ledger.Kind, want ...string) {
	w.Helper()
	all, err := w.s.Leaves(w.ctx, 0, 100)
	w.must(err)
	var got []string
	for _, l := range all {
		leaf, err := ledger.Parse(l.Bytes)
		w.must(err)
		if leaf.Kind == kind {
			got = append(got, string(l.Document))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		w.Error(diff)
	}
}

// The ledger says who administers the server, each time that it changes.
func TestAdministratorsAreOnRecord(t *testing.T) {
	onBoth(t, func(w *world) {
		id := func(forge gate.ForgeID, n int64) gate.AccountID { return gate.AccountID{Forge: forge, ID: n} }
		ana, bo, other := id("github", 2), id("github", 10), id("gitlab", 2)
		for _, who := range [][]gate.AccountID{
			{ana, bo}, {bo, ana}, {ana, bo, ana}, {other, bo, ana}, {ana, other, bo}, {}, nil, {ana, bo},
		} {
			w.must(w.s.RecordAdministrators(w.ctx, who))
			w.must(w.open().RecordAdministrators(w.ctx, who))
		}
		w.recorded(ledger.Administrators,
			`{"v":1,"administrators":["github:2","github:10"]}`,
			`{"v":1,"administrators":["github:2","github:10","gitlab:2"]}`,
			`{"v":1,"administrators":[]}`,
			`{"v":1,"administrators":["github:2","github:10"]}`)
	})
}

func TestModeIsOnRecord(t *testing.T) {
	onBoth(t, func(w *world) {
		for _, audit := range []bool{true, true, false, false, true} {
			w.must(w.s.RecordMode(w.ctx, audit))
		}
		w.must(w.s.RecordAdministrators(w.ctx, nil))
		w.must(w.s.RecordMode(w.ctx, true))
		w.recorded(ledger.ServerMode, `{"v":1,"audit":true}`, `{"v":1,"audit":false}`, `{"v":1,"audit":true}`)
	})
}

// Replicas that start at once with one configuration leave one leaf.
func TestReplicasRecordOnce(t *testing.T) {
	onBoth(t, func(w *world) {
		const replicas = 4
		ended := make(chan error)
		for range replicas {
			s := w.open()
			go func() { ended <- s.RecordMode(w.ctx, true) }()
		}
		for range replicas {
			w.must(<-ended)
		}
		w.leaves(ledger.ServerMode)
		if leaf := w.column("SELECT leaf_id FROM leaves"); strings.Join(leaf, " ") != "server" {
			w.Errorf("expected that it is about the server, got %q", leaf)
		}
	})
}
