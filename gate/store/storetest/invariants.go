package storetest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"

	_ "github.com/jackc/pgx/v5/stdlib" // driver pgx
	_ "modernc.org/sqlite"             // driver sqlite

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/store"
)

// Use is one operation of an HSM, as its own record has it.
type Use struct {
	Intent string
	Digest gate.Digest
}

// CheckInvariants reads the whole database in one snapshot, beside whoever uses it,
// and reports everything that must never be: HSM uses without a durable intent,
// signatures without intents or leaves, a ledger with gaps or with leaves that do
// not commit to their documents, states that their rows contradict. uses is the
// HSM's own record up to some moment before the call; nil where there is none.
func CheckInvariants(ctx context.Context, c store.Config, uses []Use) error {
	tx, closing, err := snapshot(ctx, c)
	if err != nil {
		return fmt.Errorf("read the database to check: %w", err)
	}
	return errors.Join(checkRules(ctx, tx), checkLeaves(ctx, tx), checkTree(ctx, tx), checkEvidence(ctx, tx), checkUses(ctx, tx, uses), closing())
}

func snapshot(ctx context.Context, c store.Config) (*sql.Tx, func() error, error) {
	driver, dsn, opts := "pgx", c.DSN, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
	if c.Engine == store.SQLite {
		path, err := filepath.Abs(c.Path)
		if err != nil {
			return nil, nil, err
		}
		u := url.URL{Scheme: "file", Path: path, RawQuery: "mode=ro&_pragma=busy_timeout(5000)&_pragma=query_only(1)"}
		driver, dsn, opts = "sqlite", u.String(), nil
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return nil, nil, err
	}
	tx, err := db.BeginTx(ctx, opts)
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return tx, func() error { return errors.Join(tx.Rollback(), db.Close()) }, nil
}

// rule is a query for what breaks it: one text column, no rows where it holds.
type rule struct{ name, broken string }

func rules() []rule {
	return []rule{
		{"the ledger is dense from 0 to its head", `
			SELECT CAST(size AS TEXT) FROM ledger_head
			WHERE size <> (SELECT COUNT(*) FROM leaves) OR size <> (SELECT COALESCE(MAX(idx), -1) + 1 FROM leaves)`},
		{"the ledger has one head", `SELECT 'none' WHERE (SELECT COUNT(*) FROM ledger_head) <> 1`},
		{"every leaf has its document", `
			SELECT CAST(idx AS TEXT) FROM leaves AS l WHERE NOT EXISTS (SELECT 1 FROM documents AS d WHERE d.idx = l.idx)`},
		{"every request has one opening leaf", leafCount("requests", "id", "request-opened", "1")},
		{"every request has actors", `
			SELECT id FROM requests AS r WHERE NOT EXISTS (SELECT 1 FROM actors AS a WHERE a.request_id = r.id)`},
		{"every request was asked for with an ID token", `
			SELECT id FROM requests AS r WHERE NOT EXISTS (SELECT 1 FROM token_uses AS t WHERE t.request_id = r.id)`},
		{"every decision has its leaf", leafCount("requests", "id", "decision",
			"(SELECT COUNT(*) FROM decisions AS d WHERE d.request_id = x.id)")},
		{"a request's decision is its latest", `
			SELECT id FROM requests AS r WHERE decision <> COALESCE((SELECT document FROM decisions AS d
				WHERE d.request_id = r.id ORDER BY version DESC LIMIT 1), '')`},
		{"every statement has one leaf, which says what it is", `
			SELECT a.id FROM approvals AS a WHERE 1 <> (SELECT COUNT(*) FROM leaves AS l WHERE l.leaf_id = a.id
				AND l.kind = CASE a.verb WHEN 'hold' THEN 'hold' WHEN 'unhold' THEN 'unhold'
					WHEN 'withdraw' THEN 'withdrawal' ELSE 'approval' END)`},
		{"every adoption has one leaf", leafCount("adoptions", "id", "policy-adopted", "1")},
	}
}

// signingRules are those of what comes after a grant.
func signingRules() []rule {
	return []rule{
		{"every signing attempt has its leaf of intents", leafCount("requests", "id", "intents", "x.signing")},
		{"every signing attempt has intents, and only those", `
			SELECT id FROM requests AS r
			WHERE signing <> (SELECT COUNT(DISTINCT attempt) FROM intents AS i WHERE i.request_id = r.id)
			   OR signing <> (SELECT COALESCE(MAX(attempt), 0) FROM intents AS i WHERE i.request_id = r.id)`},
		{"intents are open only in the attempt under way", `
			SELECT i.id FROM intents AS i JOIN requests AS r ON r.id = i.request_id
			WHERE i.state = 'open' AND NOT (r.state = 'signing' AND i.attempt = r.signing)`},
		{"the attempt under way has only open intents, or only done ones while it is sealed", `
			SELECT i.id FROM intents AS i JOIN requests AS r ON r.id = i.request_id
			WHERE i.state <> CASE WHEN r.released_at > 0 THEN 'done' ELSE 'open' END
				AND r.state = 'signing' AND i.attempt = r.signing`},
		{"a signed release has every signature of its last attempt", `
			SELECT i.id FROM intents AS i JOIN requests AS r ON r.id = i.request_id
			WHERE r.state IN ('signed', 'published') AND i.attempt = r.signing AND i.state <> 'done'`},
		{"a signed release has signatures", `
			SELECT id FROM requests AS r WHERE (state IN ('signed', 'published') OR state = 'signing' AND released_at > 0)
				<> EXISTS (SELECT 1 FROM signatures AS s WHERE s.request_id = r.id)`},
		{"only a signed release has a time of signing", `
			SELECT id FROM requests WHERE (state IN ('signed', 'published')) <> (signed_at > 0)`},
		{"only a release with signatures has a time of them, before that of signing", `
			SELECT id FROM requests WHERE signed_at > 0 AND (released_at = 0 OR released_at > signed_at)
				OR released_at > 0 AND state NOT IN ('signing', 'signed', 'published')`},
		{"an intent that is done has its signature", `
			SELECT id FROM intents AS i WHERE (state = 'done')
				<> EXISTS (SELECT 1 FROM signatures AS s WHERE s.intent_id = i.id AND s.request_id = i.request_id)`},
		{"every signature has one leaf", leafCount("signatures", "intent_id", "signature", "1")},
		{"every signature leaf has its signature", `
			SELECT leaf_id FROM leaves WHERE kind IN ('signature', 'certificate-signature') AND leaf_id NOT IN (SELECT intent_id FROM signatures)`},
		{"every orphan has one leaf, and nothing else has", leafCount("intents", "id", "orphaned",
			"CASE WHEN x.state = 'orphaned' THEN 1 ELSE 0 END")},
		{"a request counts its orphans", `
			SELECT id FROM requests AS r
			WHERE orphans <> (SELECT COUNT(*) FROM intents AS i WHERE i.request_id = r.id AND i.state = 'orphaned')`},
		{"intents are on the ledger before what became of them", `
			SELECT e.leaf_id FROM leaves AS e JOIN intents AS i ON i.id = e.leaf_id
			WHERE e.kind IN ('signature', 'certificate-signature', 'orphaned') AND NOT EXISTS (
				SELECT 1 FROM leaves AS b WHERE b.kind = 'intents' AND b.leaf_id = i.request_id AND b.idx < e.idx)`},
		{"what is published has its leaf", leafCount("requests", "id", "published",
			"CASE WHEN x.state = 'published' THEN 1 ELSE 0 END")},
		{"a signed release still has something to tell", `
			SELECT id FROM requests AS r WHERE state = 'signed'
				AND NOT EXISTS (SELECT 1 FROM posts AS p WHERE p.request_id = r.id AND p.state = 'open')`},
	}
}

// rulesOverTime are those of what is kept beside requests.
func rulesOverTime() []rule {
	return []rule{
		{"exactly what has an adopted policy is watched", `
			SELECT forge || ':' || CAST(repository_id AS TEXT) FROM adoptions AS a WHERE NOT EXISTS (
				SELECT 1 FROM watched AS w WHERE w.forge = a.forge AND w.repository_id = a.repository_id)
			UNION ALL
			SELECT forge || ':' || CAST(repository_id AS TEXT) FROM watched AS w WHERE NOT EXISTS (
				SELECT 1 FROM adoptions AS a WHERE w.forge = a.forge AND w.repository_id = a.repository_id)`},
		{"what rang is looked at", `
			SELECT forge || ':' || CAST(repository_id AS TEXT) FROM watched WHERE rung > heard AND due_at = 0
			UNION ALL
			SELECT forge || ':' || CAST(repository_id AS TEXT) FROM policy_changes WHERE heard > rung OR due_at = 0`},
		{"each protection holds until the next one was read", `
			SELECT CAST(seq AS TEXT) FROM (SELECT seq, until_at, COALESCE(LEAD(read_at) OVER (
				PARTITION BY forge, repository_id, ref ORDER BY read_at, seq), 0) AS next_at FROM snapshots) AS s
			WHERE until_at <> next_at`},
		{"a protection differs from the one before it", `
			SELECT CAST(seq AS TEXT) FROM (SELECT seq, rules, LAG(rules) OVER (
				PARTITION BY forge, repository_id, ref ORDER BY read_at, seq) AS before FROM snapshots) AS s
			WHERE rules = before`},
		{"a job was given leave only for a signed release", `
			SELECT d.environment FROM deployments AS d WHERE verdict = 'approved' AND NOT EXISTS (
				SELECT 1 FROM requests AS r WHERE r.id = d.request_id AND r.state IN ('signed', 'published'))`},
		{"no job was refused while its request was undecided", `
			SELECT d.environment FROM deployments AS d JOIN requests AS r ON r.id = d.request_id
			WHERE d.verdict = 'rejected' AND r.ended = 0 AND r.state <> 'signed'`},
		{"a job's verdict has its time", `
			SELECT environment FROM deployments WHERE (verdict <> '') <> (ended_at > 0)`},
		{"every queue counts what its tenants have open", `
			SELECT q.queue || ' ' || q.forge || ' ' || q.tenant FROM (
				SELECT queue, forge, tenant, SUM(n) AS n FROM (
					SELECT queue, forge, tenant, open AS n FROM turns
					UNION ALL SELECT 'delivery', forge, tenant, -1 FROM inbox WHERE done_at = 0
					UNION ALL SELECT 'request', forge, CAST(repository_id AS TEXT), -1 FROM requests WHERE ended = 0
					UNION ALL SELECT 'post', forge, CAST(repository_id AS TEXT), -1 FROM posts WHERE state = 'open'
					UNION ALL SELECT 'change', forge, CAST(repository_id AS TEXT), -1 FROM policy_changes
				) AS rows_of GROUP BY queue, forge, tenant) AS q WHERE q.n <> 0`},
		{"nobody waits longer for their turn than for their request", `
			SELECT r.id FROM requests AS r JOIN turns AS t
				ON t.queue = 'request' AND t.forge = r.forge AND t.tenant = CAST(r.repository_id AS TEXT)
			WHERE r.ended = 0 AND r.state <> 'signed' AND r.due_at > 0
				AND t.due_at > CASE WHEN r.due_at > r.lease_until THEN r.due_at ELSE r.lease_until END`},
		{"what was given up has its reason", `SELECT id FROM posts WHERE state = 'given up' AND (why = '' OR ended_at = 0)`},
		{"a request without a thread does not wait for one that was given up", `
			SELECT p.id FROM posts AS p JOIN requests AS r ON r.id = p.request_id
			WHERE p.state = 'open' AND p.threadless = 1 AND r.state = 'signed' AND r.thread_number = 0 AND NOT EXISTS (
				SELECT 1 FROM posts AS t WHERE t.request_id = r.id AND t.target = 'thread' AND t.state = 'open')`},
	}
}

// rulesOfPages are those of what is kept only because counting it anew would be slow.
func rulesOfPages() []rule {
	return []rule{
		{"every repository counts its requests", `
			SELECT forge || ':' || CAST(repository_id AS TEXT) FROM repositories AS x
			WHERE undecided <> (SELECT COUNT(*) FROM requests AS r WHERE r.forge = x.forge AND r.repository_id = x.repository_id
					AND r.state IN ('waiting', 'granted', 'signing'))
			   OR signed <> (SELECT COUNT(*) FROM requests AS r WHERE r.forge = x.forge AND r.repository_id = x.repository_id
					AND r.state IN ('signed', 'published'))
			   OR asked_at <> (SELECT COALESCE(MAX(created_at), 0) FROM requests AS r
					WHERE r.forge = x.forge AND r.repository_id = x.repository_id)
			UNION ALL
			SELECT id FROM requests AS r WHERE NOT EXISTS (
				SELECT 1 FROM repositories AS x WHERE r.forge = x.forge AND r.repository_id = x.repository_id)`},
		{"every repository knows its policy in force", `
			SELECT forge || ':' || CAST(repository_id AS TEXT) FROM repositories AS x
			WHERE adoption <> (SELECT COALESCE(MAX(seq), 0) FROM adoptions AS a
				WHERE a.forge = x.forge AND a.repository_id = x.repository_id)
			UNION ALL
			SELECT id FROM adoptions AS a WHERE NOT EXISTS (
				SELECT 1 FROM repositories AS x WHERE a.forge = x.forge AND a.repository_id = x.repository_id)`},
		{"every key counts what it did", `
			SELECT q.lineage || ' ' || CAST(q.version AS TEXT) FROM (
				SELECT lineage, version, SUM(signatures) AS s, SUM(releases) AS r, SUM(orphans) AS o,
					SUM(first_at) AS f, SUM(last_at) AS l FROM (
					SELECT * FROM key_uses
					UNION ALL SELECT key_lineage, key_version, -COUNT(*) FILTER (WHERE state = 'done'),
						-COUNT(DISTINCT CASE WHEN state = 'done' THEN request_id END), -COUNT(*) FILTER (WHERE state = 'orphaned'),
						-COALESCE(MIN(CASE WHEN state = 'done' THEN ended_at END), 0),
						-COALESCE(MAX(CASE WHEN state = 'done' THEN ended_at END), 0)
					FROM intents GROUP BY key_lineage, key_version
				) AS rows_of GROUP BY lineage, version) AS q
			WHERE q.s <> 0 OR q.r <> 0 OR q.o <> 0 OR q.f <> 0 OR q.l <> 0`},
		{"a request names the key of its document", `SELECT id FROM requests WHERE key_lineage = ''`},
	}
}

// leafCount breaks where a table's row has not as many leaves of a kind as it should.
func leafCount(table, id, kind, want string) string {
	return fmt.Sprintf(`SELECT x.%[2]s FROM %[1]s AS x WHERE %[4]s <>
		(SELECT COUNT(*) FROM leaves AS l WHERE l.kind = '%[3]s' AND l.leaf_id = x.%[2]s)`, table, id, kind, want)
}

func checkRules(ctx context.Context, tx *sql.Tx) error {
	var errs []error
	for _, r := range slices.Concat(rules(), signingRules(), rulesOfEvidence(), rulesOverTime(), rulesOfPages()) {
		broken, err := texts(ctx, tx, r.broken)
		if err != nil {
			return fmt.Errorf("check that %s: %w", r.name, err)
		}
		if len(broken) > 0 {
			errs = append(errs, fmt.Errorf("expected that %s, got otherwise for %q", r.name, broken))
		}
	}
	return errors.Join(errs...)
}

func texts(ctx context.Context, tx *sql.Tx, query string) (out []string, err error) {
	rows, err := tx.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, rows.Err()
}

// checkLeaves reads every leaf: in order, canonical, and committed to its document or, where
// it is the record of a signature, without a salt.
func checkLeaves(ctx context.Context, tx *sql.Tx) (err error) {
	rows, err := tx.QueryContext(ctx, `
		SELECT l.idx, l.kind, l.leaf_id, l.leaf, d.salt, d.document
		FROM leaves AS l JOIN documents AS d ON d.idx = l.idx ORDER BY l.idx`)
	if err != nil {
		return fmt.Errorf("read the leaves: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for want := int64(0); rows.Next(); want++ {
		var idx int64
		var kind, id string
		var leaf, salt, document []byte
		if err := rows.Scan(&idx, &kind, &id, &leaf, &salt, &document); err != nil {
			return fmt.Errorf("read leaf %d: %w", want, err)
		}
		e, err := ledger.ParseEntry(leaf)
		switch {
		case err != nil:
			return fmt.Errorf("leaf %d: %w", idx, err)
		case idx != want:
			return fmt.Errorf("leaves: expected index %d, got %d", want, idx)
		case e.Record != nil:
			err = checkRecord(*e.Record, ledger.Kind(kind), salt)
		default:
			err = checkCommitment(*e.Leaf, kind, id, salt, document)
		}
		if err != nil {
			return fmt.Errorf("leaf %d: %w", idx, err)
		}
	}
	return rows.Err()
}

func checkCommitment(l ledger.Leaf, kind, id string, salt, document []byte) error {
	switch {
	case string(l.Kind) != kind || l.ID != id:
		return fmt.Errorf("expected %s %s as its row says, got %s %s", kind, id, l.Kind, l.ID)
	case l.Commitment != ledger.Commit(salt, document):
		return errors.New("expected a commitment to its document, got one to something else")
	}
	return nil
}

func checkRecord(r ledger.Record, kind ledger.Kind, salt []byte) error {
	switch {
	case len(salt) > 0:
		return errors.New("expected a record without a salt, got one")
	case r.Certificate != (kind == ledger.CertificateSignature),
		kind != ledger.Signature && kind != ledger.CertificateSignature && kind != ledger.VerdictSignature:
		return fmt.Errorf("expected what its row says, %s, got a record by certificate: %t", kind, r.Certificate)
	}
	return nil
}

// checkUses holds the HSM's record against the intents: each use has one of its own,
// for the same digest.
func checkUses(ctx context.Context, tx *sql.Tx, uses []Use) (err error) {
	intents := map[string]string{}
	rows, err := tx.QueryContext(ctx, `SELECT id, digest FROM intents`)
	if err != nil {
		return fmt.Errorf("read the intents: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var id, digest string
		if err := rows.Scan(&id, &digest); err != nil {
			return fmt.Errorf("read an intent: %w", err)
		}
		intents[id] = digest
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read the intents: %w", err)
	}
	var errs []error
	seen := map[string]bool{}
	for _, u := range uses {
		digest, ok := intents[u.Intent]
		switch {
		case !ok:
			errs = append(errs, fmt.Errorf("the HSM signed %s without a durable intent (it was told %s)", u.Digest, u.Intent))
		case digest != u.Digest.String():
			errs = append(errs, fmt.Errorf("the HSM signed %s under intent %s, which is for %s", u.Digest, u.Intent, digest))
		case seen[u.Intent]:
			errs = append(errs, fmt.Errorf("the HSM signed twice under intent %s", u.Intent))
		}
		seen[u.Intent] = true
	}
	return errors.Join(errs...)
}
