package storetest_test

import (
	"testing"
	"time"

	"github.com/countersign/countersign/gate/store"
	"github.com/countersign/countersign/gate/store/storetest"
)

// A server of somebody else's is used where the environment names one, and left
// without a trace.
func TestServerFromTheEnvironment(t *testing.T) {
	t.Setenv(storetest.DSNVariable, "")
	own := start(t)
	dsn, err := own.Database(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(storetest.DSNVariable, dsn)
	other, err := storetest.StartPostgres(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	made, err := other.Database(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := store.Config{Engine: store.Postgres, DSN: made, Now: time.Now}
	s, err := store.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if err := storetest.CheckInvariants(t.Context(), c, nil); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := other.Stop(); err != nil {
		t.Error(err)
	}
	if s, err := store.Open(t.Context(), c); err == nil {
		t.Errorf("expected that the database is gone, got it: %v", s.Close())
	}
}

func start(t *testing.T) *storetest.Postgres {
	t.Helper()
	p, err := storetest.StartPostgres(t.Context(), storetest.WithoutSync())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	return p
}
