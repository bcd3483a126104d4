package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"modernc.org/sqlite"
)

// readers is how many connections read at once.
const readers = 4

func (s *Store) openSQLite(ctx context.Context, c Config) error {
	// OFD locks survive another open and close of the file in this process. They are
	// for the whole process: where they came too late or are not to be had, POSIX locks
	// do as long as nobody else opens the file.
	if _, err := sqlite.OFDLocking(true); err != nil &&
		!errors.Is(err, sqlite.ErrOFDLockingTooLate) && !errors.Is(err, sqlite.ErrOFDLockingUnavailable) {
		return fmt.Errorf("choose SQLite's locks: %w", err)
	}
	path, err := filepath.Abs(c.Path)
	if err != nil {
		return fmt.Errorf("find %s: %w", c.Path, err)
	}
	if err := touchPrivate(path); err != nil {
		return err
	}
	if s.writer, err = sql.Open("sqlite", sqliteDSN(path, url.Values{
		"_pragma": {"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)"},
		"_txlock": {"immediate"},
	})); err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	s.writer.SetMaxOpenConns(1)
	unlock, err := lockFile(ctx, path+".migrate")
	if err != nil {
		return err
	}
	defer unlock()
	if err := s.migrate(ctx); err != nil {
		return err
	}
	if s.reader, err = sql.Open("sqlite", sqliteDSN(path, url.Values{
		"mode":    {"ro"},
		"_pragma": {"busy_timeout(5000)", "query_only(1)"},
	})); err != nil {
		return fmt.Errorf("open %s for reading: %w", path, err)
	}
	s.reader.SetMaxOpenConns(readers)
	s.reader.SetMaxIdleConns(readers)
	return nil
}

// sqliteDSN keeps the file: scheme, without which SQLite ignores mode=ro.
func sqliteDSN(path string, q url.Values) string {
	return (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String()
}

// touchPrivate makes the file where it is missing, so that it and the files SQLite
// puts beside it are for their owner alone.
func touchPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("open the database file: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("close %s: %w", path, err)
	}
	return nil
}
