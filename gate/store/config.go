package store

import (
	"fmt"
	"time"

	"github.com/countersign/countersign/gate"
)

// Engine is the database product.
type Engine string

// The engines.
const (
	SQLite   Engine = "sqlite"   // one replica
	Postgres Engine = "postgres" // many replicas; PostgreSQL 15 or newer
)

// Config says which database to open.
type Config struct {
	Engine Engine
	Path   string // SQLite: the database file, made with mode 0600 where it is missing
	DSN    string // PostgreSQL: URL or keywords; holds the password
	// Now is the clock of everything on SQLite. On PostgreSQL the database's own clock
	// is used instead: replicas need not agree on the time.
	Now func() time.Time
	// Codes makes request codes; nil for four random characters.
	Codes func() (string, error)
}

// String leaves the DSN out: it holds the password.
func (c Config) String() string {
	if c.Engine == Postgres {
		return "postgres [redacted]"
	}
	return fmt.Sprintf("%s %s", c.Engine, c.Path)
}

// GoString is String.
func (c Config) GoString() string { return c.String() }

func (c Config) check() error {
	e := &gate.Error{Kind: gate.Invalid, Code: gate.CodeConfig, Text: "the database is not configured"}
	switch {
	case c.Engine != SQLite && c.Engine != Postgres:
		e.Expected, e.Got = "engine sqlite or postgres", fmt.Sprintf("%q", c.Engine)
		e.Fix = "set database.engine"
	case c.Engine == SQLite && c.Path == "":
		e.Expected, e.Got = "the path of the database file", "none"
		e.Fix = "set database.path"
	case c.Engine == Postgres && c.DSN == "":
		e.Expected, e.Got = "a connection string", "an empty one"
		e.Fix = "write it to the file that database.dsn_file names"
	case c.Now == nil:
		return &gate.Error{Kind: gate.Internal, Code: gate.CodeInternal, Text: "store.Config.Now: expected a clock, got nil"}
	default:
		return nil
	}
	return e
}
