package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// connections is how many connections one replica uses beside its listener's.
const connections = 16

func (s *Store) openPostgres(ctx context.Context, c Config) error {
	conf, err := pgx.ParseConfig(c.DSN)
	if err != nil {
		// pgx quotes the connection string in this error, with only the password left out
		// where it could find it.
		return errors.New("read the connection string: expected a PostgreSQL URL or keyword/value pairs")
	}
	s.writer = stdlib.OpenDB(*conf)
	s.writer.SetMaxOpenConns(connections)
	s.writer.SetMaxIdleConns(connections)
	s.reader = s.writer
	if err := s.checkDurable(ctx); err != nil {
		return err
	}
	if err := s.migrate(ctx); err != nil {
		return err
	}
	s.listen(conf) //nolint:contextcheck // listens until Close, not until Open's context ends
	return nil
}

// checkDurable refuses a server that answers a commit before it is on disk: an intent
// could then be forgotten after the HSM used it.
func (s *Store) checkDurable(ctx context.Context) error {
	var commit, encoding string
	const q = `SELECT current_setting('synchronous_commit'), current_setting('server_encoding')`
	if err := s.writer.QueryRowContext(ctx, q).Scan(&commit, &encoding); err != nil {
		return fmt.Errorf("read PostgreSQL's settings: %w", err)
	}
	if commit == "off" {
		return errors.New("PostgreSQL setting synchronous_commit: expected on, got off; set it for this database")
	}
	if encoding != "UTF8" {
		return fmt.Errorf("encoding of the PostgreSQL database: expected UTF8, got %s; create it with ENCODING 'UTF8'", encoding)
	}
	return nil
}
