package gitlab

import (
	"context"
	"fmt"
	"maps"
	"strings"
)

// graphTree is a commit's top directory: what it names, it names by content, so that
// two that list the same hold the same files (source: app/graphql/types/tree/
// entry_type.rb, sha is the entry's own id; blob_type.rb, mode).
type graphTree struct {
	Trees      *graphEntries `json:"trees"`
	Submodules *graphEntries `json:"submodules"`
	Blobs      *graphEntries `json:"blobs"`
}

type graphEntries struct {
	Nodes []struct {
		Name string `json:"name"`
		SHA  string `json:"sha"`
		Mode string `json:"mode"`
	} `json:"nodes"`
	PageInfo *struct {
		HasNextPage *bool `json:"hasNextPage"`
	} `json:"pageInfo"`
}

const treeFields = "{ trees(first: 100) { nodes { name sha } pageInfo { hasNextPage } }" +
	" submodules(first: 100) { nodes { name sha } pageInfo { hasNextPage } }" +
	" blobs(first: 100) { nodes { name sha mode } pageInfo { hasNextPage } } }"

// entries are the directory's, or false where GitLab did not show all of it.
func (t graphTree) entries() (map[string]string, bool) {
	out := map[string]string{}
	for kind, list := range map[string]*graphEntries{"tree": t.Trees, "submodule": t.Submodules, "blob": t.Blobs} {
		if list == nil || list.Nodes == nil || list.PageInfo == nil || list.PageInfo.HasNextPage == nil || *list.PageInfo.HasNextPage {
			return nil, false
		}
		for _, e := range list.Nodes {
			if e.Name == "" || !isSHA(e.SHA) || out[e.Name] != "" || (kind == "blob" && e.Mode == "") {
				return nil, false
			}
			out[e.Name] = kind + " " + e.Mode + " " + e.SHA
		}
	}
	return out, len(out) > 0
}

// treeBatch keeps a query under GitLab's complexity limit. How much a directory counts
// is not documented: where it is too much, the commits are compared one by one.
const treeBatch = 5

// compareTops finds those merges whose files are exactly their second parent's, all in
// one look, and remembers that they do not differ. It only saves calls: of the others
// nothing is remembered.
func (s *session) compareTops(ctx context.Context, h history, found map[int64]*merged) {
	var batch []commit
	for _, m := range inOrder(found) {
		row, in := h.commit[m.MergeCommitSHA]
		if !in || len(row.ParentIDs) != 2 || !s.lines.leads(row.ParentIDs[1], row.ParentIDs[0]) {
			continue
		}
		if _, known := s.memory.changed.get(span{s.repo.ID, row.ParentIDs[1], row.ID}); known {
			continue
		}
		if batch = append(batch, row); len(batch) == treeBatch {
			s.compareBatch(ctx, batch)
			batch = nil
		}
	}
	if len(batch) > 1 { // one alone is compared as cheaply
		s.compareBatch(ctx, batch)
	}
}

func (s *session) compareBatch(ctx context.Context, batch []commit) {
	p, err := s.readProject(ctx)
	if err != nil {
		return
	}
	var q strings.Builder
	q.WriteString("query($path: ID!) { project(fullPath: $path) { id repository {")
	for i, c := range batch { // commits are hex and need no escaping
		fmt.Fprintf(&q, ` h%d: tree(ref: "%s") %s m%d: tree(ref: "%s") %s`, i, c.ParentIDs[1], treeFields, i, c.ID, treeFields)
	}
	q.WriteString(" } } }")
	var answer struct {
		Project *struct {
			ID         string               `json:"id"`
			Repository map[string]graphTree `json:"repository"`
		} `json:"project"`
	}
	err = s.graphQL(ctx, q.String(), map[string]any{"path": p.PathWithNamespace}, &answer)
	if err != nil || answer.Project == nil {
		return
	}
	// A path may by now belong to another project (attack 73).
	if id, err := gidOf("Project", answer.Project.ID); err != nil || id != s.repo.ID {
		return
	}
	for i, c := range batch {
		head, whole := answer.Project.Repository[fmt.Sprintf("h%d", i)].entries()
		made, all := answer.Project.Repository[fmt.Sprintf("m%d", i)].entries()
		if whole && all && maps.Equal(head, made) {
			s.memory.changed.put(span{s.repo.ID, c.ParentIDs[1], c.ID}, map[string]bool{}, maxRemembered)
		}
	}
}
