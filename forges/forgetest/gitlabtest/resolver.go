package gitlabtest

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
)

// maxNodes is a connection's largest page (API docs: GraphQL, limits).
const maxNodes = 100

func gid(kind string, id int64) string { return "gid://gitlab/" + kind + "/" + decimal(id) }

func (c *call) rootRecord() *record {
	return &record{typ: "Query", fields: map[string]func(map[string]any) any{
		"currentUser": func(map[string]any) any { r := c.userRecord(c.me); r.typ = "CurrentUser"; return r },
		"metadata": is(&record{typ: "Metadata", fields: map[string]func(map[string]any) any{
			"version": is(c.opts.Version), "revision": is("6a3f3a9c1b2"), "enterprise": is(c.opts.Premium),
		}}),
		"project":  func(args map[string]any) any { return c.visibleProject(text(args["fullPath"])) },
		"projects": c.projectsByArgs,
		"user": func(args map[string]any) any {
			for _, a := range c.accounts {
				if gid("User", a.id) == text(args["id"]) || a.login == text(args["username"]) {
					return c.userRecord(a)
				}
			}
			return nil
		},
		"users": c.usersByArgs,
		"note":  func(args map[string]any) any { return c.noteByID(text(args["id"])) },
	}}
}

func text(v any) string {
	if n, ok := v.(json.Number); ok {
		return n.String()
	}
	out, _ := v.(string)
	return out
}

func texts(v any) []string {
	rows, _ := v.([]any)
	var out []string
	for _, row := range rows {
		out = append(out, text(row))
	}
	return out
}

func (c *call) usersByArgs(args map[string]any) any {
	ids, names := texts(args["ids"]), texts(args["usernames"])
	var found []*account
	for _, a := range c.accounts {
		if slices.Contains(ids, gid("User", a.id)) || slices.Contains(names, a.login) {
			found = append(found, a)
		}
	}
	slices.SortFunc(found, func(a, b *account) int { return int(a.id - b.id) })
	return c.users(found, args)
}

// visibleProject is null where the caller cannot see it, without an error.
func (c *call) visibleProject(fullPath string) any {
	return c.visible(c.byPath(fullPath))
}

func (c *call) visible(p *project) any {
	if p == nil || (p.visibility == "private" && p.level(c.me, c.opts.Now()) < levelGuest) {
		return nil
	}
	return &record{typ: "Project", fields: map[string]func(map[string]any) any{
		"id": is(gid("Project", p.id)), "fullPath": is(p.fullPath()), "name": is(p.path), "path": is(p.path),
		"visibility": is(p.visibility), "archived": is(false), "webUrl": is(c.webURL(p)),
		"repository": func(map[string]any) any { return c.repositoryRecord(p) },
		"namespace": is(&record{typ: "Namespace", fields: map[string]func(map[string]any) any{
			"id": is(gid(namespaceKind(p.group), p.group.id)), "fullPath": is(p.group.path),
		}}),
		"issue": func(args map[string]any) any {
			for _, i := range p.issues {
				if decimal(i.iid) == text(args["iid"]) {
					return c.threadRecord(&i.thread)
				}
			}
			return nil
		},
		"mergeRequest": func(args map[string]any) any {
			for _, mr := range p.mergeRequests {
				if decimal(mr.iid) == text(args["iid"]) {
					return c.changeRecord(mr)
				}
			}
			return nil
		},
		"mergeRequests": func(args map[string]any) any { return c.changesByArgs(p, args) },
	}}
}

func namespaceKind(g *group) string {
	if g.owner != nil {
		return "Namespaces::UserNamespace"
	}
	return "Group"
}

func (c *call) changesByArgs(p *project, args map[string]any) any {
	var rows []*record
	wanted := func(arg, value string) bool {
		list := texts(args[arg])
		return len(list) == 0 || slices.Contains(list, value)
	}
	for _, mr := range p.mergeRequests {
		state := text(args["state"])
		if wanted("iids", decimal(mr.iid)) && wanted("sourceBranches", mr.sourceBranch) &&
			wanted("targetBranches", mr.targetBranch) && (state == "" || state == "all" || state == mr.state) {
			rows = append(rows, c.changeRecord(mr))
		}
	}
	return connection("MergeRequestConnection", rows, args, nil)
}

func (c *call) repositoryRecord(p *project) *record {
	return &record{typ: "Repository", fields: map[string]func(map[string]any) any{
		"rootRef": is(p.defaultBranch), "empty": is(false), "exists": is(true),
		"tree": func(args map[string]any) any {
			ref := text(args["ref"])
			if ref == "" {
				ref = p.defaultBranch
			}
			fields := map[string]func(map[string]any) any{
				"lastCommit": func(map[string]any) any { return c.commitRecord(p, c.lastTouching(p, ref, text(args["path"]))) },
			}
			maps.Copy(fields, topOf(c.resolve(p, ref)))
			return &record{typ: "Tree", fields: fields}
		},
		"commit": func(args map[string]any) any { return c.commitRecord(p, c.resolve(p, text(args["ref"]))) },
		"commits": func(args map[string]any) any {
			commits := []*forgetest.Commit{}
			if head := c.resolve(p, text(args["ref"])); head != nil {
				commits = c.graph.Between("", head.SHA)
				slices.Reverse(commits)
			}
			return c.commits(p, commits, args)
		},
	}}
}

// lastTouching is the newest commit that changed a path; of the root, the head
// itself (source: resolvers of Tree.lastCommit, last_commit_for_path).
func (c *call) lastTouching(p *project, ref, path string) *forgetest.Commit {
	head := c.resolve(p, ref)
	if head == nil || path == "" || path == "/" {
		return head
	}
	commits := c.graph.Between("", head.SHA)
	slices.Reverse(commits)
	for _, commit := range commits {
		parent := ""
		if len(commit.Parents) > 0 {
			parent = commit.Parents[0]
		}
		if slices.Contains(c.graph.Changed(parent, commit.SHA), path) {
			return commit
		}
	}
	return nil
}

// commitRecord is a commit; author is the account whose confirmed address wrote
// it, or null (source: app/models/commit.rb, author and lazy_author).
func (c *call) commitRecord(p *project, commit *forgetest.Commit) *record {
	if commit == nil {
		return nil
	}
	parent := any(nil)
	if len(commit.Parents) > 0 {
		parent = commit.Parents[0]
	}
	_, description, _ := strings.Cut(commit.Message, "\n")
	return &record{typ: "Commit", fields: map[string]func(map[string]any) any{
		"id": is("gid://gitlab/Commit/" + commit.SHA), "sha": is(commit.SHA), "shortId": is(commit.SHA[:8]), "parentSha": is(parent),
		"title": is(subject(commit)), "fullTitle": is(subject(commit)), "description": is(strings.TrimSpace(description)),
		"message": is(commit.Message), "authoredDate": is(commit.When.UTC().Format(time.RFC3339)),
		"committedDate": is(commit.When.UTC().Format(time.RFC3339)),
		"webUrl":        is(c.webURL(p) + "/-/commit/" + commit.SHA), "webPath": is("/" + p.fullPath() + "/-/commit/" + commit.SHA),
		"authorEmail": is(commit.Author.Email), "authorName": is(commitName(commit.Author)),
		"committerEmail": is(commit.Committer.Email), "committerName": is(commitName(commit.Committer)),
		"author": func(map[string]any) any { return c.userRecord(c.byEmail(commit.Author.Email)) },
	}}
}

func (c *call) commits(p *project, commits []*forgetest.Commit, args map[string]any) any {
	var rows []*record
	var cursors []string
	for _, commit := range commits {
		rows = append(rows, c.commitRecord(p, commit))
		cursors = append(cursors, base64.StdEncoding.EncodeToString([]byte(commit.SHA)))
	}
	return connection("CommitConnection", rows, args, cursors)
}

func (c *call) userRecord(a *account) *record {
	if a == nil {
		return nil
	}
	return &record{typ: "UserCore", fields: map[string]func(map[string]any) any{
		"id": is(gid("User", a.id)), "username": is(a.login), "name": is(a.name), "state": is(a.state), "bot": is(a.bot),
		"active": is(a.state == "active"), "human": is(!a.bot), "publicEmail": is(orNil(a.publicEmail)),
		"webUrl": is(c.base + "/" + a.login),
	}}
}

func (c *call) users(accounts []*account, args map[string]any) any {
	var rows []*record
	for _, a := range accounts {
		rows = append(rows, c.userRecord(a))
	}
	return connection("UserCoreConnection", rows, args, nil)
}

func (c *call) changeRecord(mr *mergeRequest) *record {
	v := mr.latest()
	commits := func(merges bool) func(map[string]any) any {
		return func(args map[string]any) any {
			all := c.commitsOf(v)
			slices.Reverse(all)
			all = slices.DeleteFunc(all, func(commit *forgetest.Commit) bool { return !merges && len(commit.Parents) > 1 })
			return c.commits(mr.project, all, args)
		}
	}
	return &record{typ: "MergeRequest", fields: map[string]func(map[string]any) any{
		"id": is(gid("MergeRequest", mr.id)), "iid": is(decimal(mr.iid)), "title": is(mr.title), "description": is(mr.body),
		"state": is(mr.state), "sourceBranch": is(mr.sourceBranch), "targetBranch": is(mr.targetBranch),
		"sourceProjectId": is(mr.source.id), "targetProjectId": is(mr.project.id), "diffHeadSha": is(v.head),
		"diffRefs": is(&record{typ: "DiffRefs", fields: map[string]func(map[string]any) any{
			"baseSha": is(v.base), "headSha": is(v.head), "startSha": is(v.start),
		}}),
		"mergeCommitSha": is(orNil(mr.mergeSHA)), "mergedAt": is(stamp(mr.mergedAt)), "createdAt": is(stamp(mr.created)),
		"updatedAt": is(stamp(mr.updated)), "webUrl": is(c.changeURL(mr)), "draft": is(mr.draft()),
		"approved": is(len(mr.approvals) > 0), "commitCount": is(len(c.commitsOf(v))),
		"author":    func(map[string]any) any { return c.userRecord(mr.author) },
		"mergeUser": func(map[string]any) any { return c.userRecord(mr.mergedBy) },
		"commits":   commits(true), "commitsWithoutMergeCommits": commits(false),
		"committers": func(args map[string]any) any { return c.users(c.committers(v), args) },
		"approvedBy": func(args map[string]any) any {
			var by []*account
			for _, a := range mr.approvals {
				by = append(by, a.by)
			}
			return c.users(by, args)
		},
		"notes":             func(args map[string]any) any { return c.noteRecords(&mr.thread, args) },
		"assignees":         func(args map[string]any) any { return c.users(mr.assignees, args) },
		"mergeRequestDiffs": func(args map[string]any) any { return diffVersions(mr, args) },
		"approvalState": is(&record{typ: "MergeRequestApprovalState", fields: map[string]func(map[string]any) any{
			"approvalRulesOverwritten": is(mr.rulesOverride),
		}}),
	}}
}

// committers are the accounts of the committer addresses; merge commits do not
// count, and authors who did not commit neither (source: app/models/commit_collection.rb).
func (c *call) committers(v *version) []*account {
	var out []*account
	for _, commit := range c.commitsOf(v) {
		a := c.byEmail(commit.Committer.Email)
		if a != nil && len(commit.Parents) < 2 && !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out
}

// noteRecords are a merge request's notes; they tell what REST does not: when and by
// whom a body was edited.
func (c *call) noteRecords(t *thread, args map[string]any) any {
	rows := []*record{}
	for _, n := range t.notes {
		if c.sees(t.project, n) {
			rows = append(rows, c.noteRecord(t, n))
		}
	}
	return connection("NoteConnection", rows, args, nil)
}

// noteByID finds a note of any thread, or null.
func (c *call) noteByID(id string) any {
	for _, p := range c.projects {
		if p.visibility == "private" && p.level(c.me, c.opts.Now()) < levelGuest {
			continue
		}
		for _, t := range p.threads() {
			for _, n := range t.notes {
				if gid("Note", n.id) == id && c.sees(p, n) {
					return c.noteRecord(t, n)
				}
			}
		}
	}
	return nil
}

// noteRecord tells an edit by lastEditedBy: lastEditedAt falls back to updatedAt of
// a note that was never edited (source: app/models/note.rb last_edited_at,
// app/models/concerns/editable.rb).
func (c *call) noteRecord(t *thread, n *note) *record {
	edited := n.updated
	if !n.edited.IsZero() {
		edited = n.edited
	}
	fields := map[string]func(map[string]any) any{
		"id": is(gid("Note", n.id)), "body": is(n.body), "system": is(n.system), "internal": is(n.internal),
		"createdAt": is(stamp(n.created)), "updatedAt": is(stamp(n.updated)), "lastEditedAt": is(stamp(edited)),
		"author":       func(map[string]any) any { return c.userRecord(n.author) },
		"lastEditedBy": func(map[string]any) any { return c.userRecord(n.editor) },
		"url":          is(c.noteURL(t, n)),
	}
	maps.Copy(fields, c.noteFields(t, n))
	return &record{typ: "Note", fields: fields}
}

// connection is a page of records. Cursors are opaque; without given ones they
// are positions.
func connection(typ string, rows []*record, args map[string]any, cursors []string) *record {
	for i := len(cursors); i < len(rows); i++ {
		cursors = append(cursors, base64.StdEncoding.EncodeToString([]byte(decimal(int64(i)))))
	}
	from := 0
	if after := text(args["after"]); after != "" {
		from = slices.Index(cursors, after) + 1
	}
	first := maxNodes
	if n, ok := args["first"].(int64); ok && n >= 0 {
		first = min(int(n), maxNodes)
	}
	to := min(from+first, len(rows))
	if n, ok := args["last"].(int64); ok && n >= 0 {
		to = len(rows)
		if before := text(args["before"]); before != "" {
			to = max(slices.Index(cursors, before), 0)
		}
		from = max(to-min(int(n), maxNodes), 0)
	}
	info := map[string]func(map[string]any) any{
		"hasNextPage": is(to < len(rows)), "hasPreviousPage": is(from > 0), "startCursor": is(nil), "endCursor": is(nil),
	}
	edges := []*record{}
	for i := from; i < to; i++ {
		edges = append(edges, &record{typ: "CommitEdge", fields: map[string]func(map[string]any) any{
			"cursor": is(cursors[i]), "node": is(rows[i]),
		}})
	}
	if to > from {
		info["startCursor"], info["endCursor"] = is(cursors[from]), is(cursors[to-1])
	}
	return &record{typ: typ, fields: map[string]func(map[string]any) any{
		"nodes": is(rows[from:to]), "edges": is(edges), "count": is(len(rows)),
		"pageInfo": is(&record{typ: "PageInfo", fields: info}),
	}}
}
