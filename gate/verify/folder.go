package verify

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest"
)

// maxListed bounds how many entries of a folder are looked at.
const maxListed = 100_000

// folder is a release's files as they were handed out, and which of them were read.
type folder struct {
	fs.FS

	seen map[string]bool
}

// read reads a small file whole. Only a file that is not there is fs.ErrNotExist.
func (f *folder) read(name string) ([]byte, error) {
	file, err := f.open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // only read
	b, err := io.ReadAll(io.LimitReader(file, MaxBundle+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(b) > MaxBundle {
		return nil, fmt.Errorf("read %s: expected at most %d bytes, got more", name, MaxBundle)
	}
	return b, nil
}

// digest is the SHA-256 of a file of any size.
func (f *folder) digest(name string) (gate.Digest, error) {
	file, err := f.open(name)
	if err != nil {
		return gate.Digest{}, err
	}
	defer func() { _ = file.Close() }() // only read
	h := sha256.New()
	if _, err := io.Copy(h, file); err != nil {
		return gate.Digest{}, fmt.Errorf("read %s: %w", name, err)
	}
	return gate.Digest(h.Sum(nil)), nil
}

// open opens a regular file: what a pipe or device gives may be another thing each time.
func (f *folder) open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, fmt.Errorf("open %.200q: expected a path within the folder", name)
	}
	file, err := f.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("expected a file, got something else")
	}
	if err != nil {
		_ = file.Close() // nothing was read
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	f.seen[name] = true
	return file, nil
}

// has reports whether a name is there. One that cannot be looked at is: reading it will say
// why.
func (f *folder) has(name string) bool {
	_, err := fs.Stat(f.FS, name)
	return !errors.Is(err, fs.ErrNotExist) && fs.ValidPath(name)
}

// releaseName finds whose release lies in the folder: the one whose summary is there.
func (f *folder) releaseName() (string, error) {
	entries, err := fs.ReadDir(f.FS, ".")
	if err != nil {
		return "", fmt.Errorf("list the folder: %w", err)
	}
	var names []string
	for _, e := range entries {
		base, ok := strings.CutSuffix(e.Name(), "."+gate.StatementVSA+attest.CertBundleSuffix)
		if !ok {
			base, ok = strings.CutSuffix(e.Name(), attest.VSASuffix)
		}
		if ok && base != "" && !slices.Contains(names, base) {
			names = append(names, base)
		}
	}
	if len(names) != 1 {
		return "", fmt.Errorf("expected the statement of one release in the folder (<release>%s), got %d: %s",
			attest.VSASuffix, len(names), orNone(strings.Join(names, ", ")))
	}
	return names[0], nil
}

// find is the path of a subject's file: its name, or, where a forge served a release's
// files without their folders, the last part of it.
func (f *folder) find(subject string) string {
	if base := path.Base(subject); !f.has(subject) && f.has(base) {
		return base
	}
	return subject
}

// unread are the files that nobody asked for, sorted.
func (f *folder) unread() ([]string, error) {
	var out []string
	n := 0
	err := fs.WalkDir(f.FS, ".", func(name string, d fs.DirEntry, err error) error {
		if n++; n > maxListed {
			return fmt.Errorf("expected at most %d files in the folder", maxListed)
		}
		if err != nil {
			return err
		}
		if !d.IsDir() && !f.seen[name] {
			out = append(out, name)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the folder: %w", err)
	}
	return out, nil
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
