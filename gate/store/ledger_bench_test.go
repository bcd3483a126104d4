package store_test

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/store"
	"github.com/countersign/countersign/gate/store/storetest"
)

// BenchmarkLedger shows how what is done with a ledger grows with it: proofs and searches
// with the logarithm of its size, appends not at all, and only looking at all of it with all
// of it. Compare the rows of one run.
func BenchmarkLedger(b *testing.B) {
	for _, of := range []struct {
		engine  store.Engine
		entries int64
	}{{store.SQLite, 10_000}, {store.SQLite, 100_000}, {store.SQLite, 1_000_000}, {store.Postgres, 10_000}, {store.Postgres, 100_000}} {
		b.Run(fmt.Sprintf("%s/%d", of.engine, of.entries), func(b *testing.B) {
			s, recs := tall(b, of.engine, of.entries)
			b.Run("inclusion", func(b *testing.B) { benchProof(b, s, of.entries, (*ledger.Reader).Inclusion) })
			b.Run("consistency", func(b *testing.B) { benchProof(b, s, of.entries, (*ledger.Reader).Consistency) })
			b.Run("search", func(b *testing.B) { benchSearch(b, s, of.entries) })
			b.Run("page", func(b *testing.B) { benchPage(b, s, of.entries) })
			b.Run("reverify", func(b *testing.B) { benchReverify(b, s, of.entries) })
			b.Run("append", func(b *testing.B) { benchAppend(b, s, recs) })
			b.Run("append-together", func(b *testing.B) { benchTogether(b, recs, s) })
		})
	}
}

// BenchmarkLedgerReplicas has the callers of three replicas write into one database.
func BenchmarkLedgerReplicas(b *testing.B) {
	c := configOn(b, store.Postgres, durable(b, store.Postgres))
	var replicas []*store.Store
	for range 3 {
		replicas = append(replicas, opened(b, c))
	}
	recs := askedFor(b, replicas[0], 150)
	for n := 1; n <= len(replicas); n++ {
		b.Run(fmt.Sprint(n), func(b *testing.B) { benchTogether(b, recs, replicas[:n]...) })
	}
}

// benchProof makes proofs about random places, each with tiles read anew.
func benchProof(b *testing.B, s *store.Store, size int64, prove func(r *ledger.Reader, size, at int64) ([]tlog.Hash, error)) {
	hashes := 0
	for b.Loop() {
		proof, err := prove(s.Hashes(b.Context(), size), size, 1+rand.Int64N(size-1))
		if err != nil {
			b.Fatal(err)
		}
		hashes += len(proof)
	}
	b.ReportMetric(float64(hashes)/float64(b.N), "hashes/op")
}

func benchSearch(b *testing.B, s *store.Store, size int64) {
	for b.Loop() {
		hash := tlog.RecordHash([]byte(entryAt(rand.Int64N(size))))
		found, err := s.FindLedger(b.Context(), gate.Digest(hash).String(), 10)
		if err != nil || len(found) != 1 {
			b.Fatalf("expected one entry, got %d, %v", len(found), err)
		}
	}
}

func benchPage(b *testing.B, s *store.Store, size int64) {
	for b.Loop() {
		page, err := s.LedgerEntries(b.Context(), 51+rand.Int64N(size-51), 50)
		if err != nil || len(page) != 50 {
			b.Fatalf("expected 50 entries, got %d, %v", len(page), err)
		}
	}
}

// benchReverify reads every entry from its tile, and holds the root of all against that of
// the hash tiles.
func benchReverify(b *testing.B, s *store.Store, size int64) {
	for b.Loop() {
		hashes := make([]tlog.Hash, 0, size)
		for n := int64(0); n<<ledger.TileHeight < size; n++ {
			width := int(min(ledger.TileWidth, size-n<<ledger.TileHeight))
			tile, err := s.Tile(b.Context(), ledger.Tile{Level: ledger.EntriesLevel, Index: n, Width: width})
			if err != nil {
				b.Fatal(err)
			}
			entries, err := ledger.ParseEntries(tile, width)
			if err != nil {
				b.Fatal(err)
			}
			for _, e := range entries {
				hashes = append(hashes, tlog.RecordHash(e))
			}
		}
		root, err := s.Hashes(b.Context(), size).Root(size)
		if err != nil || root != rootOf(hashes) {
			b.Fatalf("expected the root of all entries, got %s, %v", root, err)
		}
	}
	b.ReportMetric(float64(b.N)*float64(size)/b.Elapsed().Seconds(), "entries/s")
}

// rootOf is RFC 6962, 2.1, by its definition.
func rootOf(hashes []tlog.Hash) tlog.Hash {
	if len(hashes) == 1 {
		return hashes[0]
	}
	k := 1
	for 2*k < len(hashes) {
		k *= 2
	}
	return tlog.NodeHash(rootOf(hashes[:k]), rootOf(hashes[k:]))
}

// benchAppend writes statements with their leaves, one after another.
func benchAppend(b *testing.B, s *store.Store, recs []gate.Record) {
	for b.Loop() {
		if err := s.Hear(b.Context(), statement(recs)); err != nil {
			b.Fatal(err)
		}
	}
	perSecond(b)
}

// benchTogether has 64 callers write at once: what comes meanwhile is committed together.
func benchTogether(b *testing.B, recs []gate.Record, replicas ...*store.Store) {
	const callers = 64
	var left atomic.Int64
	left.Store(int64(b.N))
	errs := together(callers, func(i int) error {
		for left.Add(-1) >= 0 {
			// Each replica has requests of its own: whoever leased one works on it.
			n := len(recs) / len(replicas)
			mine := i % len(replicas)
			if err := replicas[mine].Hear(b.Context(), statement(recs[mine*n:(mine+1)*n])); err != nil {
				return err
			}
		}
		return nil
	})
	for _, err := range errs {
		if err != nil {
			b.Fatal(err)
		}
	}
	perSecond(b)
}

func perSecond(b *testing.B) {
	b.Helper()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "units/s")
}

// statement is one about one of the requests.
func statement(recs []gate.Record) gate.Heard {
	return gate.Heard{Approvals: []gate.Approval{approval(recs[rand.IntN(len(recs))], rand.Int64(), gate.VerbStatus)}}
}

// tall is a store whose ledger has so many entries, and some open requests, on a server that
// syncs what it commits.
func tall(b *testing.B, engine store.Engine, entries int64) (*store.Store, []gate.Record) {
	b.Helper()
	c := configOn(b, engine, durable(b, engine))
	s, err := store.Open(b.Context(), c)
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	fillLedger(b, c, entries)
	s = opened(b, c) // which completes the tree
	return s, askedFor(b, s, 100)
}

func opened(b *testing.B, c store.Config) *store.Store {
	b.Helper()
	s, err := store.Open(b.Context(), c)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return s
}

// askedFor are so many open requests.
func askedFor(b *testing.B, s *store.Store, n int) (recs []gate.Record) {
	b.Helper()
	for range n {
		rec, _, err := s.OpenRequest(b.Context(), opening(newID()))
		if err != nil {
			b.Fatal(err)
		}
		recs = append(recs, rec)
	}
	return recs
}

// entryAt is the nth leaf that fillLedger writes.
func entryAt(n int64) string {
	return fmt.Sprintf(`{"commitment":"%064x","id":"%d-0000-7000-8000-900000000000","kind":"decision","v":1}`, n, n)
}

func fillLedger(b *testing.B, c store.Config, entries int64) {
	b.Helper()
	driver, dsn, number := "pgx", c.DSN, "lpad(to_hex(i), 64, '0')"
	if c.Engine == store.SQLite {
		driver, dsn, number = "sqlite", rawSQLite(c), "printf('%064x', i)"
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	}()
	leaf := `'{"commitment":"' || ` + number + ` || '","id":"' || CAST(i AS TEXT) || '-0000-7000-8000-900000000000","kind":"decision","v":1}'`
	bytes := "CAST(" + leaf + " AS BLOB)"
	if c.Engine == store.Postgres {
		bytes = "convert_to(" + leaf + ", 'UTF8')"
	}
	for _, q := range []string{
		fmt.Sprintf(`INSERT INTO leaves (idx, kind, leaf_id, leaf, made_at)
			WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
			SELECT i, 'decision', CAST(i AS TEXT) || '-0000-7000-8000-900000000000', %s, 1 FROM n`, entries-1, bytes),
		fmt.Sprintf(`UPDATE ledger_head SET size = %d`, entries),
		`ANALYZE`,
	} {
		if _, err := db.ExecContext(b.Context(), q); err != nil {
			b.Fatal(err)
		}
	}
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
