package store_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pressly/goose/v3"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/store"
	"github.com/countersign/countersign/gate/store/storetest"
)

// TestCountsOfAnOlderDatabase gives an older database the rows of a newer one: once it is
// brought up to date, it says of them what the newer one says.
func TestCountsOfAnOlderDatabase(t *testing.T) {
	onBoth(t, func(w *world) {
		w.busyYear()
		want := w.everything()
		older := &world{T: w.T, ctx: w.ctx, config: newConfig(w.T, w.config.Engine)}
		w.copyTo(older, 3)
		older.s = older.open()
		if diff := cmp.Diff(want, older.everything()); diff != "" {
			w.Error(diff)
		}
		older.signedFor(elsewhere(), "blue", "afterwards")
		older.must(older.s.Adopt(older.ctx, adoption("version: 1\n# three\n")))
		if err := storetest.CheckInvariants(older.ctx, older.config, nil); err != nil {
			w.Error(err)
		}
	})
}

// busyYear leaves something in every state.
func (w *world) busyYear() {
	w.Helper()
	here, there := adoption("version: 1\n"), adoption("version: 1\n")
	there.Repository = elsewhere()
	for _, a := range []gate.Adoption{here, there, adoption("version: 1\n# two\n")} {
		w.must(w.s.Adopt(w.ctx, a))
	}
	w.openedFor(gate.RepositoryID{Forge: "github", ID: 3}, "blue", "of nobody who adopted a policy")
	rec := w.openedFor(elsewhere(), "blue", "a")
	rec = w.reasoned(rec, gate.StateWaiting, gate.Check{Outcome: gate.Granted, Reason: "fine"},
		gate.Check{Outcome: gate.Waiting, Reason: "needs \"somebody\"\nelse ü <&>"})
	w.reasoned(rec, gate.StateDenied, gate.Check{Outcome: gate.Waiting, Reason: "first"},
		gate.Check{Outcome: gate.Denied, Reason: "said no"}, gate.Check{Outcome: gate.Denied, Reason: "and more"})
	w.signedFor(here.Repository, "blue", "b")
	w.signedFor(here.Repository, "red", "c", check("", gate.PostSuccess))
	failing, _ := w.signing("d", minute)
	_, err := w.s.FailSigning(w.ctx, failing, "the HSM refuses the key", nil)
	w.must(err)
	late, _ := w.signing("e", over)
	_, err = w.s.OrphanSigning(w.ctx, late)
	w.must(err)
	w.must(w.s.Hear(w.ctx, gate.Heard{
		Approvals: []gate.Approval{approval(late, 5, gate.VerbHold)}, Changes: []gate.ChangeRef{change(3)},
	}))
	w.signing("f", minute)
	w.accepted(delivery("open", "t"))
}

// everything is what pages read of the store.
func (w *world) everything() map[string]any {
	w.Helper()
	out := map[string]any{}
	add := func(name string, v any, err error) {
		w.Helper()
		w.must(err)
		out[name] = v
	}
	all, err := w.s.List(w.ctx, gate.ListQuery{Limit: 200})
	add("all", all, err)
	for _, r := range all {
		h, err := w.s.History(w.ctx, r.Request.ID)
		add("history of "+r.Request.ID, h, err)
	}
	for _, key := range []string{"blue", "red", "acme-release"} {
		recs, err := w.s.List(w.ctx, gate.ListQuery{Limit: 200, Key: key})
		add("signed by "+key, ids(recs...), err)
	}
	open, err := w.s.List(w.ctx, gate.ListQuery{Limit: 200, Open: true})
	add("open", ids(open...), err)
	enrolled, err := w.s.Enrolled(w.ctx, 10)
	add("enrolled", enrolled, err)
	uses, err := w.s.KeyUses(w.ctx)
	add("uses", uses, err)
	queues, err := w.s.Queues(w.ctx)
	for i := range queues {
		queues[i].Oldest = queues[i].Oldest.Truncate(time.Hour) // of changes, an older schema knows when they are due
	}
	add("queues", queues, err)
	deliveries, err := w.s.Deliveries(w.ctx, 0, false, 10)
	add("deliveries", deliveries, err)
	micros, err := w.s.SigningMicros(w.ctx, 10)
	add("micros", micros, err)
	return out
}

// copyTo copies all rows into an empty database with an older schema.
func (w *world) copyTo(older *world, version int64) {
	w.Helper()
	from, to := w.raw(), older.raw()
	p, err := goose.NewProvider(w.dialect(), to, w.migrations())
	w.must(err)
	_, err = p.UpTo(w.ctx, version)
	w.must(err)
	for _, table := range []string{
		"requests", "adoptions", "inbox", "actors", "token_uses", "decisions", "approvals", "intents", "signatures",
		"posts", "known_posts", "ledger_head", "watched", "protected_refs", "snapshots", "deployments", "policy_changes",
		"turns",
	} {
		w.copyTable(from, to, table)
	}
	w.copyLeaves(to)
}

// copyLeaves copies the ledger as an older version wrote it: it committed to signatures.
func (w *world) copyLeaves(to *sql.DB) {
	w.Helper()
	all, err := w.s.Leaves(w.ctx, 0, 1000)
	w.must(err)
	for _, l := range all {
		if len(l.Salt) == 0 {
			l.Salt = bytes.Repeat([]byte{7}, ledger.SaltSize)
			l.Bytes, err = ledger.New(l.Kind, l.ID, l.Salt, l.Document).Bytes()
			w.must(err)
		}
		_, err := to.ExecContext(w.ctx, `INSERT INTO leaves (idx, kind, leaf_id, leaf, made_at) VALUES ($1, $2, $3, $4, $5)`,
			l.Index, string(l.Kind), l.ID, l.Bytes, l.At.UnixMicro())
		w.must(err)
		_, err = to.ExecContext(w.ctx, `INSERT INTO documents (idx, salt, document) VALUES ($1, $2, $3)`, l.Index, l.Salt, l.Document)
		w.must(err)
	}
}

func (w *world) copyTable(from, to *sql.DB, table string) {
	w.Helper()
	_, err := to.ExecContext(w.ctx, "DELETE FROM ledger_head WHERE 'ledger_head' = '"+table+"'")
	w.must(err)
	columns := w.columns(to, table)
	names := strings.Join(columns, ", ")
	rows, err := from.QueryContext(w.ctx, "SELECT "+names+" FROM "+table)
	w.must(err)
	defer func() { w.must(rows.Close()) }()
	var places []string
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range columns {
		places, into[i] = append(places, fmt.Sprint("$", i+1)), &values[i]
	}
	insert := "INSERT INTO " + table + " (" + names + ") VALUES (" + strings.Join(places, ", ") + ")"
	if w.config.Engine == store.Postgres {
		insert = strings.Replace(insert, " VALUES", " OVERRIDING SYSTEM VALUE VALUES", 1)
	}
	for rows.Next() {
		w.must(rows.Scan(into...))
		_, err := to.ExecContext(w.ctx, insert, values...)
		w.must(err)
	}
	w.must(rows.Err())
	if w.config.Engine == store.Postgres && columns[0] == "seq" {
		_, err := to.ExecContext(w.ctx, "SELECT setval(pg_get_serial_sequence('"+table+"', 'seq'), MAX(seq)) FROM "+table)
		w.must(err)
	}
}

func (w *world) columns(db *sql.DB, table string) []string {
	w.Helper()
	rows, err := db.QueryContext(w.ctx, "SELECT * FROM "+table+" WHERE 1 = 0")
	w.must(err)
	defer func() { w.must(rows.Close()) }()
	out, err := rows.Columns()
	w.must(err)
	w.must(rows.Err())
	return out
}
