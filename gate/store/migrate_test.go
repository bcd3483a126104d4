package store_test

import (
	"database/sql"
	"encoding/json"
	"io/fs"
	"os"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/store"
)

// TestOlderDatabaseIsBroughtUpToDate opens what the first version of the schema left.
func TestOlderDatabaseIsBroughtUpToDate(t *testing.T) {
	for _, engine := range []store.Engine{store.SQLite, store.Postgres} {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			w := &world{T: t, ctx: t.Context(), config: newConfig(t, engine)}
			db := w.raw()
			w.firstSchema(db)
			rec := gate.Record{Request: opening("a").Request}
			said := approval(rec, 5, gate.VerbApprove)
			w.leftBehind(db, rec.Request, said)
			w.s = w.open()

			w.looking(w.s, repository(), time.Hour, minute)
			w.delivered("old", minute)
			if got := w.claimed(rec.Request.ID, minute); got.Request.Repository != repository() {
				t.Errorf("expected the request of %s, got %s", repository(), got.Request.Repository)
			}
			w.must(w.s.Hear(w.ctx, gate.Heard{Approvals: []gate.Approval{again(said)}}))
			if all, err := w.s.Approvals(w.ctx, rec.Request.ID); err != nil || len(all) != 1 {
				t.Errorf("expected that the statement is known, got %d, %v", len(all), err)
			}
			reply := post(rec.Request.ID, gate.PostReply, "reply")
			reply.Thread.Number = 3
			w.must(w.s.Hear(w.ctx, gate.Heard{Posts: []gate.Post{reply, check("", gate.PostSuccess)}}))
			w.postDue(gate.PostCheck)
			w.nothingToPost() // the reply was made before
		})
	}
}

func (w *world) firstSchema(db *sql.DB) {
	w.Helper()
	p, err := goose.NewProvider(w.dialect(), db, w.migrations())
	w.must(err)
	_, err = p.UpTo(w.ctx, 1)
	w.must(err)
}

func (w *world) dialect() goose.Dialect {
	return map[store.Engine]goose.Dialect{store.SQLite: goose.DialectSQLite3, store.Postgres: goose.DialectPostgres}[w.config.Engine]
}

func (w *world) migrations() fs.FS { return os.DirFS("migrations/" + string(w.config.Engine)) }

// leftBehind is one row of each kind that the later schema reads otherwise.
func (w *world) leftBehind(db *sql.DB, r gate.Request, said gate.Approval) {
	w.Helper()
	exec := func(q string, args ...any) {
		w.Helper()
		_, err := db.ExecContext(w.ctx, q, args...)
		w.must(err)
	}
	doc := func(v any) string {
		w.Helper()
		b, err := json.Marshal(v)
		w.must(err)
		return string(b)
	}
	exec(`INSERT INTO adoptions (id, forge, repository_id, document, adopted_at) VALUES ('a', 'github', 1296269, $1, 1)`,
		doc(adoption("version: 1\n")))
	exec(`INSERT INTO inbox (forge, delivery_id, event, thread, body, received_at, due_at) VALUES ('github', 'old', 'push', '5#3', $1, 1, 1)`,
		[]byte("{}"))
	exec(`INSERT INTO requests (id, forge, repository_id, stream, commit_sha, code, ask_hash, attempt, document, state, ended, version,
		due_at, created_at, updated_at) VALUES ($1, 'github', 1296269, 'release', 'c', 'code', 'hash', 1, $2, 'waiting', 0, 1, 1, 1, 1)`,
		r.ID, doc(r))
	exec(`INSERT INTO approvals (id, request_id, verb, source, document, heard_at) VALUES ($1, $2, 'approve', 'source', $3, 1)`,
		said.ID, r.ID, doc(said))
	for _, id := range []string{"one", "two"} { // which the first schema let pass
		exec(`INSERT INTO posts (id, request_id, forge, repository_id, target, post_key, latest_only, threadless, document, state,
			due_at, made_at) VALUES ($1, '', 'github', 1296269, 'reply', 'reply', 0, 0, $2, 'done', 1, 1)`,
			id, doc(post("", gate.PostReply, "reply")))
	}
}
