package keeper

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/countersign/countersign/gate/ledger"
)

// guardHead begins a guard's file; the epoch's number and the signed note follow.
const guardHead = "countersign published checkpoint v1\nepoch "

// File is a Guard in a file, for one process. It is replaced as a whole: a crash leaves the
// former mark or the new one.
type File struct {
	Path string
}

var _ Guard = File{}

// Read implements Guard.
func (f File) Read() (Mark, bool, error) {
	file, err := os.Open(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return Mark{}, false, nil
	}
	if err != nil {
		return Mark{}, false, fmt.Errorf("read what was published last: %w", err)
	}
	defer file.Close() //nolint:errcheck // it was only read
	b, err := io.ReadAll(io.LimitReader(file, maxGuard+1))
	if err != nil {
		return Mark{}, false, fmt.Errorf("read what was published last: %w", err)
	}
	m, err := ParseMark(b)
	if err != nil {
		return Mark{}, false, fmt.Errorf("read what was published last from %s: %w", f.Path, err)
	}
	return m, true, nil
}

const maxGuard = ledger.MaxCheckpoint + 100

// ParseMark reads what [Mark.Bytes] gives.
func ParseMark(b []byte) (Mark, error) {
	if len(b) > maxGuard {
		return Mark{}, fmt.Errorf("expected at most %d bytes", maxGuard)
	}
	rest, ok := bytes.CutPrefix(b, []byte(guardHead))
	number, note, cut := bytes.Cut(rest, []byte("\n\n"))
	n, err := strconv.Atoi(string(number))
	if !ok || !cut || err != nil || n < 1 || len(note) == 0 || strconv.Itoa(n) != string(number) {
		return Mark{}, fmt.Errorf("expected %q, a number, an empty line and a checkpoint, got %.60q", guardHead, b)
	}
	return Mark{Epoch: n, Note: note}, nil
}

// Bytes is the mark as a file holds it.
func (m Mark) Bytes() []byte {
	return append(fmt.Appendf(nil, "%s%d\n\n", guardHead, m.Epoch), m.Note...)
}

// Keep implements Guard: file and folder are flushed before it returns.
func (f File) Keep(m Mark) (err error) {
	folder := filepath.Dir(f.Path)
	file, err := os.CreateTemp(folder, filepath.Base(f.Path)+".*")
	if err != nil {
		return fmt.Errorf("remember what is published: %w", err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("remember what is published in %s: %w", f.Path, errors.Join(err, os.Remove(file.Name())))
		}
	}()
	// CreateTemp gives 0600.
	_, err = file.Write(m.Bytes())
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(file.Name(), f.Path); err != nil {
		return err
	}
	return flush(folder)
}

// flush makes a folder's entries durable.
func flush(folder string) error {
	d, err := os.Open(folder)
	if err != nil {
		return fmt.Errorf("flush folder: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("flush folder %s: %w", folder, err)
	}
	return nil
}
