package gitlab

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/countersign/countersign/gate"
)

// crowd is the accounts that GraphQL named within one reading, so that they need no
// look of their own. Its zero value is empty. It is safe for concurrent use.
type crowd struct {
	mu   sync.Mutex
	byID map[int64]gate.Account
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

// approvers are whoever approves a merge request at present. GraphQL does not tell
// since when (source: app/graphql/types/merge_request_type.rb).
type approvers struct {
	updated time.Time
	ids     map[int64]bool
}

const (
	crowdBatch   = 10 // merge requests in one query: each costs about fifteen of 250
	maxApprovers = 100
)

// graphMergeRequest is what GraphQL says of a merge request's people.
type graphMergeRequest struct {
	IID        string     `json:"iid"`
	UpdatedAt  time.Time  `json:"updatedAt"`
	Author     *graphUser `json:"author"`
	MergeUser  *graphUser `json:"mergeUser"`
	ApprovedBy *struct {
		Nodes    []graphUser `json:"nodes"`
		PageInfo *struct {
			HasNextPage bool `json:"hasNextPage"`
		} `json:"pageInfo"`
	} `json:"approvedBy"`
}

// gather asks who opened, approved and merged the merge requests. It only saves calls:
// what it does not find is asked for one by one.
func (s *session) gather(ctx context.Context, found map[int64]*merged) map[int64]approvers {
	out := map[int64]approvers{}
	var batch []string
	for iid := range found {
		if batch = append(batch, strconv.FormatInt(iid, 10)); len(batch) == crowdBatch {
			s.gatherBatch(ctx, batch, out)
			batch = nil
		}
	}
	if len(batch) > 0 {
		s.gatherBatch(ctx, batch, out)
	}
	return out
}

// gatherFields are of a project (source: app/graphql/resolvers/project_merge_requests_resolver.rb).
const gatherFields = "mergeRequests(iids: $iids) { nodes { iid updatedAt author " + userFields + " mergeUser " + userFields +
	" approvedBy(first: 100) { nodes " + userFields + " pageInfo { hasNextPage } } } }"

type graphMergeRequests struct {
	Nodes []graphMergeRequest `json:"nodes"`
}

func (s *session) gatherBatch(ctx context.Context, iids []string, out map[int64]approvers) {
	p, err := s.readProject(ctx)
	if err != nil {
		return
	}
	var answer struct {
		Project *struct {
			ID            string             `json:"id"`
			MergeRequests graphMergeRequests `json:"mergeRequests"`
		} `json:"project"`
	}
	const query = "query($path: ID!, $iids: [String!]) { project(fullPath: $path) { id " + gatherFields + " } }"
	err = s.graphQL(ctx, query, map[string]any{"path": p.PathWithNamespace, "iids": iids}, &answer)
	if err != nil || answer.Project == nil {
		return
	}
	// A path may by now belong to another project (attack 73).
	if id, err := gidOf("Project", answer.Project.ID); err != nil || id != s.repo.ID {
		return
	}
	s.presentAll(answer.Project.MergeRequests, out)
}

func (s *session) presentAll(all graphMergeRequests, out map[int64]approvers) {
	for _, m := range all.Nodes {
		if a, err := s.present(m); err == nil {
			iid, _ := strconv.ParseInt(m.IID, 10, 64)
			out[iid] = a
		}
	}
}

func (s *session) present(m graphMergeRequest) (approvers, error) {
	for _, u := range []*graphUser{m.Author, m.MergeUser} {
		if u != nil {
			_, _ = s.known(*u) // it is asked for again where somebody needs it
		}
	}
	if m.ApprovedBy == nil || m.ApprovedBy.Nodes == nil || m.ApprovedBy.PageInfo == nil || m.ApprovedBy.PageInfo.HasNextPage {
		return approvers{}, errPartial
	}
	a := approvers{updated: m.UpdatedAt, ids: map[int64]bool{}}
	for _, u := range m.ApprovedBy.Nodes {
		who, err := s.known(u)
		if err != nil {
			return approvers{}, err
		}
		a.ids[who.ID.ID] = true
	}
	if len(a.ids) != len(m.ApprovedBy.Nodes) || len(a.ids) > maxApprovers {
		return approvers{}, errPartial
	}
	return a, nil
}

// approval is one approval; GitLab before 17.9 does not say when it was given.
type approval struct {
	User account   `json:"user"`
	At   time.Time `json:"approved_at"`
}

// readApprovals are the approvals as of now. Who approves is read anew every time. Only
// since when may be remembered: while the merge request was not touched, which
// taking an approval back does, the same people approve since the same time.
func (s *session) readApprovals(ctx context.Context, m mergeRequest, now approvers) ([]approval, error) {
	key, final := s.settled(m)
	stamp := touched{key, now.updated.UTC()}
	if rows, ok := s.memory.approved.get(stamp); ok && final && now.are(rows) {
		return rows, nil
	}
	answer, err := fetch[struct {
		ApprovedBy []approval `json:"approved_by"`
	}](ctx, s, s.path("/merge_requests/%d/approvals", m.IID), nil)
	if err == nil && answer.ApprovedBy == nil {
		err = errUnexpected
	}
	if err != nil {
		return nil, fmt.Errorf("read the approvals of !%d: %w", m.IID, err)
	}
	if final && now.are(answer.ApprovedBy) {
		s.memory.approved.put(stamp, answer.ApprovedBy, maxRemembered)
	}
	return answer.ApprovedBy, nil
}

// are reports whether rows are of exactly those who approve now.
func (a approvers) are(rows []approval) bool {
	if a.ids == nil || a.updated.IsZero() || len(rows) != len(a.ids) {
		return false
	}
	for _, row := range rows {
		if !a.ids[row.User.ID] {
			return false
		}
	}
	return true
}

// touched is a merged merge request as it was when it was last updated.
type touched struct {
	settled
	at time.Time
}
