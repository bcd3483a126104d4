package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/store/internal/db"
)

// The queues in which tenants take turns (attack 63): whoever was served longest ago is
// served next, however much somebody else has waiting. A tenant is a repository; of
// deliveries, whoever they say that they are about.
const (
	queueDelivery = "delivery"
	queueRequest  = "request"
	queuePost     = "post"
	queueChange   = "change"
)

// How much one tenant may have open at a time. What is over it is refused before it is
// stored: a flood costs its own tenant, and nobody else.
const (
	requestsMost   = 200
	deliveriesMost = 5000
)

const (
	// turnsAtOnce is how many tenants one transaction looks at for something to claim.
	turnsAtOnce = 32
	// blockedRetry is when to look again at what waits for something else than time.
	// Whatever ends that wait makes the tenant due at once: this is the safety net.
	blockedRetry = 10 * time.Second
	// putOffMost is how long a tenant with something open is not looked at, at most.
	putOffMost = time.Minute
)

// tenant is one tenant's place in one queue.
type tenant struct{ queue, forge, name string }

func repositoryTenant(queue, forge string, repository int64) tenant {
	return tenant{queue: queue, forge: forge, name: strconv.FormatInt(repository, 10)}
}

func postTenant(p gate.Post) tenant {
	return repositoryTenant(queuePost, string(p.Repository.Forge), p.Repository.ID)
}

// turn is what a transaction does to a tenant's place.
type turn struct {
	opened int64 // more, or fewer, rows are open
	due    int64 // something may be claimed from then on; never for nothing new
	served bool
	off    *putOff
}

// putOff is that there is nothing to claim until then, as of a state of the place.
type putOff struct{ until, changes int64 }

const never = int64(1<<63 - 1)

func (u *unit) turn(t tenant) *turn {
	if u.turns == nil {
		u.turns = map[tenant]*turn{}
	}
	if u.turns[t] == nil {
		u.turns[t] = &turn{due: never}
	}
	return u.turns[t]
}

// arrive counts a new open row.
func (u *unit) arrive(t tenant) {
	x := u.turn(t)
	x.opened++
	x.due = min(x.due, u.at)
}

// leave counts rows that ended; what waited for them may go.
func (u *unit) leave(t tenant, rows int64) {
	if rows == 0 {
		return
	}
	x := u.turn(t)
	x.opened -= rows
	x.due = min(x.due, u.at)
}

// stir makes a tenant due where one of its rows is due from at on.
func (u *unit) stir(t tenant, at int64) {
	if at > 0 {
		x := u.turn(t)
		x.due = min(x.due, at)
	}
}

// takeTurns writes the places. It comes at the end of a transaction and in one order, so
// that nobody who holds a place waits for anything but another place.
func (u *unit) takeTurns(ctx context.Context) error {
	tenants := make([]tenant, 0, len(u.turns))
	for t := range u.turns {
		tenants = append(tenants, t)
	}
	slices.SortFunc(tenants, func(a, b tenant) int {
		return cmp.Or(cmp.Compare(a.queue, b.queue), cmp.Compare(a.forge, b.forge), cmp.Compare(a.name, b.name))
	})
	for _, t := range tenants {
		if err := u.takeTurn(ctx, t, *u.turns[t]); err != nil {
			return err
		}
	}
	return nil
}

func (u *unit) takeTurn(ctx context.Context, t tenant, x turn) error {
	if x.served {
		if err := u.q.ServeTurn(ctx, db.ServeTurnParams{
			Now: u.at, Queue: t.queue, Forge: t.forge, Tenant: t.name,
		}); err != nil {
			return fmt.Errorf("serve %s %s in queue %s: %w", t.forge, t.name, t.queue, err)
		}
	}
	switch {
	case x.due != never:
		return u.changeTurn(ctx, t, x)
	case x.off != nil:
		if err := u.q.PutTurnOff(ctx, db.PutTurnOffParams{
			DueAt: x.off.until, Queue: t.queue, Forge: t.forge, Tenant: t.name, Changes: x.off.changes,
		}); err != nil {
			return fmt.Errorf("put %s %s in queue %s off: %w", t.forge, t.name, t.queue, err)
		}
	}
	return nil
}

func (u *unit) changeTurn(ctx context.Context, t tenant, x turn) error {
	if x.opened > 0 {
		open, err := u.q.ArriveInTurn(ctx, db.ArriveInTurnParams{
			Queue: t.queue, Forge: t.forge, Tenant: t.name, Open: x.opened, DueAt: x.due,
		})
		if err != nil {
			return fmt.Errorf("count what %s %s has in queue %s: %w", t.forge, t.name, t.queue, err)
		}
		return full(t, open)
	}
	n, err := u.q.ChangeTurn(ctx, db.ChangeTurnParams{
		Closed: -x.opened, DueAt: x.due, Queue: t.queue, Forge: t.forge, Tenant: t.name,
	})
	if err == nil && n == 0 && x.opened < 0 {
		err = internal("expected that it has a turn, got none")
	}
	if err != nil {
		return fmt.Errorf("count what %s %s has in queue %s: %w", t.forge, t.name, t.queue, err)
	}
	return nil
}

// haveRoom refuses a unit of a shared transaction that would open too much, with what the
// others open. Another replica may open more in this very moment: what counts is changeTurn.
func (u *unit) haveRoom(ctx context.Context, all *unit) error {
	for t, x := range u.turns {
		if x.opened <= 0 || t.queue != queueRequest && t.queue != queueDelivery {
			continue
		}
		open, err := u.q.OpenInTurn(ctx, db.OpenInTurnParams{Queue: t.queue, Forge: t.forge, Tenant: t.name})
		if _, err := found(err); err != nil {
			return fmt.Errorf("count what %s %s has in queue %s: %w", t.forge, t.name, t.queue, err)
		}
		if other := all.turns[t]; other != nil {
			open += other.opened
		}
		if err := full(t, open+x.opened); err != nil {
			return err
		}
	}
	return nil
}

// full refuses what a tenant may not have open at a time.
func full(t tenant, open int64) error {
	switch {
	case t.queue == queueRequest && open > requestsMost:
		return &gate.Error{
			Kind: gate.Conflict, Code: gate.CodeRequestsFull, Text: "the repository has too many open release requests",
			Expected: fmt.Sprintf("at most %d at a time", requestsMost), Got: "one more",
			Fix: "have some of them approved, denied or withdrawn, or wait until they expire; then ask again",
		}
	case t.queue == queueDelivery && open > deliveriesMost:
		return &gate.Error{
			Kind: gate.Unavailable, Code: gate.CodeDeliveriesFull,
			Text:     "too many deliveries about this repository wait to be worked off",
			Expected: fmt.Sprintf("at most %d at a time", deliveriesMost), Got: "one more",
			Fix: "deliver it again later; if it stays, look at what the server waits for in its log",
		}
	}
	return nil
}

// claimer claims the next row of a tenant, and says when there may be one where there is
// none now (0 for not by time alone).
type claimer struct {
	claim func(ctx context.Context, u *unit, t db.Turn) (bool, error)
	next  func(ctx context.Context, u *unit, t db.Turn) (int64, error)
}

// claimInTurn lets the tenants of a queue take turns. A transaction that found nothing
// puts off those it looked at, and the next one looks at others.
func (s *Store) claimInTurn(ctx context.Context, doing, queue string, c claimer) (bool, error) {
	for {
		var ok, more bool
		err := s.transact(ctx, doing, func(ctx context.Context, u *unit) error {
			ok, more = false, false
			if due, err := u.q.AnyTurn(ctx, db.AnyTurnParams{Queue: queue, Now: u.at}); err != nil || !due {
				return err
			}
			turns, err := u.q.NextTurns(ctx, db.NextTurnsParams{Queue: queue, Now: u.at, Most: turnsAtOnce})
			if err != nil {
				return fmt.Errorf("read the turns of queue %s: %w", queue, err)
			}
			more = len(turns) == turnsAtOnce
			ok, err = u.claimFrom(ctx, turns, c)
			return err
		})
		if err != nil || ok || !more {
			return ok && err == nil, err
		}
	}
}

func (u *unit) claimFrom(ctx context.Context, turns []db.Turn, c claimer) (bool, error) {
	// Whose turn it was a moment ago in the same transaction comes last.
	slices.SortStableFunc(turns, func(a, b db.Turn) int { return cmp.Compare(u.waited(a), u.waited(b)) })
	for _, t := range turns {
		mine := u.turn(tenant{queue: t.Queue, forge: t.Forge, name: t.Tenant})
		ok, err := c.claim(ctx, u, t)
		if err != nil {
			return false, err
		}
		if ok {
			mine.served = true
			return true, nil
		}
		next, err := c.next(ctx, u, t)
		if err != nil {
			return false, fmt.Errorf("look when %s %s is next in queue %s: %w", t.Forge, t.Tenant, t.Queue, err)
		}
		most := u.at + putOffMost.Microseconds()
		if next == 0 {
			next = most
		}
		if next > u.at { // otherwise another replica claims it in this very moment
			mine.off = &putOff{until: min(next, most), changes: t.Changes}
		}
	}
	return false, nil
}

// waited is 1 for a tenant that was served in the same transaction.
func (u *unit) waited(t db.Turn) int {
	if u.served[tenant{queue: t.Queue, forge: t.Forge, name: t.Tenant}] {
		return 1
	}
	return 0
}

// blocked is when to look again at rows that are due and wait for other rows.
func (u *unit) blocked() int64 { return u.at + blockedRetry.Microseconds() }

// turnOf is the repository that a place in a queue of repositories stands for.
func turnOf(t db.Turn) (int64, error) {
	id, err := strconv.ParseInt(t.Tenant, 10, 64)
	if err != nil {
		return 0, internal("read a turn: expected a repository's number, got %q", t.Tenant)
	}
	return id, nil
}
