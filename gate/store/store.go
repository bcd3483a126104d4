// Package store keeps what the gate must not forget: deliveries, requests and the
// decisions on them, signing intents and signatures, posts, adopted policies, and
// the ledger's leaves. It runs on SQLite (one replica) and PostgreSQL (many), with
// one set of queries.
//
// Every method that changes something is one transaction: rows, leaves and posts
// together or not at all. A method that returns an error of kind Unavailable may
// still have committed, where the connection was lost at the commit: every one of
// them may be called again, and answers with CodeTransition (or does nothing) where
// the first call did its work.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/countersign/countersign/gate/store/internal/db"
)

// Store is an open database. Its methods may be called concurrently.
type Store struct {
	engine Engine
	// writer is a single connection on SQLite, so that writers queue in the process
	// instead of failing in the database; reader is the same pool as writer on PostgreSQL.
	writer, reader *sql.DB
	now            func() time.Time
	code           func() (string, error)
	bell           *bell
	held           *held
	group          group
	prepared       *prepared // the writer's queries on SQLite
	stop           func()    // ends the listener and waits for it
}

// Open opens the database, brings its schema up to date, and fails where it was
// made by a newer version. Errors are *gate.Error: CodeConfig for a configuration
// that cannot work, CodeStoreUnavailable otherwise.
func Open(ctx context.Context, c Config) (*Store, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	s := &Store{engine: c.Engine, now: c.Now, code: c.Codes, bell: newBell(), held: newHeld(), prepared: newPrepared(), stop: func() {}}
	if s.code == nil {
		s.code = newCode
	}
	var err error
	if c.Engine == Postgres {
		err = s.openPostgres(ctx, c)
	} else {
		err = s.openSQLite(ctx, c)
	}
	if err == nil {
		err = s.completeOlder(ctx)
	}
	if err != nil {
		return nil, fault("open the database", errors.Join(err, s.Close()))
	}
	return s, nil
}

// Close ends the listener and closes all connections. A transaction under way is
// rolled back.
func (s *Store) Close() error {
	s.stop()
	var errs []error
	if s.reader != nil && s.reader != s.writer {
		errs = append(errs, s.reader.Close())
	}
	if s.writer != nil {
		errs = append(errs, s.writer.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close the database: %w", err)
	}
	return nil
}

// Ready reports whether the database answers.
func (s *Store) Ready(ctx context.Context) error {
	if _, err := s.read().LedgerSize(ctx); err != nil {
		return fault("read the ledger's head", err)
	}
	return nil
}

// read is the queries outside of any transaction: each sees what was committed
// when it began.
func (s *Store) read() *db.Queries { return s.queries(s.reader) }

func (s *Store) queries(d db.DBTX) *db.Queries {
	if s.engine == Postgres {
		return db.New(locking{d})
	}
	return db.New(d)
}
