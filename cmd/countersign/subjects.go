package main

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/canonical"
)

const maxSums = 1 << 20 // bytes of a checksums file: a thousand long names fit

// artifacts are the files to sign, and where they lie.
type artifacts struct {
	manifest gate.Manifest
	// folders is, by subject name, the folder that the name is relative to.
	folders map[string]string
}

// chosen is how the command line names the artifacts: in exactly one way.
type chosen struct {
	files  []string
	globs  []string // paths and patterns, each text of one or more lines
	sums   string   // a SHA256SUMS file
	name   string   // one subject without its file,
	digest string   // and its SHA-256
	// leftOut is told of files that the client itself put beside the others.
	leftOut func(paths []string)
}

func (c chosen) none() bool {
	return len(c.files) == 0 && len(c.globs) == 0 && c.sums == "" && c.name == "" && c.digest == ""
}

func (c chosen) read() (artifacts, error) {
	ways := 0
	for _, given := range []bool{len(c.files)+len(c.globs) > 0, c.sums != "", c.name != "" || c.digest != ""} {
		if given {
			ways++
		}
	}
	const expected = "files or --subject-path, or --subject-checksums, or --subject-name with --subject-digest"
	if ways == 0 {
		return artifacts{}, usage("nothing is named to sign", expected, "none", "name what the build made, such as dist/*")
	}
	if ways != 1 {
		return artifacts{}, usage("what to sign is not clear", expected, fmt.Sprintf("%d of these", ways), "name the artifacts in one way")
	}
	switch {
	case len(c.files)+len(c.globs) > 0:
		found, err := expand(c.globs)
		if err != nil {
			return artifacts{}, err
		}
		return readFiles(unsigned(append(slices.Clone(c.files), found...), c.leftOut))
	case c.sums != "":
		return readSums(c.sums)
	}
	if c.name == "" || c.digest == "" {
		return artifacts{}, usage("one half of the subject is missing", "--subject-name and --subject-digest", "one of them", "give both")
	}
	s := gate.Subject{Name: c.name}
	if err := s.SHA256.UnmarshalText([]byte(strings.TrimPrefix(c.digest, "sha256:"))); err != nil {
		return artifacts{}, usage("--subject-digest does not read", "sha256: and 64 lower-case hex digits", fmt.Sprintf("%q", c.digest),
			"give what sha256sum prints")
	}
	return gather([]gate.Subject{s}, map[string]string{s.Name: "."})
}

// readFiles digests files; each is named by its base name, as release pages show it.
func readFiles(paths []string) (artifacts, error) {
	subjects := make([]gate.Subject, 0, len(paths))
	folders := map[string]string{}
	for _, path := range paths {
		name := filepath.Base(path)
		if other, twice := folders[name]; twice {
			return artifacts{}, usage(fmt.Sprintf("two files are named %q", name), "one file per name",
				fmt.Sprintf("%q and %q", filepath.Join(other, name), path),
				"sign them by their paths: sha256sum FILES > sums, then --subject-checksums sums")
		}
		digest, err := digestFile(path)
		if err != nil {
			return artifacts{}, err
		}
		subjects = append(subjects, gate.Subject{Name: name, SHA256: digest})
		folders[name] = filepath.Dir(path)
	}
	return gather(subjects, folders)
}

func digestFile(path string) (gate.Digest, error) {
	f, err := os.Open(path) // the user names it
	if err != nil {
		return gate.Digest{}, usage("an artifact cannot be opened", "a file", err.Error(), "check its path")
	}
	defer func() { _ = f.Close() }() // only read
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return gate.Digest{}, usage(fmt.Sprintf("%q is no file", path), "a regular file", "something else", "name the files, not their folder")
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return gate.Digest{}, broken("an artifact cannot be read", err, "check the disk")
	}
	return gate.Digest(h.Sum(nil)), nil
}

// readSums reads what sha256sum writes, in any order; names are relative to the
// file's folder.
func readSums(path string) (artifacts, error) {
	f, err := os.Open(path) // the user names it
	if err != nil {
		return artifacts{}, usage("--subject-checksums cannot be opened", "a file that sha256sum wrote", err.Error(), "check its path")
	}
	defer func() { _ = f.Close() }() // only read
	var subjects []gate.Subject
	folders := map[string]string{}
	lines := bufio.NewScanner(io.LimitReader(f, maxSums+1))
	total := 0
	for n := 1; lines.Scan(); n++ {
		total += len(lines.Bytes()) + 1
		line := strings.TrimSuffix(lines.Text(), "\r")
		if line == "" {
			continue
		}
		s, err := readSum(line)
		if err != nil {
			return artifacts{}, usage(fmt.Sprintf("line %d of %s does not read", n, path),
				"64 lower-case hex digits, two spaces and a name", fmt.Sprintf("%.120q", line), "write it with sha256sum")
		}
		subjects = append(subjects, s)
		folders[s.Name] = filepath.Dir(path)
	}
	if err := lines.Err(); err != nil || total > maxSums {
		return artifacts{}, usage("--subject-checksums does not read", fmt.Sprintf("text of at most %d bytes", maxSums),
			"something else", "write it with sha256sum")
	}
	return gather(subjects, folders)
}

// readSum reads one line of sha256sum, in text ("  ") or binary (" *") form.
func readSum(line string) (gate.Subject, error) {
	digest, name, ok := strings.Cut(line, " ")
	if !ok || len(name) < 2 || (name[0] != ' ' && name[0] != '*') {
		return gate.Subject{}, fmt.Errorf("line %.120q: no digest and name", line)
	}
	s := gate.Subject{Name: strings.TrimPrefix(name[1:], "./")}
	err := s.SHA256.UnmarshalText([]byte(digest))
	return s, err
}

func gather(subjects []gate.Subject, folders map[string]string) (artifacts, error) {
	m, err := canonical.NewManifest(subjects)
	if err != nil {
		return artifacts{}, err
	}
	return artifacts{manifest: m, folders: folders}, nil
}
