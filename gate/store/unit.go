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
	// news is set where other workers may have something to do afterwards.
	news bool
}

// transact runs f as one transaction. f may run more than once and must not change
// anything but what u and its own results are.
func (s *Store) transact(ctx context.Context, doing string, f func(context.Context, *unit) error) error {
	for try := 1; ; try++ {
		err := s.once(ctx, f)
		if err == nil || try == tries || !mayRetry(err) {
			return fault(doing, err)
		}
	}
}

// alone is transact for what locks the ledger's head before anything else: it shares its
// transaction with nobody.
func (s *Store) alone(ctx context.Context, doing string, f func(context.Context, *unit) error) error {
	return s.transact(ctx, doing, f)
}

func (s *Store) once(ctx context.Context, f func(context.Context, *unit) error) (err error) {
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
	at, err := s.clock(ctx, tx)
	if err != nil {
		return err
	}
	u := &unit{q: s.queries(tx), at: at}
	if err := f(ctx, u); err != nil {
		return err
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
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit (its outcome may be unknown): %w", err)
	}
	if u.news {
		s.bell.ring()
	}
	return nil
}

// clock is the time by which leases are counted: the database's, so that replicas
// with different clocks agree. SQLite has one process and its clock.
func (s *Store) clock(ctx context.Context, tx *sql.Tx) (int64, error) {
	if s.engine == SQLite {
		return s.now().UnixMicro(), nil
	}
	var at int64
	const q = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)"
	if err := tx.QueryRowContext(ctx, q).Scan(&at); err != nil {
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
