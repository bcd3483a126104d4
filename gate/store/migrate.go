package store

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations
var migrations embed.FS

// migrate brings the schema up to date. One replica at a time does it: PostgreSQL
// through an advisory lock, SQLite through the caller's file lock.
func (s *Store) migrate(ctx context.Context) error {
	dialect := goose.DialectSQLite3
	var options []goose.ProviderOption
	if s.engine == Postgres {
		dialect = goose.DialectPostgres
		// Once a second for five minutes; the library's own five-second step would delay
		// every second replica's start.
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300))
		if err != nil {
			return fmt.Errorf("make the migration lock: %w", err)
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	folder, err := fs.Sub(migrations, "migrations/"+string(s.engine))
	if err != nil {
		return fmt.Errorf("find the migrations of %s: %w", s.engine, err)
	}
	p, err := goose.NewProvider(dialect, s.writer, folder, options...)
	if err != nil {
		return fmt.Errorf("read the migrations of %s: %w", s.engine, err)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	have, want, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	if have != want {
		return fmt.Errorf("schema of the database: expected version %d, got %d; run the newer countersignd that made it", want, have)
	}
	return nil
}
