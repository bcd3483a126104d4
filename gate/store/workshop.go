package store

import (
	"context"
	"fmt"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/store/internal/db"
)

const (
	// bodiesKept is how long the body of a delivery stays after the work on it, so that
	// the work can be done again: what was not understood may be, by a newer version.
	bodiesKept = 72 * time.Hour
	// bodiesAtOnce is how many old bodies go with one delivery that is finished.
	bodiesAtOnce = 3
)

// Queues tells how much work waits, one entry per queue: deliveries to be heard, requests
// that nobody has decided, posts to be told, changes of policies to look at.
func (s *Store) Queues(ctx context.Context) ([]gate.Queued, error) {
	q := s.read()
	inTurn := func(queue string) func(context.Context) (int64, error) {
		return func(ctx context.Context) (int64, error) { return q.InTurn(ctx, queue) }
	}
	var out []gate.Queued
	for _, of := range []struct {
		name         string
		open, oldest func(context.Context) (int64, error)
	}{
		{"deliveries", inTurn(queueDelivery), q.OldestDelivery},
		{"requests", q.Undecided, q.OldestUndecided},
		{"posts", inTurn(queuePost), q.OldestPost},
		{"policy checks", inTurn(queueChange), q.OldestChange},
	} {
		open, err := of.open(ctx)
		if err != nil {
			return nil, fault("count the open "+of.name, err)
		}
		oldest, err := of.oldest(ctx)
		if _, err := found(err); err != nil {
			return nil, fault("look for the oldest of the "+of.name, err)
		}
		out = append(out, gate.Queued{Name: of.name, Open: int(open), Oldest: fromMicros(oldest)})
	}
	return out, nil
}

// Deliveries lists what was received, the newest first, before a position; 0 starts at the
// newest. open leaves out what is done.
func (s *Store) Deliveries(ctx context.Context, before int64, open bool, limit int) ([]gate.Received, error) {
	if before <= 0 {
		before = never
	}
	var rows []db.ReceivedRow
	var err error
	if open {
		var some []db.ReceivedOpenRow
		some, err = s.read().ReceivedOpen(ctx, db.ReceivedOpenParams{Before: before, Most: most(limit)})
		for _, r := range some {
			rows = append(rows, db.ReceivedRow(r))
		}
	} else {
		rows, err = s.read().Received(ctx, db.ReceivedParams{Before: before, Most: most(limit)})
	}
	if err != nil {
		return nil, fault("list deliveries", err)
	}
	out := make([]gate.Received, 0, len(rows))
	for _, r := range rows {
		out = append(out, gate.Received{
			Seq: r.Seq, Forge: gate.ForgeID(r.Forge), ID: r.DeliveryID, Event: r.Event, Received: fromMicros(r.ReceivedAt),
			Done: fromMicros(r.DoneAt), Tries: int(r.Tries), Why: r.Why,
		})
	}
	return out, nil
}

// WorkAgain makes a delivery due at once, done or not. One that was done takes its old
// place: before those of its thread that came after it. Errors: CodeRequestUnknown of kind
// NotFound where there is none at that position; CodeTransition where it was done so long
// ago that its body is gone, or where a later one of its thread is being worked on;
// CodeDeliveriesFull as of Accept.
func (s *Store) WorkAgain(ctx context.Context, seq int64) error {
	return s.transact(ctx, fmt.Sprintf("work delivery %d again", seq), func(ctx context.Context, u *unit) error {
		row, err := u.q.DeliveryForUpdate(ctx, seq)
		ok, err := found(err)
		switch {
		case err != nil:
			return err
		case !ok:
			return &gate.Error{
				Kind: gate.NotFound, Code: gate.CodeRequestUnknown, Text: "there is no such delivery",
				Expected: "the position of a delivery", Got: fmt.Sprint(seq), Fix: "load the list of deliveries again",
			}
		case row.DoneAt > 0:
			if err := u.mayReopen(ctx, row); err != nil {
				return err
			}
		}
		t := deliveryTenant(gate.Delivery{Forge: gate.ForgeID(row.Forge), Thread: row.Thread, Tenant: row.Tenant})
		if row.DoneAt > 0 {
			u.arrive(t)
		} else {
			u.stir(t, u.at)
		}
		u.news = true
		return u.q.ReopenDelivery(ctx, db.ReopenDeliveryParams{DueAt: u.at, Tenant: t.name, Seq: seq})
	})
}

// mayReopen locks the open deliveries of the thread: none of them can be claimed before
// this one has its place again.
func (u *unit) mayReopen(ctx context.Context, row db.DeliveryForUpdateRow) error {
	if row.Size == 0 {
		return &gate.Error{
			Kind: gate.Conflict, Code: gate.CodeTransition, Text: "what this delivery said is not kept any more",
			Expected: fmt.Sprintf("a delivery that was done within the last %d hours", int(bodiesKept.Hours())),
			Got:      "one of " + fromMicros(row.DoneAt).Format(time.DateOnly),
			Fix:      "have the request judged again: /countersign retry in its thread",
		}
	}
	if row.Thread == "" {
		return nil
	}
	later, err := u.q.OpenOfThreadForUpdate(ctx, db.OpenOfThreadForUpdateParams{Forge: row.Forge, Thread: row.Thread})
	if err != nil {
		return fmt.Errorf("look for open deliveries of the same thread: %w", err)
	}
	for _, l := range later {
		if l.LeaseUntil > u.at {
			return transition("the thread of this delivery", "nothing of it under way",
				fmt.Sprintf("delivery %d, which is being worked on", l.Seq))
		}
	}
	return nil
}

// dropBodies forgets what some of the deliveries said that were done long ago.
func (u *unit) dropBodies(ctx context.Context) error {
	old, err := u.q.KeptBodiesSkipLocked(ctx, db.KeptBodiesSkipLockedParams{
		Before: u.at - bodiesKept.Microseconds(), Most: bodiesAtOnce,
	})
	if err != nil {
		return fmt.Errorf("look for bodies of deliveries that were done long ago: %w", err)
	}
	for _, seq := range old {
		if err := u.q.DropBody(ctx, db.DropBodyParams{Nothing: []byte{}, Seq: seq}); err != nil {
			return fmt.Errorf("drop the body of delivery %d: %w", seq, err)
		}
	}
	return nil
}

// SigningMicros are how long the newest releases took to sign, from their intents to their
// signatures, in microseconds; the newest first.
func (s *Store) SigningMicros(ctx context.Context, limit int) ([]int64, error) {
	micros, err := s.read().SigningMicros(ctx, most(limit))
	if err != nil {
		return nil, fault("list how long signing took", err)
	}
	return micros, nil
}
