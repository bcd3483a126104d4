package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// groupMost is how many units share a transaction: as many savepoints PostgreSQL keeps
	// at hand.
	groupMost = 64
	// groupTime is how long a shared transaction may take, whatever its members' contexts
	// say: nobody's leaving ends what the others wait for.
	groupTime = 10 * time.Second
)

// group gathers units of this process, so that many are committed, and synced to disk, at
// once. There is no timer: whoever comes first runs alone and at once; those who come
// meanwhile go together next, led by the first of them in its own goroutine.
type group struct {
	mu      sync.Mutex
	led     bool // somebody leads
	waiting []*member
}

// member is one unit and its caller, who waits.
type member struct {
	ctx context.Context //nolint:containedctx // the caller's, who waits for its end
	f   func(context.Context, *unit) error
	err error
	// called tells the caller: true to lead the next transaction, false that err is known.
	called chan bool
}

// shared runs f in a transaction with others that come at the same time.
func (s *Store) shared(ctx context.Context, f func(context.Context, *unit) error) error {
	m := &member{ctx: ctx, f: f, called: make(chan bool, 1)}
	if s.group.join(m) || s.group.wait(m) {
		s.lead(m) //nolint:contextcheck // each unit runs under its own caller's context
	}
	return m.err
}

// join is true where nobody leads: then m does.
func (g *group) join(m *member) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.led {
		g.waiting = append(g.waiting, m)
		return false
	}
	g.led = true
	return true
}

// wait waits until m is to lead, or its unit has come to an end. Whoever gives up before
// its unit is begun leaves; after that it waits for the outcome.
func (g *group) wait(m *member) (lead bool) {
	select {
	case lead = <-m.called:
		return lead
	case <-m.ctx.Done():
	}
	if g.leave(m) {
		m.err = m.ctx.Err()
		return false
	}
	return <-m.called
}

func (g *group) leave(m *member) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, w := range g.waiting {
		if w == m {
			g.waiting = append(g.waiting[:i], g.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// take gives the leader those who go with it, itself first.
func (g *group) take(m *member) []*member {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := min(groupMost-1, len(g.waiting))
	all := append([]*member{m}, g.waiting[:n]...)
	g.waiting = append([]*member(nil), g.waiting[n:]...)
	return all
}

// pass calls the next leader.
func (g *group) pass() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.waiting) == 0 {
		g.led = false
		return
	}
	next := g.waiting[0]
	g.waiting = g.waiting[1:]
	next.called <- true
}

func (s *Store) lead(m *member) {
	all := s.group.take(m)
	for _, x := range all {
		x.err = errShared
	}
	defer func() { // also where a unit panics: nobody waits for ever
		s.group.pass()
		for _, x := range all[1:] {
			x.called <- false
		}
	}()
	if len(all) == 1 {
		m.err = s.once(m.ctx, m.f, busy)
		return
	}
	s.together(all)
}

// together runs the units in one transaction, each in a savepoint, so that an error is its
// own unit's alone. What ends the whole transaction before its commit leaves all of them to
// run again; a commit of unknown outcome is told to all that it was to store.
func (s *Store) together(all []*member) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(all[0].ctx), groupTime)
	defer cancel()
	errs := make([]error, len(all))
	err := s.inTransaction(ctx, busy, func(ctx context.Context, tx *sql.Tx, u *unit) error {
		for i, m := range all {
			var broken error
			if errs[i], broken = s.within(ctx, tx, u, m); broken != nil {
				return errors.Join(errShared, broken, errs[i])
			}
		}
		if err := s.finish(ctx, tx, u); err != nil {
			return errors.Join(errShared, err)
		}
		return nil
	})
	for i, m := range all {
		switch {
		case err == nil || errs[i] != nil && !errors.Is(err, errShared):
			m.err = errs[i]
		case refused(err):
			m.err = errors.Join(errShared, err)
		default:
			m.err = err
		}
	}
}

// within runs one member's unit in a savepoint, and adds what it leaves for the end to the
// transaction's. broken is an error that the whole transaction does not survive.
func (s *Store) within(ctx context.Context, tx *sql.Tx, all *unit, m *member) (err, broken error) {
	if err := m.ctx.Err(); err != nil {
		return err, nil
	}
	if _, err := tx.ExecContext(ctx, "SAVEPOINT member"); err != nil {
		return nil, fmt.Errorf("set a savepoint: %w", err)
	}
	mine, cancel := context.WithTimeout(context.WithoutCancel(m.ctx), groupTime)
	defer cancel()
	u := &unit{q: all.q, at: all.at, served: all.served}
	if err = m.f(mine, u); err == nil { //nolint:contextcheck // its own caller's
		err = u.haveRoom(mine, all) //nolint:contextcheck // its own caller's
	}
	if err == nil {
		all.take(u)
		if _, err := tx.ExecContext(ctx, "RELEASE SAVEPOINT member"); err != nil {
			return nil, fmt.Errorf("release a savepoint: %w", err)
		}
		return nil, nil
	}
	for _, q := range undo(err, s.engine) {
		if _, e := tx.ExecContext(ctx, q); e != nil {
			return err, fmt.Errorf("roll back to a savepoint: %w", e)
		}
	}
	return err, nil
}

// take adds what a member's unit leaves for the end of the transaction.
func (u *unit) take(m *unit) {
	u.leaves, u.news = append(u.leaves, m.leaves...), u.news || m.news
	for t, x := range m.turns {
		mine := u.turn(t)
		mine.opened, mine.due, mine.served = mine.opened+x.opened, min(mine.due, x.due), mine.served || x.served
		if x.off != nil {
			mine.off = x.off
		}
		if x.served {
			if u.served == nil {
				u.served = map[tenant]bool{}
			}
			u.served[t] = true
		}
	}
}

// undo rolls one unit back. After one that waited for a row in vain, the others wait no more.
func undo(err error, engine Engine) []string {
	out := []string{"ROLLBACK TO SAVEPOINT member", "RELEASE SAVEPOINT member"}
	if engine == Postgres && lockedOut(err) {
		out = append(out, "SET LOCAL lock_timeout = '"+string(overtime)+"'")
	}
	return out
}
