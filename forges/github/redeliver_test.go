package github_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
	"github.com/countersign/countersign/gate"
)

// outage is a team whose webhook receiver can be taken down.
type outage struct {
	*team
	in     *inbox
	server *httptest.Server
	down   atomic.Int32 // the status with which deliveries fail; 0 for none, -1 for no answer
}

func newOutage(t *testing.T) *outage {
	t.Helper()
	o := &outage{team: newTeam(t, githubtest.Options{})}
	o.in = &inbox{forge: o.forge}
	o.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch status := o.down.Load(); status {
		case 0:
			o.in.ServeHTTP(w, r)
		case -1:
			panic(http.ErrAbortHandler) // nobody there
		default:
			_, _ = io.Copy(io.Discard, r.Body) // a closed sender is the sender's matter
			w.WriteHeader(int(status))
		}
	}))
	t.Cleanup(o.server.Close)
	o.DeliverTo(o.server.URL, secret)
	return o
}

func (o *outage) seen() []gate.Delivery {
	o.in.mu.Lock()
	defer o.in.mu.Unlock()
	return slices.Clone(o.in.seen)
}

func (o *outage) redeliver(since time.Time, want int) {
	o.t.Helper()
	n, err := o.forge.Redeliver(o.t.Context(), since)
	if err != nil || n != want {
		o.t.Errorf("redeliver: got %d, %v; want %d", n, err, want)
	}
	o.Settle()
}

// Lost while the server was down, found and delivered again once (attack 60).
func TestLostDeliveries(t *testing.T) {
	for _, status := range []int32{-1, 302, 404, 500, 503} {
		t.Run(fmt.Sprintf("attack 60: %d", status), func(t *testing.T) {
			o := newOutage(t)
			change, _ := o.open(o.ana, "topic")
			o.in.take(t, o.team)
			o.redeliver(time.Time{}, 0)
			o.down.Store(status)
			said := o.AddComment(change, o.bo, "/countersign deny not today")
			o.Review(change, o.cy, forgetest.ReviewApprove)
			o.Settle()
			o.redeliver(time.Time{}, 2) // still down: asked for, and lost again
			o.down.Store(0)
			if rings := o.in.take(t, o.team); len(rings) != 0 {
				t.Fatalf("while down: got %+v", rings)
			}
			o.redeliver(time.Now().Add(time.Hour), 0)
			o.redeliver(time.Time{}, 2)
			rings := o.in.take(t, o.team)
			if len(rings) != 2 || rings[0].Comment == nil || *rings[0].Comment != o.ref(said) {
				t.Errorf("delivered again: got %+v, want the denial first, then the review", rings)
			}
			c := known(t, "the lost denial", o.forge.Comment(t.Context(), o.ref(said)))
			if c.Body != "/countersign deny not today" || c.Author.ID.ID != o.bo.ID {
				t.Errorf("the lost denial: got %+v", c)
			}
			o.redeliver(time.Time{}, 0)
			if rings := o.in.take(t, o.team); len(rings) != 0 {
				t.Errorf("a second time: got %+v, want nothing more", rings)
			}
		})
	}
}

// Redelivered under the delivery's own GUID: the store keeps each once (attack 59).
func TestRedeliveryKeepsItsID(t *testing.T) {
	o := newOutage(t)
	o.down.Store(500)
	issue := o.OpenIssue(o.repo, o.ana, "Question", "?")
	o.AddComment(issue, o.bo, "hello")
	o.Settle()
	o.down.Store(0)
	o.redeliver(time.Time{}, 2)
	o.Redeliver(2)
	o.Settle()
	ids := map[string]int{}
	seen := o.seen()
	for _, d := range seen {
		ids[d.ID]++
	}
	if len(seen) != 4 || len(ids) != 2 {
		t.Errorf("deliveries: got %v, want two of two ids", ids)
	}
}

// At most a hundred per call; what was asked for most often comes last.
func TestRedeliveryIsBoundedAndFair(t *testing.T) {
	o := newOutage(t)
	o.down.Store(500)
	for range 130 {
		o.OpenIssue(o.repo, o.ana, "Question", "?")
	}
	o.Settle()
	o.redeliver(time.Time{}, 100)
	o.down.Store(0)
	o.redeliver(time.Time{}, 100) // the 30 that never were asked for, then 70 of the others
	o.redeliver(time.Time{}, 30)
	o.redeliver(time.Time{}, 0)
	ids := map[string]bool{}
	seen := o.seen()
	for _, d := range seen {
		ids[d.ID] = true
	}
	if len(ids) != 130 || len(seen) != 130 {
		t.Errorf("delivered: got %d of %d deliveries, want each of 130 once", len(seen), len(ids))
	}
}

func TestRedeliveryFaults(t *testing.T) {
	for _, row := range []struct {
		name  string
		fault forgetest.Fault
		want  int // asked for all the same; -1: an error of kind Unavailable
	}{
		{"the list fails", forgetest.Fault{Path: "/app/hook/deliveries", Method: "GET", Status: 502}, -1},
		{"the list is none", forgetest.Fault{Path: "/app/hook/deliveries", Method: "GET", Status: 200, Body: "null"}, -1},
		{"the list says nothing", forgetest.Fault{Path: "/app/hook/deliveries", Method: "GET", Status: 200, Body: "[{}]"}, -1},
		{"asking fails", forgetest.Fault{Path: "/attempts", Status: 500}, -1},
		{"asking goes nowhere", forgetest.Fault{Path: "/attempts", Status: 0}, -1},
		{"GitHub keeps it no longer", forgetest.Fault{Path: "/attempts", Status: 404, Times: 1}, 1},
		{"GitHub does not deliver it again", forgetest.Fault{Path: "/attempts", Status: 422, Times: 2}, 0},
	} {
		o := newOutage(t)
		o.down.Store(500)
		o.OpenIssue(o.repo, o.ana, "Question", "?")
		o.OpenIssue(o.repo, o.ana, "Question", "?")
		o.Settle()
		o.down.Store(0)
		restore := o.Fail(row.fault)
		n, err := o.forge.Redeliver(t.Context(), time.Time{})
		if row.want < 0 && gate.KindOf(err) != gate.Unavailable || row.want >= 0 && (err != nil || n != row.want) {
			t.Errorf("%s: got %d, %v", row.name, n, err)
		}
		restore()
		o.Settle()
		o.in.take(t, o.team)
		if row.want < 0 {
			o.redeliver(time.Time{}, 2)
		}
	}
}

// As on github.com, whose API has another base than an Enterprise Server's.
func TestRedeliveryHosted(t *testing.T) {
	o := newOutage(t)
	o.forge = hosted(t, o.Server)
	o.down.Store(500)
	o.OpenIssue(o.repo, o.ana, "Question", "?")
	o.Settle()
	o.down.Store(0)
	o.redeliver(time.Time{}, 1)
}
