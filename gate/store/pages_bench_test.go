package store_test

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/store"
)

// archived is how many requests the bench of pages stores.
const archived = 100_000

// BenchmarkPages reads what pages read, from a store with a hundred thousand requests of a
// thousand repositories, a tenth of them of one. It reports the median in milliseconds.
func BenchmarkPages(b *testing.B) {
	for _, engine := range []store.Engine{store.SQLite, store.Postgres} {
		b.Run(string(engine), func(b *testing.B) {
			a := newArchive(b, engine)
			for _, read := range a.reads() {
				b.Run(read.name, func(b *testing.B) {
					var took []time.Duration
					for b.Loop() {
						began := time.Now()
						n, err := read.do(b)
						took = append(took, time.Since(began))
						if err != nil || n < read.least {
							b.Fatalf("expected at least %d, got %d, %v", read.least, n, err)
						}
					}
					slices.Sort(took)
					b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
				})
			}
		})
	}
}

type archive struct {
	s    *store.Store
	busy gate.RepositoryID // which asked for a tenth of all
}

type pageRead struct {
	name  string
	least int // rows
	do    func(b *testing.B) (int, error)
}

func (a *archive) reads() []pageRead {
	middle := archivedID(archived / 2)
	list := func(name string, least int, q gate.ListQuery) pageRead {
		return pageRead{"list " + name, least, func(b *testing.B) (int, error) {
			recs, err := a.s.List(b.Context(), q)
			return len(recs), err
		}}
	}
	other := gate.RepositoryID{Forge: a.busy.Forge, ID: 7}
	return append([]pageRead{
		list("all", 50, gate.ListQuery{Limit: 50}),
		list("deep", 50, gate.ListQuery{Limit: 50, Before: middle}),
		list("open", 50, gate.ListQuery{Limit: 50, Open: true}),
		list("open deep", 50, gate.ListQuery{Limit: 50, Open: true, Before: middle}),
		list("open of one", 50, gate.ListQuery{Limit: 50, Open: true, Repository: a.busy}),
		list("of one", 50, gate.ListQuery{Limit: 50, Repository: other, Before: middle}),
		list("of the busy one", 50, gate.ListQuery{Limit: 50, Repository: a.busy, Before: middle}),
		list("of a key", 50, gate.ListQuery{Limit: 50, Key: "acme-release", Before: middle}),
		list("of a key and one", 40, gate.ListQuery{Limit: 50, Key: "acme-release", Repository: other}),
		list("of another key", 0, gate.ListQuery{Limit: 50, Key: "other"}),
	}, a.others()...)
}

func (a *archive) others() []pageRead {
	return []pageRead{
		{"request", 1, func(b *testing.B) (int, error) {
			_, err := a.s.Request(b.Context(), archivedID(7))
			return 1, err
		}},
		{"history", 8, func(b *testing.B) (int, error) {
			all, err := a.s.History(b.Context(), archivedID(archived/2+1))
			return len(all), err
		}},
		{"enrolled", 100, func(b *testing.B) (int, error) {
			all, err := a.s.Enrolled(b.Context(), 100)
			return len(all), err
		}},
		{"adoptions", 1, func(b *testing.B) (int, error) {
			all, err := a.s.Adoptions(b.Context(), a.busy)
			return len(all), err
		}},
		{"key uses", 1, func(b *testing.B) (int, error) {
			all, err := a.s.KeyUses(b.Context())
			return len(all), err
		}},
		{"queues", 4, func(b *testing.B) (int, error) {
			all, err := a.s.Queues(b.Context())
			return len(all), err
		}},
		{"deliveries", 50, func(b *testing.B) (int, error) {
			all, err := a.s.Deliveries(b.Context(), archived/2, false, 50)
			return len(all), err
		}},
		{"deliveries open", 50, func(b *testing.B) (int, error) {
			all, err := a.s.Deliveries(b.Context(), 0, true, 50)
			return len(all), err
		}},
		{"given up", 50, func(b *testing.B) (int, error) {
			all, err := a.s.GivenUp(b.Context(), 50)
			return len(all), err
		}},
		{"signing micros", 100, func(b *testing.B) (int, error) {
			all, err := a.s.SigningMicros(b.Context(), 100)
			return len(all), err
		}},
		{"session", 1, func(b *testing.B) (int, error) {
			_, ok, err := a.s.Sessions().FindCtx(b.Context(), "token")
			return len(fmt.Sprint(ok)) - 3, err // "true"
		}},
	}
}

// archivedID is the id of the nth request that is stored.
func archivedID(n int) string { return fmt.Sprintf("%d-7000-8000-900000000000", 10_000_000+n) }

// newArchive tells one release as it is, and copies its rows.
func newArchive(b *testing.B, engine store.Engine) *archive {
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
	id := original(b, s)
	driver, dsn := "pgx", c.DSN
	if engine == store.SQLite {
		driver, dsn = "sqlite", rawSQLite(c)
	}
	raw, err := sql.Open(driver, dsn)
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := raw.Close(); err != nil {
			b.Error(err)
		}
	}()
	copyOriginal(b, raw, id)
	return &archive{s: s, busy: gate.RepositoryID{Forge: repository().Forge, ID: 1}}
}

// original is a release that is published, a post that was given up, and a session.
func original(b *testing.B, s *store.Store) (id string) {
	b.Helper()
	ctx := b.Context()
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	must(s.Adopt(ctx, adoption("version: 1\n"+strings.Repeat("# what a policy says at some length\n", 50))))
	o := opening("artifact", person(1, "ana"), person(2, "bo"))
	for n := range 9 {
		name := fmt.Sprintf("acme_%d_linux_amd64.tar.gz", n)
		o.Request.Manifest.Subjects = append(o.Request.Manifest.Subjects, gate.Subject{Name: name, SHA256: gate.SHA256([]byte(name))})
	}
	rec, _, err := s.OpenRequest(ctx, o)
	must(err)
	waiting := judgement(rec, gate.StateWaiting)
	for n := range 12 {
		waiting.Decision.Checks = append(waiting.Decision.Checks, gate.Check{
			Outcome: gate.Waiting, Reason: fmt.Sprintf("check %d waits for somebody to do something", n), Fix: "have it done by somebody",
		})
		waiting.Decision.Coverage = append(waiting.Decision.Coverage, gate.Coverage{Number: int64(n), Called: fmt.Sprint("#", n), Title: "Change something"})
	}
	rec, err = s.RecordDecision(ctx, waiting)
	must(err)
	must(s.Hear(ctx, gate.Heard{Approvals: []gate.Approval{approval(rec, 5, gate.VerbApprove), approval(rec, 6, gate.VerbHold)}}))
	rec, err = s.Request(ctx, rec.Request.ID)
	must(err)
	granted := judgement(rec, gate.StateGranted)
	granted.Decision.Checks = waiting.Decision.Checks
	rec, err = s.RecordDecision(ctx, granted)
	must(err)
	is := intents(rec)
	rec, err = s.BeginSigning(ctx, rec, is, "worker", minute)
	must(err)
	_, err = s.CompleteSigning(ctx, rec, signatures(is), nil)
	must(err)
	p := check("", gate.PostSuccess)
	must(s.Hear(ctx, gate.Heard{Posts: []gate.Post{p}}))
	_, err = s.Accept(ctx, delivery("0", "1#0"))
	must(err)
	must(s.Sessions().CommitCtx(ctx, "token", []byte("session"), time.Now().Add(time.Hour)))
	return rec.Request.ID
}

// copyOriginal copies every row of the release: of fifty requests one is still open.
func copyOriginal(b *testing.B, raw *sql.DB, id string) {
	b.Helper()
	began := time.Now()
	tx, err := raw.BeginTx(b.Context(), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }() // after the commit there is nothing to undo
	numbers := fmt.Sprintf(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) `, archived)
	for _, q := range copies() {
		q = strings.NewReplacer(
			"NEW", "CAST(10000000 + i AS TEXT) || '-7000-8000-900000000000'", "OLD", "'"+id+"'",
			"REPO", "CASE WHEN i % 10 = 0 THEN 1 ELSE i % 1000 END", "OPEN", "i % 50 = 0",
		).Replace(q)
		before, rest, _ := strings.Cut(q, "SELECT")
		if _, err := tx.ExecContext(b.Context(), before+numbers+"SELECT"+rest); err != nil {
			b.Fatalf("%s: %v", q, err)
		}
	}
	for _, q := range counted() {
		if _, err := tx.ExecContext(b.Context(), q); err != nil {
			b.Fatalf("%s: %v", q, err)
		}
	}
	if err := tx.Commit(); err != nil {
		b.Fatal(err)
	}
	if _, err := raw.ExecContext(b.Context(), "ANALYZE"); err != nil {
		b.Fatal(err)
	}
	b.Logf("stored %d requests in %s", archived, time.Since(began).Round(time.Second))
}

func copies() []string {
	return []string{
		`INSERT INTO requests (id, forge, repository_id, stream, commit_sha, code, ask_hash, attempt, document, state, ended,
				version, decision, signing, due_at, created_at, updated_at, signed_at, key_lineage)
			SELECT NEW, forge, REPO, stream, commit_sha, CAST(i AS TEXT), CAST(i AS TEXT), 1, replace(document, OLD, NEW),
				CASE WHEN OPEN THEN 'waiting' ELSE state END, CASE WHEN OPEN THEN 0 ELSE 1 END, version, replace(decision, OLD, NEW),
				signing, 0, created_at - (100000 - i) * CAST(60000000 AS BIGINT), updated_at, CASE WHEN OPEN THEN 0 ELSE signed_at - 100000 + i END, key_lineage
			FROM requests CROSS JOIN n WHERE id = OLD`,
		`INSERT INTO actors (request_id, position, forge, account_id, login, human)
			SELECT NEW, position, forge, account_id, login, human FROM actors CROSS JOIN n WHERE request_id = OLD`,
		`INSERT INTO decisions (request_id, version, outcome, state, why, document, made_at)
			SELECT NEW, version, outcome, state, why, '{}', made_at FROM decisions CROSS JOIN n WHERE request_id = OLD`,
		`INSERT INTO approvals (id, request_id, verb, source, comment, document, heard_at)
			SELECT id || NEW, NEW, verb, source, comment || NEW, replace(document, OLD, NEW), heard_at
			FROM approvals CROSS JOIN n WHERE request_id = OLD`,
		`INSERT INTO intents (id, request_id, attempt, position, digest, key_lineage, key_version, document, state, owner,
				lease_until, made_at, ended_at)
			SELECT id || NEW, NEW, attempt, position, digest, key_lineage, key_version, '{}', state, owner, lease_until, made_at, ended_at
			FROM intents CROSS JOIN n WHERE request_id = OLD`,
		`INSERT INTO leaves (idx, kind, leaf_id, leaf, made_at)
			SELECT i * 100 + idx, kind, CASE WHEN leaf_id = OLD THEN NEW ELSE leaf_id || NEW END, leaf, made_at FROM leaves CROSS JOIN n`,
		`INSERT INTO adoptions (id, forge, repository_id, document, adopted_at)
			SELECT id || NEW, forge, i, document, adopted_at FROM adoptions CROSS JOIN n WHERE i < 1000`,
		`INSERT INTO inbox (forge, delivery_id, event, thread, tenant, body, received_at, due_at, done_at)
			SELECT forge, NEW, event, CAST(REPO AS TEXT) || '#1', CAST(REPO AS TEXT), body, received_at, due_at, CASE WHEN OPEN THEN 0 ELSE 1 END
			FROM inbox CROSS JOIN n`,
		`INSERT INTO posts (id, request_id, forge, repository_id, target, post_key, latest_only, threadless, document, state,
				due_at, made_at, ended_at)
			SELECT NEW, NEW, forge, REPO, target, NEW, latest_only, threadless, document,
				CASE WHEN OPEN THEN 'open' WHEN i % 50 = 1 THEN 'given up' ELSE 'done' END, due_at, made_at, i
			FROM posts CROSS JOIN n`,
		`INSERT INTO policy_changes (forge, repository_id, number, due_at, since) SELECT 'github', REPO, i, i, i FROM n WHERE OPEN`,
	}
}

func counted() []string {
	return []string{
		`DELETE FROM repositories`, `DELETE FROM turns`,
		`INSERT INTO repositories (forge, repository_id, adoption, undecided, signed, asked_at)
			SELECT forge, repository_id, COALESCE((SELECT MAX(seq) FROM adoptions AS a
					WHERE a.forge = r.forge AND a.repository_id = r.repository_id), 0),
				SUM(1 - ended), SUM(ended), MAX(created_at) FROM requests AS r GROUP BY forge, repository_id`,
		`INSERT INTO turns SELECT 'delivery', forge, tenant, COUNT(*), MIN(seq), 0, 1 FROM inbox WHERE done_at = 0 GROUP BY forge, tenant`,
		`INSERT INTO turns SELECT 'post', forge, CAST(repository_id AS TEXT), COUNT(*), MIN(seq), 0, 1 FROM posts WHERE state = 'open' GROUP BY forge, repository_id`,
		`INSERT INTO turns SELECT 'change', forge, CAST(repository_id AS TEXT), COUNT(*), 1, 0, 1 FROM policy_changes GROUP BY forge, repository_id`,
	}
}
