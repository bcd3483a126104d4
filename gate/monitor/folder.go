package monitor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
)

// Folder reads a copy of a log from files, as a mirror of the server would lie: DIR/log with
// checkpoint and tile, and DIR/v1/log/entries and DIR/v1/keys where they were copied too.
type Folder struct {
	root *os.Root
	log  string
}

var _ Source = (*Folder)(nil)

// OpenFolder opens the copy whose checkpoint is dir/checkpoint. Links that lead out of dir's
// parent are not followed.
func OpenFolder(dir string) (*Folder, error) {
	dir = filepath.Clean(dir)
	root, err := os.OpenRoot(filepath.Dir(dir))
	if err != nil {
		return nil, fmt.Errorf("open the log's folder: %w", err)
	}
	return &Folder{root: root, log: filepath.Base(dir)}, nil
}

// Close gives the folder back.
func (f *Folder) Close() error { return f.root.Close() }

// Log implements [Source].
func (f *Folder) Log(ctx context.Context, file string, limit int64) ([]byte, error) {
	return f.read(ctx, path.Join(f.log, file), limit)
}

// Entry implements [Source].
func (f *Folder) Entry(ctx context.Context, index int64) ([]byte, error) {
	return f.read(ctx, path.Join("v1/log/entries", strconv.FormatInt(index, 10)), maxOpening)
}

// Keys implements [Source].
func (f *Folder) Keys(ctx context.Context) ([]byte, error) { return f.read(ctx, "v1/keys", maxKeys) }

func (f *Folder) read(ctx context.Context, name string, limit int64) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	file, err := f.root.Open(filepath.FromSlash(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read %s: %w", name, ErrAbsent)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	defer func() { _ = file.Close() }() // only read
	b, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("read %s: expected at most %d bytes: %w", name, limit, errTooLong)
	}
	return b, nil
}
