package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/store"
)

// noisy is who has more to do than everybody else together.
const noisy, many = 1, 12

func (w *world) openedIn(repository int64) gate.Record {
	w.Helper()
	o := opening(newID())
	o.Request.Repository.ID = repository
	return w.openedAs(o)
}

// crowd has noisy bring much, and then three others little.
func crowd(bring func(repository int64, n int)) {
	for n := range many {
		bring(noisy, n)
	}
	for _, repository := range []int64{2, 3, 4} {
		bring(repository, 0)
		bring(repository, 1)
	}
}

// inTurn expects that the crowd is served one after another: nobody waits for more than
// one of each of the others.
func (w *world) inTurn(next func() int64) {
	w.Helper()
	want := []int64{1, 2, 3, 4, 1, 2, 3, 4}
	for len(want) < many+6 {
		want = append(want, noisy)
	}
	var got []int64
	for range want {
		got = append(got, next())
	}
	if !slices.Equal(got, want) {
		w.Errorf("expected turns %v, got %v", want, got)
	}
}

// Attack 63: one repository's flood does not keep the others waiting, in any queue.
func TestAttack63TenantsAreServedInTurn(t *testing.T) {
	rows := map[string]struct {
		bring func(w *world, repository int64, n int)
		next  func(w *world) (repository int64, ok bool, err error)
	}{
		"deliveries": {
			bring: func(w *world, repository int64, n int) {
				w.accepted(delivery(fmt.Sprintf("%d-%d", repository, n), fmt.Sprintf("%d#%d", repository, n)))
			},
			next: func(w *world) (repository int64, ok bool, err error) {
				d, ok, err := w.s.ClaimDelivery(w.ctx, "worker", minute)
				_, serr := fmt.Sscanf(d.Thread, "%d#", &repository)
				w.must(serr)
				return repository, ok, err
			},
		},
		"requests": {
			bring: func(w *world, repository int64, _ int) { w.openedIn(repository) },
			next: func(w *world) (int64, bool, error) {
				rec, ok, err := w.s.ClaimDue(w.ctx, "worker", minute)
				return rec.Request.Repository.ID, ok, err
			},
		},
		"posts": {
			bring: func(w *world, repository int64, n int) {
				p := post("", gate.PostStatus, fmt.Sprint(n))
				p.Repository.ID = repository
				w.must(w.s.Hear(w.ctx, gate.Heard{Posts: []gate.Post{p}}))
			},
			next: func(w *world) (int64, bool, error) {
				p, ok, err := w.s.ClaimPost(w.ctx, "worker", minute)
				return p.Repository.ID, ok, err
			},
		},
		"changes": {
			bring: func(w *world, repository int64, n int) {
				c := gate.ChangeRef{Repository: repositoryOf(repository), Number: int64(n + 1)}
				w.must(w.s.Hear(w.ctx, gate.Heard{Changes: []gate.ChangeRef{c}}))
			},
			next: func(w *world) (int64, bool, error) {
				c, ok, err := w.s.ClaimChange(w.ctx, "worker", minute)
				return c.Repository.ID, ok, err
			},
		},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(w *world) {
				crowd(func(repository int64, n int) { row.bring(w, repository, n) })
				w.inTurn(func() int64 {
					repository, ok, err := row.next(w)
					w.must(err)
					if !ok {
						w.Fatal("expected something to claim, got nothing")
					}
					return repository
				})
			})
		})
	}
}

// Attack 63: who comes again and again has no advantage over who waits.
func TestAttack63WhoComesBackQueuesAgain(t *testing.T) {
	onBoth(t, func(w *world) {
		for n := range 3 {
			w.accepted(delivery(fmt.Sprint("2-", n), "2"))
		}
		w.accepted(delivery("1-0", "1"))
		for n := range 3 {
			for _, id := range []string{fmt.Sprint("2-", n), fmt.Sprint("1-", n)} {
				w.must(w.s.FinishDelivery(w.ctx, w.delivered(id, minute), gate.Heard{}))
			}
			w.accepted(delivery(fmt.Sprint("1-", n+1), "1"))
		}
	})
}

// A delivery's tenant is what its adapter says, or the repository that its thread names.
func TestWhoseDeliveryItIs(t *testing.T) {
	onBoth(t, func(w *world) {
		for id, thread := range map[string]string{"1": "github:5#3", "2": "github:5!3", "3": "github:5", "4": ""} {
			w.accepted(delivery(id, thread))
		}
		hook := delivery("5", "github:5#3")
		hook.Tenant = "acme"
		w.accepted(hook)
		open := map[string]int{}
		rows, err := w.raw().QueryContext(w.ctx, `SELECT tenant, open FROM turns WHERE queue = 'delivery'`)
		w.must(err)
		defer func() { w.must(rows.Close()) }()
		for rows.Next() {
			var tenant string
			var n int
			w.must(rows.Scan(&tenant, &n))
			open[tenant] = n
		}
		w.must(rows.Err())
		if want := map[string]int{"github:5": 3, "": 1, "acme": 1}; fmt.Sprint(open) != fmt.Sprint(want) {
			w.Errorf("expected %v, got %v", want, open)
		}
	})
}

// However many have nothing that may go yet, whoever has something is found.
func TestManyWhoWait(t *testing.T) {
	onBoth(t, func(w *world) {
		const tenants = 70
		for n := range tenants {
			p := post("", gate.PostStatus, "status")
			p.Repository.ID = int64(n + 1)
			w.must(w.s.Hear(w.ctx, gate.Heard{Posts: []gate.Post{p}}))
		}
		for range tenants {
			p := w.postDue(gate.PostStatus)
			w.must(w.s.DeferPost(w.ctx, p, time.Now().Add(time.Hour), "503"))
		}
		late := post("", gate.PostStatus, "status")
		late.Repository.ID = tenants + 1
		w.must(w.s.Hear(w.ctx, gate.Heard{Posts: []gate.Post{late}}))
		if p := w.postDue(gate.PostStatus); p.ID != late.ID {
			w.Errorf("expected the post of %s, got that of %s", late.Repository, p.Repository)
		}
		w.nothingToPost()
		w.must(w.s.Posted(w.ctx, late, "1"))
	})
}

// Attack 63: a repository has two hundred open requests at most; joining them and asking
// for another repository stay possible.
func TestAttack63TooManyOpenRequests(t *testing.T) {
	onBoth(t, func(w *world) {
		const most = 200
		var first gate.Opening
		for n := range most {
			o := opening(fmt.Sprint(n))
			if n == 0 {
				first = o
			}
			w.openedAs(o)
		}
		_, _, err := w.s.OpenRequest(w.ctx, opening("one more"))
		w.refused(gate.CodeRequestsFull, err)
		if gate.KindOf(err) != gate.Conflict {
			w.Errorf("expected a conflict, got %v", err)
		}
		again := opening("0", person(2, "bo"))
		if rec, joined, err := w.s.OpenRequest(w.ctx, again); err != nil || !joined || rec.Request.ID != first.Request.ID {
			w.Errorf("expected to join, got %t, %v", joined, err)
		}
		w.openedIn(2)
		w.judged(w.request(first.Request.ID), gate.StateWithdrawn)
		w.opened("one more")
	})
}

// Attack 63: a tenant has five thousand deliveries waiting at most. What is over it is
// answered with 503, so that the forge shows it and it can be delivered again.
func TestAttack63TooManyDeliveries(t *testing.T) {
	onBoth(t, func(w *world) {
		w.accepted(delivery("first", "1"))
		db := w.raw()
		for _, q := range []string{
			`INSERT INTO inbox (forge, delivery_id, event, thread, tenant, body, received_at, due_at)
				WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
				SELECT forge, 'more ' || CAST(i AS TEXT), event, thread, tenant, body, received_at, due_at FROM inbox CROSS JOIN n`,
			`UPDATE turns SET open = 5000 WHERE queue = 'delivery'`,
		} {
			_, err := db.ExecContext(w.ctx, q)
			w.must(err)
		}
		over := delivery("over", "1#7")
		fresh, err := w.s.Accept(w.ctx, over)
		w.refused(gate.CodeDeliveriesFull, err)
		if fresh || gate.KindOf(err) != gate.Unavailable {
			w.Errorf("expected that it is unavailable, got %t, %v", fresh, err)
		}
		if fresh, err := w.s.Accept(w.ctx, delivery("first", "1")); fresh || err != nil {
			w.Errorf("expected that what is there is known, got %t, %v", fresh, err)
		}
		w.accepted(delivery("elsewhere", "2"))
		w.must(w.s.FinishDelivery(w.ctx, w.delivered("first", minute), gate.Heard{}))
		w.accepted(over)
	})
}

// claimed by index alone: no queue is read through, and none is sorted, to find what is next.
func TestClaimsUseTheirIndexes(t *testing.T) {
	indexed(t, false, "AnyTurn", "NextTurns", "OpenDeliverySkipLocked", "DueRequestSkipLocked", "OpenPostSkipLocked",
		"DueChangeSkipLocked", "NextDelivery", "NextRequest", "NextPost", "NextChange", "DueWatchedSkipLocked",
		"UnwatchedSkipLocked", "DropOlderPosts", "OlderPosts", "SnapshotBefore", "OnRecord")
}

// What pages read does not take longer with what was ever stored: it is searched for, or
// read from an end of its index up to a limit.
func TestPagesUseTheirIndexes(t *testing.T) {
	indexed(t, false, "ListAll", "ListRepository", "ListUndecided", "ListUndecidedOfRepository", "ListSigned",
		"ListSignedOfRepository", "Adoptions", "Received", "ReceivedOpen", "KeptBodiesSkipLocked", "OpenOfThreadForUpdate",
		"ExpiredSessionsSkipLocked", "NewerPosts", "OldestDelivery", "OldestUndecided", "OldestPost", "LastDocument",
		"DecisionsOf", "AttemptsOf", "Undecided", "InTurn")
	indexed(t, true, "Enrolled", "OldestChange", "SigningMicros")
}

// indexed expects queries that search in indexes and sort nothing; ends may begin at an
// end of one.
func indexed(t *testing.T, ends bool, names ...string) {
	t.Helper()
	w := newWorld(t, store.SQLite)
	queries := readQueries(w)
	parameter := regexp.MustCompile(`@[a-z_]+`)
	for _, name := range names {
		if queries[name] == "" {
			t.Errorf("%s: expected a query, got none", name)
			continue
		}
		for _, step := range plan(w, parameter.ReplaceAllString(queries[name], "1")) {
			sorted := strings.Contains(step, "B-TREE FOR ORDER BY") || strings.Contains(step, "B-TREE FOR RIGHT PART OF ORDER BY") ||
				strings.Contains(step, "B-TREE FOR LAST TERM")
			atEnd := ends && strings.Contains(step, "INDEX") && strings.Contains(queries[name], "LIMIT")
			if strings.HasPrefix(step, "SCAN") && step != "SCAN CONSTANT ROW" && !atEnd || sorted {
				t.Errorf("%s: expected only index searches, got %s", name, step)
			}
		}
	}
}

// readQueries are the named queries as they are written.
func readQueries(w *world) map[string]string {
	w.Helper()
	files, err := filepath.Glob("queries/*.sql")
	w.must(err)
	out := map[string]string{}
	for _, file := range files {
		b, err := os.ReadFile(file)
		w.must(err)
		for _, part := range strings.Split(string(b), "-- name: ")[1:] {
			head, body, _ := strings.Cut(part, "\n")
			body, _, _ = strings.Cut(body, ";")
			name, _, _ := strings.Cut(head, " ")
			out[name] = body
		}
	}
	return out
}

func plan(w *world, query string) (steps []string) {
	w.Helper()
	rows, err := w.raw().QueryContext(w.ctx, "EXPLAIN QUERY PLAN "+query)
	w.must(err)
	defer func() { w.must(rows.Close()) }()
	for rows.Next() {
		var id, parent, unused int
		var step string
		w.must(rows.Scan(&id, &parent, &unused, &step))
		steps = append(steps, step)
	}
	w.must(rows.Err())
	return steps
}
