package store

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
)

// prepared keeps the writer's queries compiled on SQLite, where compiling them is a third of
// the work. There is one set of queries, written down, and one connection: a query that runs
// for the first time runs as it is, and is compiled before the next transaction.
type prepared struct {
	mu     sync.Mutex
	all    map[string]*sql.Stmt
	wanted []string
}

func newPrepared() *prepared { return &prepared{all: map[string]*sql.Stmt{}} }

// compile prepares what ran for the first time. No transaction is open.
func (p *prepared) compile(ctx context.Context, db *sql.DB) error {
	p.mu.Lock()
	wanted := p.wanted
	p.wanted = nil
	p.mu.Unlock()
	for _, q := range wanted {
		stmt, err := db.PrepareContext(ctx, q) //nolint:sqlclosecheck // kept until the database is closed
		if err != nil {
			return fmt.Errorf("prepare a query: %w", err)
		}
		p.mu.Lock()
		if p.all[q] == nil {
			p.all[q], stmt = stmt, nil
		}
		p.mu.Unlock()
		if stmt != nil { // two callers ran it for the first time
			if err := stmt.Close(); err != nil {
				return fmt.Errorf("close a query: %w", err)
			}
		}
	}
	return nil
}

// find is the compiled query, or nil where it is to be compiled.
func (p *prepared) find(q string) *sql.Stmt {
	p.mu.Lock()
	defer p.mu.Unlock()
	stmt, seen := p.all[q]
	if !seen {
		p.all[q], p.wanted = nil, append(p.wanted, q)
	}
	return stmt
}

// quick runs a transaction's queries as they were prepared.
type quick struct {
	*sql.Tx

	p *prepared
}

// ExecContext implements db.DBTX.
func (x quick) ExecContext(ctx context.Context, q string, args ...any) (sql.Result, error) {
	if stmt := x.p.find(q); stmt != nil {
		return x.StmtContext(ctx, stmt).ExecContext(ctx, args...) //nolint:sqlclosecheck // closed with the transaction
	}
	return x.Tx.ExecContext(ctx, q, args...)
}

// QueryContext implements db.DBTX.
func (x quick) QueryContext(ctx context.Context, q string, args ...any) (*sql.Rows, error) {
	if stmt := x.p.find(q); stmt != nil {
		return x.StmtContext(ctx, stmt).QueryContext(ctx, args...) //nolint:sqlclosecheck // closed with the transaction
	}
	return x.Tx.QueryContext(ctx, q, args...)
}

// QueryRowContext implements db.DBTX.
func (x quick) QueryRowContext(ctx context.Context, q string, args ...any) *sql.Row {
	if stmt := x.p.find(q); stmt != nil {
		return x.StmtContext(ctx, stmt).QueryRowContext(ctx, args...) //nolint:sqlclosecheck // closed with the transaction
	}
	return x.Tx.QueryRowContext(ctx, q, args...)
}
