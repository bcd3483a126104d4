package githubtest

import (
	"path"
	"strings"
	"unicode/utf8"

	"github.com/countersign/countersign/forges/forgetest"
)

// fileNode is a regular file of one commit, as a tree's entry and as its blob.
type fileNode struct {
	repo    *repository
	commit  *forgetest.Commit
	path    string
	content []byte
}

// regularFile is the mode 100644 as GraphQL's Int.
const regularFile = 0o100644

// commitFile is null for what the commit does not hold. Folders are not served.
func commitFile(_ *call, x commitNode, args map[string]any) any {
	name, _ := args["path"].(string)
	name = strings.Trim(name, "/")
	content, has := x.commit.Tree[name]
	if !has {
		return nil
	}
	return node{"TreeEntry", fileNode{x.repo, x.commit, name, content}}
}

func fileFields() map[string]resolver {
	out := map[string]resolver{}
	for name, f := range map[string]func(*call, fileNode) any{
		"TreeEntry.mode":   func(*call, fileNode) any { return regularFile },
		"TreeEntry.name":   func(_ *call, x fileNode) any { return path.Base(x.path) },
		"TreeEntry.object": func(_ *call, x fileNode) any { return node{"Blob", x} },
		"TreeEntry.oid":    func(_ *call, x fileNode) any { return blobSHA(x.content) },
		"TreeEntry.path":   func(_ *call, x fileNode) any { return x.path },
		"TreeEntry.size":   func(_ *call, x fileNode) any { return len(x.content) },
		"TreeEntry.type":   func(*call, fileNode) any { return "blob" },

		"Blob.abbreviatedOid": func(_ *call, x fileNode) any { return blobSHA(x.content)[:7] },
		"Blob.byteSize":       func(_ *call, x fileNode) any { return len(x.content) },
		"Blob.commitUrl":      func(c *call, x fileNode) any { return c.repoWeb(x.repo, "/blob/%s/%s", x.commit.SHA, x.path) },
		"Blob.id":             func(_ *call, x fileNode) any { return "B_kwDO" + blobSHA(x.content) },
		"Blob.isBinary":       func(_ *call, x fileNode) any { return !utf8.Valid(x.content) },
		"Blob.isTruncated":    func(*call, fileNode) any { return false },
		"Blob.oid":            func(_ *call, x fileNode) any { return blobSHA(x.content) },
		"Blob.text": func(_ *call, x fileNode) any { // "UTF8 text data or null if the Blob is binary"
			if !utf8.Valid(x.content) {
				return nil
			}
			return string(x.content)
		},
	} {
		out[name] = func(c *call, of any, _ map[string]any) any { return f(c, of.(fileNode)) }
	}
	for _, name := range []string{"TreeEntry.repository", "Blob.repository"} {
		out[name] = func(_ *call, of any, _ map[string]any) any { return node{"Repository", of.(fileNode).repo} }
	}
	return out
}
