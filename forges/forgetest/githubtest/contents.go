package githubtest

import (
	"crypto/sha1" //nolint:gosec // git's own object identifiers are SHA-1
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"sort"
	"strings"
)

// getContents answers a file as base64 JSON or, if asked, raw; a folder as a list.
func getContents(c *call) reply {
	ref := c.query.Get("ref")
	if ref == "" {
		ref = c.repo.branch
	}
	commit := c.repo.resolve(ref)
	if commit == nil {
		return problem(http.StatusNotFound, "No commit found for the ref "+ref)
	}
	name := strings.Trim(c.params["path"], "/")
	content, isFile := commit.Tree[name]
	if !isFile {
		return c.folder(commit.Tree, name, ref)
	}
	if c.accepts("raw") {
		return reply{status: http.StatusOK, raw: content, header: http.Header{"Content-Type": {"application/vnd.github.raw"}}}
	}
	out := c.entry("file", name, ref, content)
	out["encoding"], out["content"] = "base64", lines(base64.StdEncoding.EncodeToString(content))
	return ok(out)
}

// folder lists a folder's direct entries; 404 where there is none.
func (c *call) folder(tree map[string][]byte, name, ref string) reply {
	entries := map[string]obj{}
	for file, content := range tree {
		rest, inside := strings.CutPrefix(file, name+"/")
		if name == "" {
			rest, inside = file, true
		}
		if !inside {
			continue
		}
		first, _, deeper := strings.Cut(rest, "/")
		if deeper {
			entries[first] = c.entry("dir", path.Join(name, first), ref, nil)
		} else {
			entries[first] = c.entry("file", file, ref, content)
		}
	}
	if len(entries) == 0 {
		return notFound()
	}
	names := make([]string, 0, len(entries))
	for n := range entries {
		names = append(names, n)
	}
	sort.Strings(names)
	list := []obj{}
	for _, n := range names {
		list = append(list, entries[n])
	}
	return ok(list)
}

// entry is the part that `components.schemas.content-file` and content-directory share.
func (c *call) entry(kind, name, ref string, content []byte) obj {
	escaped := (&url.URL{Path: name}).EscapedPath()
	self := c.repoAPI(c.repo, "/contents/%s?ref=%s", escaped, url.QueryEscape(ref))
	blob := c.repoAPI(c.repo, "/git/blobs/%s", blobSHA(content))
	page := c.repoWeb(c.repo, "/blob/%s/%s", url.PathEscape(ref), escaped)
	return obj{
		"type": kind, "size": len(content), "name": path.Base(name), "path": name, "sha": blobSHA(content), "url": self,
		"git_url": blob, "html_url": page, "download_url": c.repoWeb(c.repo, "/raw/%s/%s", url.PathEscape(ref), escaped),
		"_links": obj{"self": self, "git": blob, "html": page},
	}
}

// blobSHA is git's own hash of a file's content.
func blobSHA(content []byte) string {
	h := sha1.New() //nolint:gosec // as above
	fmt.Fprintf(h, "blob %d\x00", len(content))
	h.Write(content)
	return hex.EncodeToString(h.Sum(nil))
}

// lines breaks base64 at 60 characters, as GitHub's answers do.
func lines(s string) string {
	var b strings.Builder
	for len(s) > 60 {
		b.WriteString(s[:60] + "\n")
		s = s[60:]
	}
	if s != "" {
		b.WriteString(s + "\n")
	}
	return b.String()
}
