package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/attest"
)

// placed is one collected file with the folder it goes to. Its name is relative to
// the folder and never leaves it.
type placed struct {
	folder  string
	name    string // forward slashes
	content []byte
}

func (p placed) path() string { return filepath.Join(p.folder, filepath.FromSlash(p.name)) }

// place finds a place for every file that the server sent: beside its artifact, or in
// the output folder if one is given. The release's own files go where all artifacts
// lie, or to the working folder where that is no single one.
//
// The server is not trusted with names: a file is a known file of the release, or is
// named after a subject, or is refused.
func place(files []api.File, m gate.Manifest, folders map[string]string, output string) ([]placed, error) {
	common := commonFolder(folders)
	out := make([]placed, 0, len(files))
	seen := map[string]bool{}
	for _, f := range files {
		subject, ok := subjectOf(f.Name, m)
		if !ok && !releaseFile(f.Name) {
			return nil, failed(ExitFailed, "the server sent a file that belongs to no artifact", "names made of the subjects' names",
				fmt.Sprintf("%.120q", f.Name), "nothing was written; tell whoever runs the gate")
		}
		p := placed{folder: common, name: f.Name, content: f.Content}
		if folder, known := folders[subject]; ok && known {
			p.folder = folder
		}
		if output != "" {
			p.folder = output
		}
		key := strings.ToLower(p.path())
		if seen[key] {
			return nil, failed(ExitFailed, "the server sent a file twice", "each name once", fmt.Sprintf("%.120q", f.Name),
				"nothing was written; tell whoever runs the gate")
		}
		seen[key] = true
		out = append(out, p)
	}
	return out, nil
}

// subjectOf finds the subject that a file is named after: the subject's name, a dot,
// and a suffix of lower-case letters, digits and dots.
func subjectOf(name string, m gate.Manifest) (string, bool) {
	if !filepath.IsLocal(filepath.FromSlash(name)) || slices.ContainsFunc(m.Subjects, func(s gate.Subject) bool { return s.Name == name }) {
		return "", false // never an artifact itself
	}
	best := ""
	for _, s := range m.Subjects {
		suffix, ok := strings.CutPrefix(name, s.Name+".")
		if ok && plainSuffix(suffix) && len(s.Name) > len(best) {
			best = s.Name
		}
	}
	return best, best != ""
}

func plainSuffix(s string) bool {
	odd := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '.' }
	return s != "" && strings.IndexFunc(s, odd) < 0 && !strings.HasPrefix(s, ".") && !strings.Contains(s, "..")
}

// releaseFile reports whether a name is one of the release's own files, and no path.
func releaseFile(name string) bool {
	return attest.IsReleaseFile(name) && !strings.ContainsAny(name, `/\`) && plain(name) == name
}

func commonFolder(folders map[string]string) string {
	common := ""
	for _, f := range folders {
		if common != "" && common != f {
			return "."
		}
		common = f
	}
	return orElse(common, ".")
}

// write writes all files, or none where one of them would overwrite another content
// and force is not given. Each appears whole or not at all.
func write(files []placed, force bool) ([]string, error) {
	roots := map[string]*os.Root{}
	defer func() {
		for _, r := range roots {
			_ = r.Close() // nothing was written through the handle itself
		}
	}()
	var todo []placed
	var paths []string
	for _, f := range files {
		if roots[f.folder] == nil {
			root, err := openFolder(f.folder)
			if err != nil {
				return nil, broken("the output folder cannot be opened", err, "check --output-directory")
			}
			roots[f.folder] = root
		}
		same, err := compare(roots[f.folder], f, force)
		if err != nil {
			return nil, err
		}
		if !same {
			todo = append(todo, f)
		}
		paths = append(paths, f.path())
	}
	for _, f := range todo {
		if err := writeOne(roots[f.folder], f); err != nil {
			return nil, broken(fmt.Sprintf("%s cannot be written", f.path()), err, "check the folder's rights and space")
		}
	}
	return paths, nil
}

func openFolder(folder string) (*os.Root, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil { // release files are public
		return nil, err
	}
	return os.OpenRoot(folder)
}

// compare reports whether the file is there with this very content.
func compare(root *os.Root, f placed, force bool) (bool, error) {
	old, err := root.ReadFile(filepath.FromSlash(f.name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err == nil && bytes.Equal(old, f.content):
		return true, nil
	case force:
		return false, nil
	case err != nil:
		return false, broken(fmt.Sprintf("%s is there and cannot be read", f.path()), err, "remove it, or give --force")
	}
	return false, failed(ExitFailed, f.path()+" is there already with another content", "no such file, or the same content",
		fmt.Sprintf("%d other bytes", len(old)), "nothing was written; remove it, give --force, or choose --output-directory")
}

// writeOne goes through a temporary file beside the target, so that nobody ever reads
// half a signature. os.Root keeps both inside the folder, links included.
func writeOne(root *os.Root, f placed) error {
	name := filepath.FromSlash(f.name)
	if dir := path.Dir(f.name); dir != "." {
		if err := root.MkdirAll(filepath.FromSlash(dir), 0o755); err != nil {
			return err
		}
	}
	temporary := name + "." + rand.Text() + ".tmp"
	if err := root.WriteFile(temporary, f.content, 0o644); err != nil {
		return errors.Join(err, root.Remove(temporary))
	}
	if err := root.Rename(temporary, name); err != nil {
		return errors.Join(err, root.Remove(temporary))
	}
	return nil
}
