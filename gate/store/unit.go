package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/countersign/countersign/gate/store/internal/db"
)

// tries is how often a transaction that lost a deadlock runs.
const tries = 5

// unit is one transaction under way.
type unit struct {
	q  *db.Queries
	at int64 // the database's time, µs
	// leaves wait for the end of the transaction, so that the ledger's head is the last
	// row it locks; turns come right before it.
	leaves []pending
	// turns are what it does to the tenants' places in the queues.
	turns map[tenant]*turn
	// served are the tenants whose turn it was in the same transaction already.
	served map[tenant]bool
	// news is set where other workers may have something to do afterwards.
	news bool
}

// transact runs f as one unit: all of it is stored, or nothing. f may run more than once and
// must not change anything but what u and its own results are. Units that come while
// another is under way share the next transaction.
func (s *Store) transact(ctx context.Context, doing string, f func(context.Context, *unit) error) error {
	return s.retried(ctx, doing, f, s.shared(ctx, f))
}

// alone is transact for what locks the ledger's head before anything else: it shares its
// transaction with nobody.
func (s *Store) alone(ctx context.Context, doing string, f func(context.Context, *unit) error) error {
	return s.retried(ctx, doing, f, s.once(ctx, f, patient))
}

// retried runs f again, in a transaction of its own, where err says that the first one was
// lost to others.
func (s *Store) retried(ctx context.Context, doing string, f func(context.Context, *unit) error, err error) error {
	for try := 1; mayRetry(err) && try < tries; try++ {
		err = s.once(ctx, f, patient)
	}
	return fault(doing, err)
}

// once runs f in a transaction of its own.
func (s *Store) once(ctx context.Context, f func(context.Context, *unit) error, p patience) error {
	return s.inTransaction(ctx, p, func(ctx context.Context, tx *sql.Tx, u *unit) error {
		if err := f(ctx, u); err != nil {
			return err
		}
		return s.finish(ctx, tx, u)
	})
}

// finish takes the turns and adds the leaves, with the head as the last row to be locked, and
// tells the other replicas.
func (s *Store) finish(ctx context.Context, tx *sql.Tx, u *unit) error {
	if s.engine == Postgres && len(u.turns)+len(u.leaves) > 0 {
		// Whoever has these rows has nothing else to wait for: they are worth the wait.
		if _, err := tx.ExecContext(ctx, "SET LOCAL lock_timeout = 0"); err != nil {
			return fmt.Errorf("wait for turns and the ledger's head: %w", err)
		}
	}
	if err := u.takeTurns(ctx); err != nil {
		return err
	}
	if err := u.flush(ctx); err != nil {
		return err
	}
	if u.news && s.engine == Postgres {
		if _, err := tx.ExecContext(ctx, "SELECT pg_notify($1, '')", channel); err != nil {
			return fmt.Errorf("notify the replicas: %w", err)
		}
	}
	return nil
}

// inTransaction begins a transaction, has it filled, and commits it.
func (s *Store) inTransaction(
	ctx context.Context, p patience, fill func(context.Context, *sql.Tx, *unit) error,
) (err error) {
	if s.engine == SQLite {
		if err := s.prepared.compile(ctx, s.writer); err != nil {
			return err
		}
	}
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() {
		// After a commit this is sql.ErrTxDone; after anything else the first error counts.
		if e := tx.Rollback(); e != nil && !errors.Is(e, sql.ErrTxDone) {
			err = errors.Join(err, fmt.Errorf("roll back: %w", e))
		}
	}()
	at, err := s.clock(ctx, tx, p)
	if err != nil {
		return err
	}
	u := &unit{q: s.queries(tx), at: at}
	if s.engine == SQLite {
		u.q = db.New(quick{tx, s.prepared})
	}
	if err := fill(ctx, tx, u); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit (its outcome may be unknown): %w", err)
	}
	if u.news {
		s.bell.ring()
	}
	return nil
}

// patience is how long a transaction waits for rows that another replica's has, as
// PostgreSQL's lock_timeout says it.
type patience string

const (
	patient  patience = "0"    // until it has them, or a deadlock is found
	busy     patience = "20ms" // others wait for this transaction
	overtime patience = "1ms"  // and have waited once already
)

// clock is the time by which leases are counted: the database's, so that replicas
// with different clocks agree. SQLite has one process and its clock. How long to wait for
// rows is said in the same breath.
func (s *Store) clock(ctx context.Context, tx *sql.Tx, p patience) (int64, error) {
	if s.engine == SQLite {
		return s.now().UnixMicro(), nil
	}
	var at int64
	var timeout string
	const q = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT), set_config('lock_timeout', $1, true)"
	if err := tx.QueryRowContext(ctx, q, string(p)).Scan(&at, &timeout); err != nil {
		return 0, fmt.Errorf("read the database's clock: %w", err)
	}
	return at, nil
}

// until is the end of a lease that begins now.
func (u *unit) until(lease time.Duration) int64 { return u.at + lease.Microseconds() }

// micros is t as the database holds it: µs, and 0 for the zero time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

func flag(b bool) int32 {
	if b {
		return 1
	}
	return 0
}
