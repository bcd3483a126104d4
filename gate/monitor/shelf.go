package monitor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// Shelf keeps the place across restarts.
type Shelf interface {
	// Load is the kept place; false where none was kept yet.
	Load(ctx context.Context) (Place, bool, error)
	// Save keeps the place durably, in the stead of the one before, or fails and leaves that.
	Save(ctx context.Context, p Place) error
}

// File keeps the place in a file, which only its owner reads. Not for two monitors at once.
type File struct{ Path string }

var _ Shelf = File{}

// Load implements [Shelf].
func (f File) Load(context.Context) (Place, bool, error) {
	file, err := os.Open(f.Path) // the operator names it
	if errors.Is(err, fs.ErrNotExist) {
		return Place{}, false, nil
	}
	if err != nil {
		return Place{}, false, fmt.Errorf("open the place: %w", err)
	}
	defer func() { _ = file.Close() }() // only read
	b, err := io.ReadAll(io.LimitReader(file, maxPlace+1))
	if err != nil {
		return Place{}, false, fmt.Errorf("read the place: %w", err)
	}
	p, err := ParsePlace(b)
	if err != nil {
		return Place{}, false, fmt.Errorf("%s: %w", f.Path, err)
	}
	return p, true, nil
}

// Save implements [Shelf]: a new file beside the old one takes its name once it is on the
// disk.
func (f File) Save(_ context.Context, p Place) error {
	b, err := p.Bytes()
	if err != nil {
		return err
	}
	if err := f.replace(b); err != nil {
		return fmt.Errorf("keep the place: %w", err)
	}
	return nil
}

func (f File) replace(b []byte) error {
	dir := filepath.Dir(f.Path)
	fresh, err := os.CreateTemp(dir, filepath.Base(f.Path)+".*") // 0600
	if err != nil {
		return err
	}
	_, err = fresh.Write(b)
	if err == nil {
		err = fresh.Sync()
	}
	if cerr := fresh.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(fresh.Name(), f.Path)
	}
	if err != nil {
		_ = os.Remove(fresh.Name()) // the first error counts
		return err
	}
	return syncDir(dir)
}

// syncDir makes a rename in a folder durable. Windows does that by itself, and has no handle
// of a folder to ask it with.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	return err
}
