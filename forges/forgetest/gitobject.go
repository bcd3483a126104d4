package forgetest

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1" //nolint:gosec // git's own object identifiers are SHA-1
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// object is one git object in its canonical form (git's Documentation/gitformat-*):
// a header, a NUL, and the content; its name is the SHA-1 of both.
type object struct {
	sha  string
	data []byte
}

func newObject(kind string, content []byte) object {
	data := append(fmt.Appendf(nil, "%s %d\x00", kind, len(content)), content...)
	sum := sha1.Sum(data) //nolint:gosec // as above
	return object{sha: hex.EncodeToString(sum[:]), data: data}
}

// objects are the commit's own git objects: the commit first, then its trees and
// blobs. So a commit's SHA is the one that git itself would give it.
func (c *Commit) objects() []object {
	tree, parts := treeOf(c.Tree)
	var b bytes.Buffer
	fmt.Fprintf(&b, "tree %s\n", tree.sha)
	for _, p := range c.Parents {
		fmt.Fprintf(&b, "parent %s\n", p)
	}
	at := c.When.Unix()
	fmt.Fprintf(&b, "author %s <%s> %d +0000\n", c.Author.Login, c.Author.Email, at)
	fmt.Fprintf(&b, "committer %s <%s> %d +0000\n\n%s\n", c.Committer.Login, c.Committer.Email, at, strings.TrimRight(c.Message, "\n"))
	return append([]object{newObject("commit", b.Bytes()), tree}, parts...)
}

// treeOf makes the tree of a folder, and everything below it.
func treeOf(files map[string][]byte) (object, []object) {
	folders := map[string]map[string][]byte{}
	type entry struct{ sortAs, mode, name, sha string }
	var entries []entry
	var below []object
	for path, content := range files {
		if dir, rest, nested := strings.Cut(path, "/"); nested {
			if folders[dir] == nil {
				folders[dir] = map[string][]byte{}
			}
			folders[dir][rest] = content
			continue
		}
		blob := newObject("blob", content)
		below = append(below, blob)
		entries = append(entries, entry{path, "100644", path, blob.sha})
	}
	for _, dir := range slices.Sorted(maps.Keys(folders)) {
		tree, parts := treeOf(folders[dir])
		below = append(append(below, tree), parts...)
		entries = append(entries, entry{dir + "/", "40000", dir, tree.sha}) // git sorts a folder as if it ended in a slash
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.sortAs, b.sortAs) })
	var b bytes.Buffer
	for _, e := range entries {
		raw, err := hex.DecodeString(e.sha)
		if err != nil {
			panic(err) // made above
		}
		fmt.Fprintf(&b, "%s %s\x00%s", e.mode, e.name, raw)
	}
	return newObject("tree", b.Bytes()), below
}

// Export writes what is reachable from refs (full ref to SHA) as a bare git
// repository in dir, which git then clones, checks and archives. Commits that were
// given a SHA of their own cannot be exported.
func (g *Graph) Export(dir string, refs map[string]string) error {
	for _, sub := range []string{"objects", "refs/heads", "refs/tags"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o750); err != nil {
			return err
		}
	}
	files := map[string][]byte{
		"HEAD":   []byte("ref: refs/heads/main\n"),
		"config": []byte("[core]\n\trepositoryformatversion = 0\n\tbare = true\n"),
	}
	for ref, sha := range refs {
		files[ref] = []byte(sha + "\n")
		for reached := range g.Reachable(sha) {
			for i, o := range g.Get(reached).objects() {
				if i == 0 && o.sha != reached {
					return fmt.Errorf("export %s: commit %s was given a SHA that is not its content's", ref, reached)
				}
				files[filepath.Join("objects", o.sha[:2], o.sha[2:])] = deflate(o.data)
			}
		}
	}
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func deflate(data []byte) []byte {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, _ = w.Write(data) // a buffer takes everything
	_ = w.Close()
	return b.Bytes()
}
