package monitor

import (
	"context"
	"errors"
)

// Source is where a log and what opens its entries are read. Nothing of it is trusted.
// Errors: [ErrAbsent] for what is not there, or not shown; anything else may pass.
type Source interface {
	// Log reads a file by its path below the log's prefix ("checkpoint", "tile/0/000"), of at
	// most limit bytes.
	Log(ctx context.Context, path string, limit int64) ([]byte, error)
	// Entry reads what opens an entry, as GET /v1/log/entries/{index} answers it.
	Entry(ctx context.Context, index int64) ([]byte, error)
	// Keys reads what GET /v1/keys answers.
	Keys(ctx context.Context) ([]byte, error)
}

// ErrAbsent is what a source returns for something that is not there, or that it does not
// show.
var ErrAbsent = errors.New("not there, or not shown")

// unreachableError marks what may pass by itself: the place in the log stays where it is.
type unreachableError struct{ err error }

func (e unreachableError) Error() string { return e.err.Error() }
func (e unreachableError) Unwrap() error { return e.err }

// Unreachable reports whether an error of [Monitor.Round] may pass by itself.
func Unreachable(err error) bool {
	var u unreachableError
	return errors.As(err, &u)
}

// tilesError marks what tiles do not bear out.
type tilesError struct{ err error }

func (e tilesError) Error() string { return e.err.Error() }
func (e tilesError) Unwrap() error { return e.err }

// inTiles marks an error of reading tiles, unless it may pass by itself.
func inTiles(err error) error {
	if err == nil || Unreachable(err) {
		return err
	}
	return tilesError{err}
}

// Bounds of what is read, in bytes.
const (
	maxOpening = 16 << 20
	maxKeys    = 1 << 20
)
