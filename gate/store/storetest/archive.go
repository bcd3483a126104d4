package storetest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/countersign/countersign/gate/store"
)

// CopyID is the id of the nth copy that Fill makes, n from 1.
func CopyID(n int) string { return fmt.Sprintf("%d-0000-7000-8000-900000000000", 10_000_000+n) }

// Fill copies every row about a request n times, in one transaction, into some nine
// hundred repositories of its forge with its policy: a tenth of the copies into repository
// 1, and of fifty copies one open again. The request is to be published and the only one. What is made is for
// reading: the ledger is not one that verifies.
func Fill(ctx context.Context, c store.Config, request string, n int) (err error) {
	driver, dsn := "pgx", c.DSN
	if c.Engine == store.SQLite {
		path, err := filepath.Abs(c.Path)
		if err != nil {
			return fmt.Errorf("find %s: %w", c.Path, err)
		}
		u := url.URL{Scheme: "file", Path: path, RawQuery: "_pragma=busy_timeout(5000)"}
		driver, dsn = "sqlite", u.String()
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return fmt.Errorf("open the database to fill: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin to fill the database: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // after the commit there is nothing to undo
	for _, q := range append(filled(request, n), counted()...) {
		if _, err := tx.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("fill the database: %s: %w", q, err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("fill the database: %w", err)
	}
	_, err = db.ExecContext(ctx, "ANALYZE")
	return err
}

// filled are the copies' statements, for a request and how many of it.
func filled(request string, n int) []string {
	const repo = "CASE WHEN i % 10 = 0 THEN 1 ELSE i % 1000 END"
	words := strings.NewReplacer(
		"NEW", "CAST(10000000 + i AS TEXT) || '-0000-7000-8000-900000000000'", "OLD", "'"+request+"'",
		"REPO", repo, "OPEN", "i % 50 = 0", "MOVED", `replace(document, forge || ':' || CAST(repository_id AS TEXT) || '"',
			forge || ':' || CAST(`+repo+` AS TEXT) || '"')`,
	)
	var out []string
	for _, q := range copies() {
		before, rest, _ := strings.Cut(words.Replace(q), "SELECT")
		out = append(out, fmt.Sprintf(`%s WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) SELECT%s`,
			before, n, rest))
	}
	return out
}

// copies of every row of the original. Of fifty requests one is still open.
func copies() []string {
	return []string{
		`INSERT INTO requests (id, forge, repository_id, stream, commit_sha, code, ask_hash, attempt, document, state, ended,
				version, decision, signing, due_at, created_at, updated_at, signed_at, released_at, key_lineage)
			SELECT NEW, forge, REPO, stream, commit_sha, CAST(i AS TEXT), CAST(i AS TEXT), 1, replace(MOVED, OLD, NEW),
				CASE WHEN OPEN THEN 'waiting' ELSE state END, CASE WHEN OPEN THEN 0 ELSE 1 END, version, replace(decision, OLD, NEW),
				signing, 0, created_at - (100000 - i) * CAST(60000000 AS BIGINT), updated_at, CASE WHEN OPEN THEN 0 ELSE signed_at - 100000 + i END, CASE WHEN OPEN THEN 0 ELSE released_at - 100000 + i END, key_lineage
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
			SELECT id || NEW, forge, REPO, MOVED, adopted_at FROM adoptions CROSS JOIN n WHERE i < 1000 AND i % 10 <> 0 OR i = 1000`,
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

// counted is what is kept about the rows, counted anew.
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
