package gitlab

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/countersign/countersign/gate"
)

// crowd is the accounts and merge requests that GraphQL showed within one reading, so that
// they need no look of their own. Its zero value is empty. It is safe for concurrent use.
type crowd struct {
	mu    sync.Mutex
	byID  map[int64]gate.Account
	byIID map[int64]graphMergeRequest
}

func (c *crowd) put(a gate.Account) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byID == nil {
		c.byID = map[int64]gate.Account{}
	}
	c.byID[a.ID.ID] = a
}

func (c *crowd) get(id int64) (gate.Account, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, ok := c.byID[id]
	return a, ok
}

func (c *crowd) show(iid int64, m graphMergeRequest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byIID == nil {
		c.byIID = map[int64]graphMergeRequest{}
	}
	c.byIID[iid] = m
}

func (c *crowd) shown(iid int64) (graphMergeRequest, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m, ok := c.byIID[iid]
	return m, ok
}

// graphUser is an account in GraphQL (source: app/graphql/types/user_interface.rb).
type graphUser struct {
	ID       string `json:"id"`
	Username string `json:"username"`
	Bot      *bool  `json:"bot"`
}

const userFields = "{ id username bot }"

// known is the account that GraphQL shows. One that does not say whether it is a bot
// counts as one, as REST's does.
func (s *session) known(u graphUser) (gate.Account, error) {
	id, err := gidOf("User", u.ID)
	if err == nil && u.Username == "" {
		err = errUnexpected
	}
	if err != nil {
		return gate.Account{}, err
	}
	a := gate.Account{ID: gate.AccountID{Forge: s.forge, ID: id}, Login: u.Username, Human: u.Bot != nil && !*u.Bot}
	if u.Bot != nil {
		s.crowd.put(a)
	}
	return a, nil
}

// more is a list's word that it goes on.
type more struct {
	HasNextPage *bool `json:"hasNextPage"`
}

func (m *more) ended() bool { return m != nil && m.HasNextPage != nil && !*m.HasNextPage }

// graphMergeRequest is what GraphQL says of a merge request (source:
// app/graphql/types/merge_request_type.rb). It does not tell since when somebody
// approves, nor what a version held.
type graphMergeRequest struct {
	IID         string     `json:"iid"`
	DiffHeadSHA string     `json:"diffHeadSha"`
	Author      *graphUser `json:"author"`
	MergeUser   *graphUser `json:"mergeUser"`
	Assignees   *struct {
		Nodes []graphUser `json:"nodes"`
	} `json:"assignees"`
	ApprovedBy *struct {
		Nodes    []graphUser `json:"nodes"`
		PageInfo *more       `json:"pageInfo"`
	} `json:"approvedBy"`
	DiffRefs *struct {
		Base string `json:"baseSha"`
		Head string `json:"headSha"`
	} `json:"diffRefs"`
	Versions *struct {
		Nodes []struct {
			CreatedAt time.Time `json:"createdAt"`
		} `json:"nodes"`
		PageInfo *more `json:"pageInfo"`
	} `json:"mergeRequestDiffs"`
	Notes *struct {
		Nodes []*approvalNote `json:"nodes"`
	} `json:"notes"`
	CommitCount *int `json:"commitCount"`
	Commits     *struct {
		Nodes    []graphCommit `json:"nodes"`
		PageInfo *more         `json:"pageInfo"`
	} `json:"commits"`
	ApprovalState *struct {
		Overwritten *bool `json:"approvalRulesOverwritten"`
	} `json:"approvalState"`
}

// approvalNote is what GitLab noted, by what it is about (source:
// app/services/system_notes/merge_requests_service.rb: action "approved").
type approvalNote struct {
	CreatedAt time.Time `json:"createdAt"`
	System    *bool     `json:"system"`
	Author    *struct {
		ID string `json:"id"`
	} `json:"author"`
	Metadata *struct {
		Action string `json:"action"`
	} `json:"systemNoteMetadata"`
}

type graphMergeRequests struct {
	Nodes []graphMergeRequest `json:"nodes"`
}

const peopleFields = "iid diffHeadSha author " + userFields + " mergeUser " + userFields + " assignees { nodes " + userFields +
	" } diffRefs { baseSha headSha }"

// changeFields are what is asked of a merge request.
func (s *session) changeFields(d dialect, contents bool) string {
	out := peopleFields
	if !s.noReviews {
		out += " approvedBy(first: 100) { nodes " + userFields + " pageInfo { hasNextPage } }" +
			" notes(last: 100) { nodes { createdAt system author { id } systemNoteMetadata { action } } }"
		if d.versions && s.paid {
			out += " approvalState { approvalRulesOverwritten }"
		}
	}
	if d.versions {
		out += " mergeRequestDiffs(first: 2) { nodes { createdAt } pageInfo { hasNextPage } }"
	}
	if contents {
		out += " commitCount commits(first: 100) { nodes { sha message authorName authorEmail committerName committerEmail author " +
			userFields + " } pageInfo { hasNextPage } }"
	}
	return out
}

// crowdBatch is how many merge requests are asked for in one query: asked for by number,
// many cost GitLab hardly more than one (source: app/graphql/resolvers/base_resolver.rb,
// complexity_multiplier).
const crowdBatch = 40

// gather asks for those merge requests that no query showed yet. It only saves calls:
// what it does not find is asked for one by one.
func (s *session) gather(ctx context.Context, found map[int64]*merged) {
	var missing []int64
	for iid := range found {
		if _, ok := s.crowd.shown(iid); !ok {
			missing = append(missing, iid)
		}
	}
	slices.Sort(missing)
	for batch := range slices.Chunk(missing, crowdBatch) {
		if len(batch) > 1 || !s.noReviews {
			s.gatherBatch(ctx, decimals(batch))
		}
	}
}

func (s *session) gatherBatch(ctx context.Context, iids []string) {
	s.speak(func(d dialect) error {
		var answer struct {
			Projects struct {
				Nodes []*graphProject `json:"nodes"`
			} `json:"projects"`
		}
		query := "query($project: [ID!], $iids: [String!]) { projects(ids: $project, first: 1) { nodes { id plain: mergeRequests(iids: $iids)" +
			" { nodes { " + s.changeFields(d, false) + " } } } } }"
		err := s.graphQL(ctx, query, map[string]any{"project": []string{s.gid()}, "iids": iids}, &answer)
		if nodes := answer.Projects.Nodes; err == nil && len(nodes) == 1 && nodes[0] != nil && nodes[0].ID == s.gid() && nodes[0].Plain != nil {
			s.present(*nodes[0].Plain)
		}
		return err
	})
}

// present takes up merge requests, and the people that they name.
func (s *session) present(all graphMergeRequests) {
	for _, m := range all.Nodes {
		for _, u := range []*graphUser{m.Author, m.MergeUser} {
			if u != nil {
				_, _ = s.known(*u) // it is asked for again where somebody needs it
			}
		}
		if m.Assignees != nil {
			for _, u := range m.Assignees.Nodes {
				_, _ = s.known(u)
			}
		}
		if iid, err := strconv.ParseInt(m.IID, 10, 64); err == nil && iid > 0 {
			s.crowd.show(iid, m)
		}
	}
}

// versions are the merge request's where it only ever had one: GraphQL tells when a
// version was made, and of the last one what it is between.
func (m graphMergeRequest) versions(head string) ([]version, bool) {
	if m.Versions == nil || len(m.Versions.Nodes) != 1 || !m.Versions.PageInfo.ended() || m.DiffRefs == nil {
		return nil, false
	}
	v := version{ID: 1, Head: m.DiffRefs.Head, Base: m.DiffRefs.Base, Created: m.Versions.Nodes[0].CreatedAt}
	whole := v.Head == head && m.DiffHeadSHA == head && isSHA(v.Base) && !v.Created.IsZero()
	return []version{v}, whole
}

// contents are the merge request's own commits, newest first, where all of them came.
func (m graphMergeRequest) contents(head string) ([]commit, bool) {
	if m.Commits == nil || !m.Commits.PageInfo.ended() || m.CommitCount == nil || *m.CommitCount != len(m.Commits.Nodes) || m.DiffHeadSHA != head {
		return nil, false
	}
	var rows []commit
	for _, c := range m.Commits.Nodes {
		if !isSHA(c.SHA) || c.AuthorEmail == "" || c.Message == "" {
			return nil, false
		}
		rows = append(rows, commit{
			ID: c.SHA, Message: c.Message, AuthorName: c.AuthorName, AuthorEmail: c.AuthorEmail,
			CommitterName: c.CommitterName, CommitterEmail: c.CommitterEmail,
		})
	}
	return rows, slices.ContainsFunc(rows, func(c commit) bool { return c.ID == head })
}

// approvals are who approves, and by when each had: when GitLab noted it, which is after
// it happened. They are told only where that is before the merge: of later ones REST
// knows the time itself.
func (m graphMergeRequest) approvals(merged time.Time) ([]approval, bool) {
	if m.ApprovedBy == nil || m.ApprovedBy.Nodes == nil || !m.ApprovedBy.PageInfo.ended() || m.Notes == nil || merged.IsZero() {
		return nil, false
	}
	rows := []approval{}
	for _, u := range m.ApprovedBy.Nodes {
		id, err := gidOf("User", u.ID)
		if err != nil || u.Username == "" {
			return nil, false
		}
		at := m.noted(u.ID)
		if at.IsZero() || at.After(merged) || slices.ContainsFunc(rows, func(a approval) bool { return a.User.ID == id }) {
			return nil, false
		}
		rows = append(rows, approval{User: account{ID: id, Username: u.Username}, At: at})
	}
	return rows, true
}

// noted is when GitLab last noted that somebody approved; the zero time where it did not,
// or where its last word is that the approval was taken back.
func (m graphMergeRequest) noted(user string) time.Time {
	var at, back time.Time
	for _, n := range m.Notes.Nodes {
		if n == nil || n.System == nil || !*n.System || n.Author == nil || n.Author.ID != user || n.Metadata == nil {
			continue
		}
		switch {
		case n.Metadata.Action == "approved" && n.CreatedAt.After(at):
			at = n.CreatedAt
		case n.Metadata.Action == "unapproved" && n.CreatedAt.After(back):
			back = n.CreatedAt
		}
	}
	if back.After(at) {
		return time.Time{}
	}
	return at
}

// speak asks in the best dialect that the instance is known to take, and steps down where
// it takes it not: an unknown field fails a whole query.
func (s *session) speak(ask func(dialect) error) {
	first := 0
	if known, ok := s.memory.dialects.get(""); ok && s.now().Before(known.until) {
		first = known.at
	}
	for i, d := range dialects() {
		if i < first {
			continue
		}
		err := ask(d)
		if err == nil && i != first {
			s.memory.dialects.put("", spoken{i, s.now().Add(dialectFor)}, 1)
		}
		if !errors.Is(err, errGraphQL) {
			return
		}
	}
}
