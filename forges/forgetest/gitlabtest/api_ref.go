package gitlabtest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"path"
	"strconv"
	"strings"

	"github.com/countersign/countersign/forges/forgetest"
)

// fileAt finds a file at ref, which on old versions is required (API docs:
// repository files).
func (c *call) fileAt() (*forgetest.Commit, string, []byte, error) {
	ref := c.param("ref")
	if ref == "" || ref == "HEAD" {
		ref = c.p.defaultBranch
	}
	commit := c.resolve(c.p, ref)
	if commit == nil {
		return nil, "", nil, notFound("Commit")
	}
	name := c.r.PathValue("path")
	content, ok := commit.Tree[name]
	if !ok {
		return nil, "", nil, notFound("File")
	}
	return commit, ref, content, nil
}

func showFile(c *call) (any, error) {
	commit, ref, content, err := c.fileAt()
	if err != nil {
		return nil, err
	}
	name := c.r.PathValue("path")
	sum := sha256.Sum256(content)
	return obj{
		"file_name": path.Base(name), "file_path": name, "size": len(content), "encoding": "base64",
		"content": base64.StdEncoding.EncodeToString(content), "content_sha256": hex.EncodeToString(sum[:]), "ref": ref,
		"blob_id": hex.EncodeToString(sum[:])[:40], "commit_id": commit.SHA, "last_commit_id": commit.SHA,
		"execute_filemode": false,
	}, nil
}

func rawFile(c *call) (any, error) {
	commit, ref, content, err := c.fileAt()
	if err != nil {
		return nil, err
	}
	return raw{content: content, header: map[string]string{
		"Content-Type": "text/plain; charset=utf-8", "X-Gitlab-Ref": ref, "X-Gitlab-Commit-Id": commit.SHA,
		"X-Gitlab-Size": strconv.Itoa(len(content)), "X-Gitlab-File-Path": c.r.PathValue("path"),
	}}, nil
}

// branchRow is one branch (library data: testdata/get_branch.json).
func (c *call) branchRow(ref string) obj {
	name, sha := shortRef(ref), c.p.refs[ref]
	main := c.p.refs["refs/heads/"+c.p.defaultBranch]
	mine := c.p.level(c.me, c.opts.Now())
	return obj{
		"name": name, "merged": name != c.p.defaultBranch && c.graph.IsAncestor(sha, main), "protected": c.p.isProtected(ref),
		"default": name == c.p.defaultBranch, "developers_can_push": c.developersMay(ref, false),
		"developers_can_merge": c.developersMay(ref, true), "can_push": c.p.mayUpdate(c.me, ref, mine),
		"web_url": c.webURL(c.p) + "/-/tree/" + name, "commit": c.commitRow(c.p, c.graph.Get(sha), false),
	}
}

func (c *call) developersMay(ref string, merge bool) bool {
	for _, rule := range c.p.rules(ref) {
		levels := rule.push
		if merge {
			levels = rule.merge
		}
		for _, l := range levels {
			if l.Level == levelDeveloper {
				return true
			}
		}
	}
	return false
}

func listBranches(c *call) (any, error) { return c.listRefs("branch", c.branchRow) }

func listTags(c *call) (any, error) { return c.listRefs("tag", c.tagRow) }

// listRefs lists by name; both lists also offer keyset pagination (API docs:
// keyset-based pagination, supported resources).
func (c *call) listRefs(kind string, row func(string) obj) (any, error) {
	out := &page{items: []any{}, keys: []string{}}
	for _, ref := range c.p.refsOfType(kind) {
		if search := c.param("search"); matchesSearch(search, shortRef(ref)) {
			out.items, out.keys = append(out.items, row(ref)), append(out.keys, shortRef(ref))
		}
	}
	return out, nil
}

// matchesSearch takes ^begin and end$ (API docs: branches, search).
func matchesSearch(search, name string) bool {
	if rest, ok := strings.CutPrefix(search, "^"); ok {
		return strings.HasPrefix(name, rest)
	}
	if rest, ok := strings.CutSuffix(search, "$"); ok {
		return strings.HasSuffix(name, rest)
	}
	return strings.Contains(name, search)
}

func showBranch(c *call) (any, error) {
	ref := "refs/heads/" + c.r.PathValue("ref")
	if c.p.refs[ref] == "" {
		return nil, notFound("Branch")
	}
	return c.branchRow(ref), nil
}

// tagRow is one tag: target is the tag object of an annotated tag, and the commit
// of a lightweight one (API docs: tags).
func (c *call) tagRow(ref string) obj {
	sha := c.p.refs[ref]
	row := obj{
		"name": shortRef(ref), "message": "", "target": sha, "commit": c.commitRow(c.p, c.graph.Get(sha), false),
		"release": nil, "protected": c.p.isProtected(ref), "created_at": nil,
	}
	if tag := c.p.tags[ref]; tag != nil {
		row["message"], row["target"], row["created_at"] = tag.message, tag.sha, stamp(tag.when)
	}
	return row
}

func showTag(c *call) (any, error) {
	ref := "refs/tags/" + c.r.PathValue("ref")
	if c.p.refs[ref] == "" {
		return nil, notFound("Tag")
	}
	return c.tagRow(ref), nil
}

// accessRow is one access level (source: lib/api/entities/protected_ref_access.rb;
// user, group and deploy key are shown since 15.x, and are null on Free).
func accessRow(l AccessLevel) obj {
	names := map[int]string{
		0: "No one", levelDeveloper: "Developers + Maintainers", levelMaintainer: "Maintainers", 60: "Instance admins",
	}
	row := obj{
		"id": l.id, "access_level": l.Level, "access_level_description": names[l.Level],
		"deploy_key_id": nil, "user_id": nil, "group_id": nil,
	}
	if l.DeployKey != 0 {
		row["deploy_key_id"], row["access_level_description"] = l.DeployKey, "Deploy key"
	}
	if l.User.ID != 0 {
		row["user_id"], row["access_level"], row["access_level_description"] = l.User.ID, levelMaintainer, l.User.Login
	}
	return row
}

func accessRows(levels []AccessLevel) []obj {
	out := []obj{}
	for _, l := range levels {
		out = append(out, accessRow(l))
	}
	return out
}

// protectedBranchRow is one rule (source: lib/api/entities/protected_branch.rb;
// the rest is the Premium part of the same entity).
func (c *call) protectedBranchRow(r *protectedRef) obj {
	row := obj{
		"id": r.id, "name": r.name, "push_access_levels": accessRows(r.push), "merge_access_levels": accessRows(r.merge),
		"allow_force_push": r.force,
	}
	if c.opts.Premium {
		row["unprotect_access_levels"] = []obj{}
		row["code_owner_approval_required"] = r.owner
		row["inherited"] = false
	}
	return row
}

func listProtectedBranches(c *call) (any, error) {
	var found []*protectedRef
	for _, r := range c.p.protectedBranches {
		if strings.Contains(r.name, c.param("search")) {
			found = append(found, r)
		}
	}
	return list(found, c.protectedBranchRow), nil
}

// showProtectedBranch finds a rule by its own name, wildcards included, and not
// the rule for a branch (API docs: protected branches).
func showProtectedBranch(c *call) (any, error) {
	for _, r := range c.p.protectedBranches {
		if r.name == c.r.PathValue("ref") {
			return c.protectedBranchRow(r), nil
		}
	}
	return nil, notFound("")
}

// protectedTagRow is one rule (API docs: protected tags).
func protectedTagRow(r *protectedRef) obj {
	return obj{"name": r.name, "create_access_levels": accessRows(r.create)}
}

func listProtectedTags(c *call) (any, error) { return list(c.p.protectedTags, protectedTagRow), nil }

func showProtectedTag(c *call) (any, error) {
	for _, r := range c.p.protectedTags {
		if r.name == c.r.PathValue("ref") {
			return protectedTagRow(r), nil
		}
	}
	return nil, notFound("")
}
