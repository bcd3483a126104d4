package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/store"
	"github.com/countersign/countersign/gate/store/storetest"
)

// A transaction that PostgreSQL rolls back for a deadlock runs again by itself.
func TestDeadlockIsTriedAgain(t *testing.T) {
	w := newWorld(t, store.Postgres)
	first, second := w.opened("a").Request.ID, w.opened("b").Request.ID // locked in this order
	db := w.raw()
	tx, err := db.BeginTx(w.ctx, nil)
	w.must(err)
	lock := func(q string, args ...any) {
		w.Helper()
		_, err := tx.ExecContext(w.ctx, q, args...)
		w.must(err)
	}
	lock(`SET LOCAL deadlock_timeout = '1min'`) // so that the store's transaction is the one to be rolled back
	lock(`SELECT 1 FROM requests WHERE id = $1 FOR UPDATE`, second)

	w.accepted(delivery("1", ""))
	d := w.delivered("1", minute)
	finished := make(chan error)
	go func() { finished <- w.s.FinishDelivery(w.ctx, d, gate.Heard{DueRequests: []string{first, second}}) }()
	for blocked := 0; blocked == 0; { // for longer than a shared transaction waits
		w.must(db.QueryRowContext(w.ctx, `SELECT COUNT(*) FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock'
				AND query_start < clock_timestamp() - interval '300 ms'`).Scan(&blocked))
	}
	lock(`SELECT 1 FROM requests WHERE id = $1 FOR UPDATE`, first)
	w.must(tx.Commit())
	w.must(<-finished)
	w.must(storetest.CheckInvariants(w.ctx, w.config, nil))
}

// Connections that break are made anew, the listener's too.
func TestBrokenConnections(t *testing.T) {
	w := newWorld(t, store.Postgres)
	w.opened("a")
	other := w.open()
	_, err := w.raw().ExecContext(w.ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid()`)
	w.must(err)
	for {
		err := w.s.Ready(w.ctx)
		if err == nil {
			break
		}
		w.refused(gate.CodeStoreUnavailable, err)
	}
	for woken := false; !woken; {
		bell := w.s.Wake()
		if _, _, err := other.OpenRequest(w.ctx, opening(newID())); err != nil {
			w.refused(gate.CodeStoreUnavailable, err)
		}
		select {
		case <-bell:
			woken = true
		case <-time.After(50 * time.Millisecond): // ask again: the listener may not be back yet
		}
	}
	w.must(storetest.CheckInvariants(w.ctx, w.config, nil))
}

// Connections that break under many callers at once: each learns that its unit is stored, or
// that it may not be.
func TestBrokenConnectionsOfAGroup(t *testing.T) {
	w := newWorld(t, store.Postgres)
	rec := w.opened("a")
	breaking, ended := make(chan struct{}), make(chan struct{})
	db := w.raw()
	go func() {
		defer close(ended)
		for {
			select {
			case <-breaking:
				return
			case <-time.After(60 * time.Millisecond):
				_, _ = db.ExecContext(w.ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
					WHERE datname = current_database() AND pid <> pg_backend_pid() AND query NOT LIKE 'LISTEN%'`)
			}
		}
	}()
	const n = 300
	stored := int64(0)
	for i, err := range together(n, func(i int) error {
		return w.s.Hear(w.ctx, gate.Heard{Approvals: []gate.Approval{approval(rec, int64(100+i), gate.VerbStatus)}})
	}) {
		if err == nil {
			stored++
		} else if gate.CodeOf(err) != gate.CodeStoreUnavailable {
			w.Errorf("unit %d: expected %s, got %v", i, gate.CodeStoreUnavailable, err)
		}
	}
	close(breaking)
	<-ended
	got := w.count("SELECT COUNT(*) FROM approvals")
	t.Logf("%d of %d stored, %d callers know it", got, n, stored)
	if got < stored {
		w.Errorf("expected at least the %d statements that were said to be stored, got %d", stored, got)
	}
	w.must(storetest.CheckInvariants(w.ctx, w.config, nil))
}

// A server that forgets commits could forget an intent that the HSM has served.
func TestForgetfulServerIsRefused(t *testing.T) {
	w := newWorld(t, store.Postgres)
	_, err := w.raw().ExecContext(w.ctx, `DO $$ BEGIN
		EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database()); END $$`)
	w.must(err)
	_, err = store.Open(w.ctx, w.config)
	w.refused(gate.CodeStoreUnavailable, err)
	if !strings.Contains(err.Error(), "synchronous_commit") {
		t.Errorf("expected that the error names the setting, got %v", err)
	}
}
