package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/store"
	"github.com/countersign/countersign/gate/store/storetest"
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
	middle := storetest.CopyID(archived / 2)
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
			_, err := a.s.Request(b.Context(), storetest.CopyID(7))
			return 1, err
		}},
		{"history", 8, func(b *testing.B) (int, error) {
			all, err := a.s.History(b.Context(), storetest.CopyID(archived/2+1))
			return len(all), err
		}},
		{"ledger", 50, func(b *testing.B) (int, error) {
			all, err := a.s.LedgerEntries(b.Context(), archived*50, 50)
			return len(all), err
		}},
		{"ledger of a request", 6, func(b *testing.B) (int, error) {
			all, err := a.s.FindLedger(b.Context(), storetest.CopyID(archived/2+1), 50)
			return len(all), err
		}},
		{"ledger of nothing", 0, func(b *testing.B) (int, error) {
			all, err := a.s.FindLedger(b.Context(), "nothing", 50)
			return len(all), err
		}},
		{"unsaid", 0, func(b *testing.B) (int, error) {
			all, err := a.s.Unsaid(b.Context(), 10)
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

// newArchive tells one release as it is, and has its rows copied.
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
	if err := storetest.Fill(b.Context(), c, original(b, s), archived); err != nil {
		b.Fatal(err)
	}
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
	_, err = complete(ctx, s, rec, signatures(is), nil)
	must(err)
	p := check("", gate.PostSuccess)
	must(s.Hear(ctx, gate.Heard{Posts: []gate.Post{p}}))
	_, err = s.Accept(ctx, delivery("0", "1#0"))
	must(err)
	must(s.Sessions().CommitCtx(ctx, "token", []byte("session"), time.Now().Add(time.Hour)))
	return rec.Request.ID
}
