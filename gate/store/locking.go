package store

import (
	"context"
	"database/sql"
	"strings"

	"github.com/countersign/countersign/gate/store/internal/db"
)

// locking adds row locks to the queries whose names ask for them. SQLite has no row
// locks and needs none: it has one writer.
type locking struct{ db.DBTX }

func (l locking) QueryContext(ctx context.Context, q string, args ...any) (*sql.Rows, error) {
	return l.DBTX.QueryContext(ctx, locked(q), args...)
}

func (l locking) QueryRowContext(ctx context.Context, q string, args ...any) *sql.Row {
	return l.DBTX.QueryRowContext(ctx, locked(q), args...)
}

// locked reads the name in the first line that sqlc leaves in each query:
// "-- name: RequestForUpdate :one".
func locked(q string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(q, "-- name: "), " ")
	switch {
	case strings.HasSuffix(name, "ForUpdate"):
		return q + "FOR UPDATE"
	case strings.HasSuffix(name, "SkipLocked"):
		return q + "FOR UPDATE SKIP LOCKED"
	}
	return q
}
