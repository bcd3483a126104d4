package store_test

import (
	"sync/atomic"
	"testing"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/store"
	"github.com/countersign/countersign/gate/store/storetest"
)

// atOnce is how many callers write at the same time.
const atOnce = 64

// BenchmarkLedgerAppend writes statements with their leaves: one caller after another, and
// many at once, whose transactions are committed together.
func BenchmarkLedgerAppend(b *testing.B) {
	for _, engine := range []store.Engine{store.SQLite, store.Postgres} {
		b.Run(string(engine)+"/alone", func(b *testing.B) {
			s, recs := writable(b, engine)
			n := int64(0)
			for b.Loop() {
				n++
				if err := s.Hear(b.Context(), said(recs, n)); err != nil {
					b.Fatal(err)
				}
			}
			perSecond(b)
		})
		b.Run(string(engine)+"/together", func(b *testing.B) {
			s, recs := writable(b, engine)
			var n atomic.Int64
			b.SetParallelism(atOnce / 2)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := s.Hear(b.Context(), said(recs, n.Add(1))); err != nil {
						b.Error(err)
						return
					}
				}
			})
			perSecond(b)
		})
	}
}

func perSecond(b *testing.B) {
	b.Helper()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "units/s")
}

// said is one statement about one of the requests.
func said(recs []gate.Record, n int64) gate.Heard {
	return gate.Heard{Approvals: []gate.Approval{approval(recs[n%int64(len(recs))], n, gate.VerbStatus)}}
}

// writable is a store with a hundred open requests, on a server that syncs what it commits.
func writable(b *testing.B, engine store.Engine) (*store.Store, []gate.Record) {
	b.Helper()
	s, err := store.Open(b.Context(), configOn(b, engine, durable(b, engine)))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	var recs []gate.Record
	for range 100 {
		rec, _, err := s.OpenRequest(b.Context(), opening(newID()))
		if err != nil {
			b.Fatal(err)
		}
		recs = append(recs, rec)
	}
	return s, recs
}

// durable is a PostgreSQL server with fsync on; none where SQLite is asked for.
func durable(b *testing.B, engine store.Engine) *storetest.Postgres {
	b.Helper()
	if engine != store.Postgres {
		return nil
	}
	p, err := storetest.StartPostgres(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := p.Stop(); err != nil {
			b.Error(err)
		}
	})
	return p
}
