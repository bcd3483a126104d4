package store

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/countersign/countersign/gate"
)

// fault classifies what went wrong while doing something. Errors of ours pass; a
// broken constraint is a fault of the program; everything else is the database's,
// and may pass with time.
func fault(doing string, err error) error {
	var ours *gate.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &ours):
		return err
	case isConstraint(err):
		return internal("%s: %w", doing, err)
	}
	return &gate.Error{
		Kind: gate.Unavailable, Code: gate.CodeStoreUnavailable, Text: "the database did not answer as it should",
		Fix: "try again in a moment; if it stays, look at the server's log and disk",
		Err: fmt.Errorf("%s: %w", doing, err),
	}
}

// internal is an error that only a fault of the program leads to.
func internal(format string, args ...any) error {
	return &gate.Error{
		Kind: gate.Internal, Code: gate.CodeInternal, Text: "the gate made a mistake",
		Fix: "report it with the server's log", Err: fmt.Errorf(format, args...),
	}
}

// transition is the answer to a change of what is no longer as the caller saw it.
func transition(what, expected, got string) error {
	return &gate.Error{
		Kind: gate.Conflict, Code: gate.CodeTransition, Text: what + " changed in the meantime",
		Expected: expected, Got: got, Fix: "read it again and decide again",
	}
}

func unknownRequest(id string) error {
	return &gate.Error{
		Kind: gate.NotFound, Code: gate.CodeRequestUnknown, Text: "there is no such request",
		Expected: "the id of a request", Got: fmt.Sprintf("%q", id), Fix: "check the id, or ask anew",
	}
}

// found tells "there is none" from "could not look".
func found(err error) (bool, error) {
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// isConstraint reports whether the database refused the data itself: SQLSTATE classes
// 22 and 23, P0001 for our triggers, and SQLITE_CONSTRAINT.
func isConstraint(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return strings.HasPrefix(pg.Code, "22") || strings.HasPrefix(pg.Code, "23") || pg.Code == "P0001"
	}
	var lite *sqlite.Error
	return errors.As(err, &lite) && lite.Code()&0xff == sqlite3.SQLITE_CONSTRAINT
}

// errShared is what the members of a shared transaction are told that came to nothing
// through no fault of theirs.
var errShared = errors.New("the shared transaction was not committed")

// mayRetry reports whether the transaction was rolled back only because of others:
// serialization_failure, deadlock_detected or lock_not_available of PostgreSQL, or those
// that it was shared with.
func mayRetry(err error) bool {
	var pg *pgconn.PgError
	return errors.Is(err, errShared) ||
		errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01" || pg.Code == lockNotAvailable)
}

const lockNotAvailable = "55P03"

// lockedOut reports whether a row was not to be had in time.
func lockedOut(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == lockNotAvailable
}

// refused reports whether PostgreSQL itself says that it did not commit.
func refused(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg)
}
