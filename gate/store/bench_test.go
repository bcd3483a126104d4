package store_test

import (
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/store"
)

// BenchmarkClaim claims from queues in which one tenant of a thousand has nine tenths of
// the rows, and gives back what it claimed. Compare how its sizes relate: a claim should
// hardly depend on how much is open.
func BenchmarkClaim(b *testing.B) {
	for _, engine := range []store.Engine{store.SQLite, store.Postgres} {
		for _, open := range []int{1_000, 100_000} {
			b.Run(fmt.Sprintf("%s/open=%d", engine, open), func(b *testing.B) {
				s := flooded(b, engine, open)
				for _, claim := range []struct {
					name  string
					again func(*testing.B, *store.Store) error
				}{{"delivery", deliverAgain}, {"post", postAgain}, {"nothing", claimNothing}} {
					b.Run(claim.name, func(b *testing.B) {
						for b.Loop() {
							if err := claim.again(b, s); err != nil {
								b.Fatal(err)
							}
						}
					})
				}
			})
		}
	}
}

func deliverAgain(b *testing.B, s *store.Store) error {
	d, ok, err := s.ClaimDelivery(b.Context(), "bench", minute)
	if err != nil || !ok {
		return fmt.Errorf("expected a delivery, got %t: %w", ok, err)
	}
	return s.DeferDelivery(b.Context(), d, time.Now().Add(-time.Second), "")
}

func postAgain(b *testing.B, s *store.Store) error {
	p, ok, err := s.ClaimPost(b.Context(), "bench", minute)
	if err != nil || !ok {
		return fmt.Errorf("expected a post, got %t: %w", ok, err)
	}
	return s.DeferPost(b.Context(), p, time.Now().Add(-time.Second), "")
}

// claimNothing asks a queue in which everything waits for its time.
func claimNothing(b *testing.B, s *store.Store) error {
	c, ok, err := s.ClaimChange(b.Context(), "bench", minute)
	if err != nil || ok {
		return fmt.Errorf("expected nothing, got %v: %w", c, err)
	}
	return nil
}

// flooded is a store with so many open rows in each queue, most of them one tenant's.
func flooded(b *testing.B, engine store.Engine, open int) *store.Store {
	b.Helper()
	c := newConfig(b, engine)
	s, err := store.Open(b.Context(), c)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	p := post("", gate.PostStatus, "status")
	p.Repository.ID = 1
	if err := s.Hear(b.Context(), gate.Heard{Posts: []gate.Post{p}}); err != nil {
		b.Fatal(err)
	}
	if _, err := s.Accept(b.Context(), delivery("0", "1#0")); err != nil {
		b.Fatal(err)
	}
	flood(b, c, open)
	return s
}

func flood(b *testing.B, c store.Config, open int) {
	b.Helper()
	driver, dsn := "pgx", c.DSN
	if c.Engine == store.SQLite {
		driver, dsn = "sqlite", rawSQLite(c)
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
	numbers := fmt.Sprintf(`WITH RECURSIVE n (i, r) AS (
		SELECT 1, 1 UNION ALL SELECT i + 1, CASE WHEN i %% 10 = 0 THEN 2 + (i / 10) %% 999 ELSE 1 END FROM n WHERE i < %d)`, open)
	for _, q := range []string{
		`INSERT INTO inbox (forge, delivery_id, event, thread, tenant, body, received_at, due_at) ` + numbers + `
			SELECT forge, 'more ' || CAST(i AS TEXT), event, CAST(r AS TEXT) || '#' || CAST(i AS TEXT), CAST(r AS TEXT), body,
				received_at, due_at FROM inbox CROSS JOIN n`,
		`INSERT INTO posts (id, request_id, forge, repository_id, target, post_key, latest_only, threadless, document, state, due_at, made_at) ` + numbers + `
			SELECT 'more ' || CAST(i AS TEXT), request_id, forge, r, target, CAST(i AS TEXT), latest_only, threadless, document, state,
				due_at, made_at FROM posts CROSS JOIN n`,
		`INSERT INTO policy_changes (forge, repository_id, number, due_at) ` + numbers + `
			SELECT 'github', r, i, 9000000000000000 FROM n`,
		`DELETE FROM turns`,
		`INSERT INTO turns SELECT 'delivery', forge, tenant, COUNT(*), MIN(seq), 0, 1 FROM inbox GROUP BY forge, tenant`,
		`INSERT INTO turns SELECT 'post', forge, CAST(repository_id AS TEXT), COUNT(*), MIN(seq), 0, 1 FROM posts GROUP BY forge, repository_id`,
		`INSERT INTO turns SELECT 'change', forge, CAST(repository_id AS TEXT), COUNT(*), 1, 0, 1 FROM policy_changes GROUP BY forge, repository_id`,
		`ANALYZE`,
	} {
		if _, err := db.ExecContext(b.Context(), q); err != nil {
			b.Fatal(err)
		}
	}
}
