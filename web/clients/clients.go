// Package clients hands out the countersign client to the jobs that have none: from a
// folder of the server, with what each file has to be.
package clients

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/gate"
)

// Client is one file of the folder, as it was when the server started.
type Client struct {
	Path     string // "linux-amd64/countersign"
	SHA256   gate.Digest
	Size     int64
	Modified time.Time
}

// Set is all that the folder holds. It is safe for concurrent use.
type Set struct {
	files   fs.FS
	clients []Client // by path
}

// Read reads and hashes every client in a folder laid out as `make clients` does:
// OS-ARCH/countersign, or countersign.exe for Windows. Whatever else lies there is left
// alone. Errors: a file cannot be read, or there is no client at all.
func Read(files fs.FS) (*Set, error) {
	names, err := fs.Glob(files, "*-*/countersign*")
	if err != nil {
		return nil, fmt.Errorf("list the clients: %w", err)
	}
	s := &Set{files: files}
	for _, name := range names {
		if !wellNamed(name) {
			continue
		}
		c, err := hash(files, name)
		if err != nil {
			return nil, fmt.Errorf("hash the client %s: %w", name, err)
		}
		s.clients = append(s.clients, c)
	}
	if len(s.clients) == 0 {
		return nil, errors.New("no client in the folder: expected files such as linux-amd64/countersign; `make clients` builds them")
	}
	slices.SortFunc(s.clients, func(a, b Client) int { return cmp.Compare(a.Path, b.Path) })
	return s, nil
}

// wellNamed reports whether a path is one of a client.
func wellNamed(name string) bool {
	ok, err := regexp.MatchString(`^(windows-[a-z0-9]+/countersign\.exe|[a-z0-9]+-[a-z0-9]+/countersign)$`, name)
	return err == nil && ok
}

func hash(files fs.FS, name string) (Client, error) {
	f, err := files.Open(name)
	if err != nil {
		return Client{}, err
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil {
		return Client{}, err
	}
	if !info.Mode().IsRegular() {
		return Client{}, errors.New("expected a regular file")
	}
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return Client{}, err
	}
	return Client{Path: name, SHA256: gate.Digest(h.Sum(nil)), Size: n, Modified: info.ModTime()}, nil
}

// Find is the client of a path; false where there is none.
func (s *Set) Find(name string) (Client, bool) {
	i := slices.IndexFunc(s.clients, func(c Client) bool { return c.Path == name })
	if i < 0 {
		return Client{}, false
	}
	return s.clients[i], true
}

// Open opens a client's file, unless it is no longer what was hashed. The caller closes it.
func (s *Set) Open(c Client) (io.ReadSeekCloser, error) {
	f, err := s.files.Open(c.Path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && (info.Size() != c.Size || !info.ModTime().Equal(c.Modified)) {
		err = fmt.Errorf("%s was replaced since the server started", c.Path)
	}
	seeker, ok := f.(io.ReadSeekCloser)
	if err == nil && !ok {
		err = fmt.Errorf("%s is on a file system that cannot seek", c.Path)
	}
	if err != nil {
		_ = f.Close() // it was only looked at
		return nil, err
	}
	return seeker, nil
}

// Sums is the list of all clients, as sha256sum writes and checks it.
func (s *Set) Sums() string {
	var b strings.Builder
	for _, c := range s.clients {
		fmt.Fprintf(&b, "%s  %s\n", c.SHA256, c.Path)
	}
	return b.String()
}

// Platforms are all that there is a client for: "linux-amd64".
func (s *Set) Platforms() []string {
	var out []string
	for _, c := range s.clients {
		out = append(out, path.Dir(c.Path))
	}
	return out
}
