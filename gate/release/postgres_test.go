package release_test

import (
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/gatetest"
	"github.com/countersign/countersign/gate/store"
	"github.com/countersign/countersign/gate/store/storetest"
)

// The same life on PostgreSQL, whose own clock counts the leases.
func TestLifeOnPostgres(t *testing.T) {
	server, err := storetest.StartPostgres(t.Context(), storetest.WithoutSync())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	dsn, err := server.Database(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(w *world) {
		w.now = time.Now
		w.config = store.Config{Engine: store.Postgres, DSN: dsn, Now: time.Now}
	})
	rec := w.opened(2)
	w.settle()
	w.tellsWaiting()
	refused := w.says(gatetest.Ana(), "/countersign approve")
	w.settle()
	w.reacted(refused, "confused") // her own change
	w.in(rec.Request.ID, gate.StateWaiting)
	w.says(gatetest.Bo(), "/countersign approve")
	w.settle()
	w.in(rec.Request.ID, gate.StatePublished)
	w.verifies(rec.Request.ID, rec.Request)
}
