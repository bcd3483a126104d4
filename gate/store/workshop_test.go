package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/store"
)

// queued expects how much is open in deliveries, requests, posts and policy checks.
func (w *world) queued(want ...int) []gate.Queued {
	w.Helper()
	all, err := w.s.Queues(w.ctx)
	w.must(err)
	var names []string
	var open []int
	for _, q := range all {
		names, open = append(names, q.Name), append(open, q.Open)
		if (q.Open > 0) == q.Oldest.IsZero() {
			w.Errorf("%s: expected a time where something is open, got %d and %s", q.Name, q.Open, q.Oldest)
		}
	}
	if diff := cmp.Diff("deliveries requests posts policy checks", strings.Join(names, " ")); diff != "" {
		w.Error(diff)
	}
	if diff := cmp.Diff(want, open); diff != "" {
		w.Error(diff)
	}
	return all
}

func TestQueues(t *testing.T) {
	onBoth(t, func(w *world) {
		w.queued(0, 0, 0, 0)
		first := delivery("first", "t")
		first.Received = first.Received.Add(-time.Hour)
		w.accepted(first, delivery("second", "t"))
		oldest := w.opened("a")
		w.opened("b")
		w.judged(w.opened("c"), gate.StateDenied)
		w.must(w.s.Hear(w.ctx, gate.Heard{
			Posts: []gate.Post{check("x", gate.PostPending)}, Changes: []gate.ChangeRef{change(3), change(4), change(5)},
		}))
		all := w.queued(2, 2, 1, 3)
		if !all[0].Oldest.Equal(first.Received) {
			w.Errorf("expected what was received first, got %s", all[0].Oldest)
		}
		if got := all[1].Oldest; got.Sub(oldest.Request.Created).Abs() > time.Minute {
			w.Errorf("expected when it was asked for, got %s", got)
		}
		w.must(w.s.FinishDelivery(w.ctx, w.delivered("first", minute), gate.Heard{}))
		w.must(w.s.Posted(w.ctx, w.postDue(gate.PostCheck), "1"))
		w.must(w.s.FinishChange(w.ctx, w.checking(w.s, 3, minute), nil))
		w.signed("d", check("", gate.PostSuccess)) // which nobody has to decide on any more
		w.queued(1, 2, 1, 2)
	})
}

// received lists deliveries without their times.
func (w *world) received(before int64, open bool, limit int) []gate.Received {
	w.Helper()
	got, err := w.s.Deliveries(w.ctx, before, open, limit)
	w.must(err)
	return got
}

// names of deliveries, the done ones marked.
func names(ds []gate.Received) string {
	var out []string
	for _, d := range ds {
		name := d.ID
		if !d.Done.IsZero() {
			name += "✓"
		}
		out = append(out, name)
	}
	return strings.Join(out, " ")
}

func TestDeliveries(t *testing.T) {
	onBoth(t, func(w *world) {
		if got := w.received(0, false, 10); len(got) != 0 {
			w.Errorf("expected none, got %v", got)
		}
		w.accepted(delivery("a", ""), delivery("b", ""), delivery("c", ""), delivery("d", ""))
		for _, id := range []string{"a", "b"} {
			w.must(w.s.FinishDelivery(w.ctx, w.delivered(id, minute), gate.Heard{}))
		}
		w.must(w.s.DeferDelivery(w.ctx, w.delivered("c", minute), time.Now().Add(time.Hour), "the forge is down"))
		all := w.received(0, false, 10)
		for _, row := range []struct {
			got  []gate.Received
			want string
		}{
			{all, "d c b✓ a✓"},
			{w.received(0, false, 3), "d c b✓"},
			{w.received(all[1].Seq, false, 10), "b✓ a✓"},
			{w.received(0, true, 10), "d c"},
			{w.received(all[0].Seq, true, 10), "c"},
			{w.received(all[3].Seq, false, 10), ""},
			{w.received(0, false, 0), ""},
		} {
			if got := names(row.got); got != row.want {
				w.Errorf("expected %q, got %q", row.want, got)
			}
		}
		c := all[1]
		if c.Forge != "github" || c.Event != "issue_comment" || c.Tries != 1 || c.Why != "the forge is down" || c.Received.IsZero() {
			w.Errorf("expected what is known of it, got %+v", c)
		}
	})
}

// seq is where a delivery is in the inbox.
func (w *world) seq(id string) int64 {
	w.Helper()
	for _, d := range w.received(0, false, 1000) {
		if d.ID == id {
			return d.Seq
		}
	}
	w.Fatalf("expected delivery %s, got none", id)
	return 0
}

// One that was put off goes at once; one that was done goes again, with its body.
func TestWorkAgain(t *testing.T) {
	onBoth(t, func(w *world) {
		w.accepted(delivery("a", "1#1"), delivery("b", "1#1"), delivery("c", "1#2"))
		w.must(w.s.DeferDelivery(w.ctx, w.delivered("a", minute), time.Now().Add(time.Hour), "the forge is down"))
		w.delivered("c", minute)
		w.delivered("", minute)
		w.must(w.s.WorkAgain(w.ctx, w.seq("a")))
		a := w.delivered("a", minute)
		w.must(w.s.WorkAgain(w.ctx, w.seq("a"))) // under way: it keeps its lease
		w.delivered("", minute)
		w.must(w.s.FinishDelivery(w.ctx, a, gate.Heard{}))
		w.must(w.s.WorkAgain(w.ctx, w.seq("a")))
		w.queued(3, 0, 0, 0)
		if diff := cmp.Diff(a, w.delivered("a", minute)); diff != "" { // before b, which came later
			w.Error(diff)
		}
		w.delivered("", minute)
		w.must(w.s.FinishDelivery(w.ctx, a, gate.Heard{}))
		b := w.delivered("b", minute)
		w.refused(gate.CodeTransition, w.s.WorkAgain(w.ctx, w.seq("a"))) // b must not be overtaken now
		w.must(w.s.FinishDelivery(w.ctx, b, gate.Heard{}))
		w.must(w.s.WorkAgain(w.ctx, w.seq("b")))
		w.must(w.s.WorkAgain(w.ctx, w.seq("a")))
		w.delivered("a", minute)
		err := w.s.WorkAgain(w.ctx, 1<<40)
		w.refused(gate.CodeRequestUnknown, err)
		if gate.KindOf(err) != gate.NotFound {
			w.Errorf("expected that it is not found, got %v", err)
		}
	})
}

// A delivery that is worked again waits for its tenant's turn like every other.
func TestWorkAgainInTurn(t *testing.T) {
	onBoth(t, func(w *world) {
		w.accepted(delivery("noisy", "1#1"))
		w.must(w.s.FinishDelivery(w.ctx, w.delivered("noisy", minute), gate.Heard{}))
		for n := range 5 {
			w.accepted(delivery(fmt.Sprint("noisy ", n), fmt.Sprint("1#", n+2)))
		}
		w.accepted(delivery("quiet", "2#1"))
		w.must(w.s.WorkAgain(w.ctx, w.seq("noisy")))
		first, second := w.next(), w.next()
		if (first == "quiet") == (second == "quiet") {
			w.Errorf("expected the quiet one among the first two, got %s and %s", first, second)
		}
	})
}

// next claims whatever is next.
func (w *world) next() string {
	w.Helper()
	d, ok, err := w.s.ClaimDelivery(w.ctx, "worker", minute)
	w.must(err)
	if !ok {
		w.Fatal("expected a delivery, got none")
	}
	return d.ID
}

// However operators click while replicas work, a thread's deliveries are worked one at a time.
func TestWorkAgainUnderLoad(t *testing.T) {
	onBoth(t, func(w *world) {
		const deliveries, clicks = 6, 40
		for n := range deliveries {
			w.accepted(delivery(fmt.Sprint(n), "1#1"))
		}
		other := w.open()
		stop, ended := make(chan struct{}), make(chan error)
		go func() {
			defer close(stop)
			for n := range clicks {
				err := other.WorkAgain(w.ctx, int64(n%deliveries+1))
				if err != nil && gate.CodeOf(err) != gate.CodeTransition {
					w.Error(err)
				}
			}
		}()
		busy := make(chan struct{}, 1)
		for _, s := range []*store.Store{w.s, other} {
			go func() { ended <- oneAtATime(w, s, busy, stop) }()
		}
		w.must(<-ended)
		w.must(<-ended)
		if got := names(w.received(0, false, 10)); got != "5✓ 4✓ 3✓ 2✓ 1✓ 0✓" {
			w.Errorf("expected that everything is done, got %s", got)
		}
	})
}

// oneAtATime works until nobody clicks any more and nothing is left.
func oneAtATime(w *world, s *store.Store, busy chan struct{}, stop <-chan struct{}) error {
	for {
		stopped := false
		select {
		case <-stop:
			stopped = true
		default:
		}
		d, ok, err := s.ClaimDelivery(w.ctx, "worker", minute)
		switch {
		case err != nil:
			return err
		case !ok && stopped:
			return nil
		case !ok:
			continue
		}
		select {
		case busy <- struct{}{}:
		default:
			return fmt.Errorf("expected one at a time, got %s beside another", d.ID)
		}
		<-busy
		if err := s.FinishDelivery(w.ctx, d, gate.Heard{}); err != nil {
			return err
		}
	}
}

// What a delivery said is forgotten some days after it was done.
func TestBodiesAreForgotten(t *testing.T) {
	onBoth(t, func(w *world) {
		for n := range 5 {
			w.accepted(delivery(fmt.Sprint("old ", n), ""))
			w.must(w.s.FinishDelivery(w.ctx, w.delivered(fmt.Sprint("old ", n), minute), gate.Heard{}))
		}
		w.accepted(delivery("open", ""))
		w.must(w.s.DeferDelivery(w.ctx, w.delivered("open", minute), time.Now().Add(time.Hour), ""))
		bodies := func(want int) {
			w.Helper()
			if got := w.column("SELECT delivery_id FROM inbox WHERE length(body) > 0"); len(got) != want {
				w.Errorf("expected %d bodies, got %q", want, got)
			}
		}
		bodies(6)
		_, err := w.raw().ExecContext(w.ctx, "UPDATE inbox SET done_at = done_at - 3 * 86400000000 WHERE done_at > 0")
		w.must(err)
		w.heard(gate.Heard{})
		w.heard(gate.Heard{})
		bodies(3) // the open one, and two that were done just now
		w.refused(gate.CodeTransition, w.s.WorkAgain(w.ctx, w.seq("old 0")))
		w.must(w.s.WorkAgain(w.ctx, w.seq("open")))
		w.delivered("open", minute)
	})
}

func TestSigningMicros(t *testing.T) {
	onBoth(t, func(w *world) {
		micros := func(limit, want int) []int64 {
			w.Helper()
			got, err := w.s.SigningMicros(w.ctx, limit)
			w.must(err)
			if len(got) != want {
				w.Errorf("expected %d, got %v", want, got)
			}
			return got
		}
		micros(10, 0)
		w.signing("under way", minute)
		w.signed("a")
		rec, is := w.signing("b", minute)
		time.Sleep(5 * time.Millisecond)
		_, err := w.complete(rec, signatures(is), nil)
		w.must(err)
		if got := micros(10, 2); got[0] < 5000 {
			w.Errorf("expected at least 5000 µs for the newest, got %v", got)
		}
		micros(1, 1)
		micros(0, 0)
	})
}
