package probe

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

func githubHistory() []Fact {
	return []Fact{
		{
			ID: "github.activity", Area: areaHistory, Needs: NeedsRead, check: githubActivity,
			Assumes: "The activity log tells who pushed what to a branch.", Used: "who pushed a change",
			Follows: "pushers stay unknown, and changes need somebody more to cover them, or wait",
		},
		{
			ID: "github.activity-tags", Area: areaHistory, Needs: NeedsRead, Copes: true, check: githubTagActivity,
			Assumes: "The activity log tells pushes of tags too, although its description speaks of branches.",
			Used:    "who made the tag",
			Follows: "of a tag without an object of its own the gate does not learn who pushed it; of others it believes the tagger's address",
		},
		{
			ID: "github.activity-deleted", Area: areaHistory, Needs: NeedsRead, Copes: true, check: githubDeletedActivity,
			Assumes: "The activity log of one branch is still told once the branch is deleted.", Used: "who pushed to a merged branch",
			Follows: "the gate reads the whole log in its place: more calls in a busy repository",
		},
		{
			ID: "github.commit-people", Area: areaHistory, Needs: NeedsRead, check: githubPeople,
			Assumes: "GraphQL tells all authors of a commit, co-authors among them, whether GitHub itself committed it, and its pull requests.",
			Used:    "who is an author of a change", Follows: "the change set stays unknown, and releases wait",
		},
		{
			ID: "github.bot-commits", Area: areaHistory, Needs: NeedsRead, Copes: true, check: githubBots,
			Assumes: "GraphQL names the account behind a bot's address.", Used: "telling bots from strangers",
			Follows: "the gate asks REST once more per pull request of a bot",
		},
		{
			ID: "github.pull-commits", Area: areaHistory, Needs: NeedsRead, check: githubPull,
			Assumes: "A pull request's commits are listed in full, and as many as GitHub counts.", Used: "the change set",
			Follows: "the change set stays unknown, and releases wait",
		},
		{
			ID: "github.compare", Area: areaHistory, Needs: NeedsRead, check: githubCompare,
			Assumes: "A comparison names its base and says whether one commit holds another.",
			Used:    "whether the branch holds the commit", Follows: "the branch stays unknown, and releases wait",
		},
		{
			ID: "github.rights", Area: areaHistory, Needs: NeedsRead, check: githubRights,
			Assumes: "An account's right in the repository is told with the account's number.", Used: "who may approve",
			Follows: "nobody's approval counts",
		},
		{
			ID: "github.rights-at-once", Area: areaHistory, Needs: NeedsRead, Copes: true, check: githubRightsAtOnce,
			Assumes: "GraphQL tells everybody's right at once, with the role that it comes from.", Used: "who may approve",
			Follows: "the gate asks for each person's right by itself: more calls",
		},
		{
			ID: "github.account-by-number", Area: areaHistory, Needs: NeedsRead, check: githubAccount,
			Assumes: "An account is found by its number.", Used: "telling a login that was given to another account",
			Follows: "approvals of accounts whose login is not known stay unknown",
		},
	}
}

type activityJSON struct {
	ID    int64    `json:"id"`
	After string   `json:"after"`
	Ref   string   `json:"ref"`
	Type  string   `json:"activity_type"`
	Actor *account `json:"actor"`
}

func (s *session) activity(ctx context.Context, ref string) ([]activityJSON, result, bool) {
	q := url.Values{"per_page": {"100"}}
	if ref != "" {
		q.Set("ref", ref)
	}
	var rows []activityJSON
	r, ok := s.repo.get(ctx, q, s.at("activity")...).read(&rows)
	return rows, r, ok
}

func githubActivity(ctx context.Context, s *session) result {
	if r, is := s.headless(); is {
		return r
	}
	ref := "refs/heads/" + s.branch
	rows, r, ok := s.activity(ctx, ref)
	switch {
	case !ok:
		return r
	case len(rows) == 0:
		return fails("the log of the default branch is empty")
	}
	for _, a := range rows {
		if a.Ref != ref {
			return fails("asked for the log of one branch, got another's")
		}
		if a.Actor == nil || a.Actor.ID <= 0 || a.After == "" || a.Type == "" {
			return fails("a row does not name who pushed what")
		}
	}
	return holds("%d rows", len(rows))
}

func githubTagActivity(ctx context.Context, s *session) result {
	if r, is := s.unready(); is {
		return r
	}
	if !strings.HasPrefix(s.Ref, "refs/tags/") {
		return untold("name a tag with --ref to find out")
	}
	rows, r, ok := s.activity(ctx, s.Ref)
	switch {
	case !ok:
		return r
	case !slices.ContainsFunc(rows, func(a activityJSON) bool { return a.Ref == s.Ref }):
		return fails("the log has no row of the tag")
	}
	return holds("the tag's push is told")
}

func githubDeletedActivity(ctx context.Context, s *session) result {
	if r, is := s.unready(); is {
		return r
	}
	all, r, ok := s.activity(ctx, "")
	if !ok {
		return r
	}
	at := slices.IndexFunc(all, func(a activityJSON) bool { return a.Type == "branch_deletion" })
	if at < 0 {
		return untold("no branch was deleted lately: delete one to find out")
	}
	rows, r, ok := s.activity(ctx, all[at].Ref)
	switch {
	case !ok && r.outcome == Untold:
		return r
	case !ok || len(rows) == 0:
		return fails("nothing is told of a deleted branch")
	}
	return holds("%d rows of a deleted branch", len(rows))
}

const peopleQuery = `query People($owner: String!, $name: String!, $oid: GitObjectID!) {
  repository(owner: $owner, name: $name) { databaseId object(oid: $oid) { ... on Commit {
    oid committedViaWeb history(first: 100) { totalCount nodes {
      oid committedViaWeb author { name email user { databaseId login } }
      authors(first: 20) { totalCount nodes { name email user { databaseId login } } }
      signature { isValid wasSignedByGitHub }
      associatedPullRequests(first: 20) { totalCount nodes { number merged baseRepository { databaseId } } }
    } }
  } } }
}`

type peopleNode struct {
	OID    string `json:"oid"`
	ViaWeb *bool  `json:"committedViaWeb"`
	Author *struct {
		User *struct {
			DatabaseID int64 `json:"databaseId"`
		} `json:"user"`
	} `json:"author"`
	Authors struct {
		TotalCount int        `json:"totalCount"`
		Nodes      []struct{} `json:"nodes"`
	} `json:"authors"`
	Pulls *struct {
		Nodes []struct {
			Number int64 `json:"number"`
			Merged bool  `json:"merged"`
			Base   *struct {
				ID int64 `json:"databaseId"`
			} `json:"baseRepository"`
		} `json:"nodes"`
	} `json:"associatedPullRequests"`
}

func (s *session) history(ctx context.Context) ([]peopleNode, result, bool) {
	var data struct {
		Repository *struct {
			ID     int64 `json:"databaseId"`
			Object *struct {
				OID     string `json:"oid"`
				History struct {
					Nodes []peopleNode `json:"nodes"`
				} `json:"history"`
			} `json:"object"`
		} `json:"repository"`
	}
	a := s.repo.query(ctx, peopleQuery, map[string]any{"owner": s.owner, "name": s.name, "oid": s.head})
	if r, ok := a.data(&data); !ok {
		return nil, r, false
	}
	if data.Repository == nil || data.Repository.ID != s.id || data.Repository.Object == nil || len(data.Repository.Object.History.Nodes) == 0 {
		return nil, fails("GraphQL does not know the commit, or its history"), false
	}
	return data.Repository.Object.History.Nodes, result{}, true
}

func githubPeople(ctx context.Context, s *session) result {
	if r, is := s.headless(); is {
		return r
	}
	nodes, r, ok := s.history(ctx)
	if !ok {
		return r
	}
	for _, n := range nodes {
		if n.ViaWeb == nil || n.Author == nil || n.Pulls == nil || n.Authors.TotalCount == 0 || len(n.Authors.Nodes) != min(n.Authors.TotalCount, 20) {
			return fails("a commit lacks its authors, its pull requests, or whether GitHub made it")
		}
		for _, p := range n.Pulls.Nodes {
			if p.Merged && p.Base != nil && p.Base.ID == s.id && s.pull == 0 {
				s.pull = p.Number
			}
		}
	}
	return holds("%d commits", len(nodes))
}

func githubBots(ctx context.Context, s *session) result {
	if r, is := s.headless(); is {
		return r
	}
	nodes, r, ok := s.history(ctx)
	if !ok {
		return r
	}
	var rows []struct {
		SHA    string   `json:"sha"`
		Author *account `json:"author"`
	}
	if r, ok := s.repo.get(ctx, url.Values{"sha": {s.head}, "per_page": {"100"}}, s.at("commits")...).read(&rows); !ok {
		return r
	}
	for _, c := range rows {
		if c.Author == nil || c.Author.Type != "Bot" {
			continue
		}
		at := slices.IndexFunc(nodes, func(n peopleNode) bool { return n.OID == c.SHA })
		if at < 0 {
			continue
		}
		if u := nodes[at].Author.User; u == nil || u.DatabaseID != c.Author.ID {
			return fails("GraphQL names no account where REST names a bot")
		}
		return holds("the bot that REST names")
	}
	return untold("no commit of the last 100 is a bot's: let one commit to find out")
}

func githubPull(ctx context.Context, s *session) result {
	if r, is := s.headless(); is {
		return r
	}
	if s.pull == 0 {
		return untold("no commit of the last 100 came by a pull request: merge one to find out")
	}
	number := strconv.FormatInt(s.pull, 10)
	var p struct {
		Number  int64   `json:"number"`
		Commits int     `json:"commits"`
		Merged  *string `json:"merged_at"`
		Head    struct {
			SHA string `json:"sha"`
		} `json:"head"`
	}
	if r, ok := s.repo.get(ctx, nil, s.at("pulls", number)...).read(&p); !ok {
		return r
	}
	var rows []struct {
		SHA string `json:"sha"`
	}
	if r, ok := s.repo.get(ctx, url.Values{"per_page": {"100"}}, s.at("pulls", number, "commits")...).read(&rows); !ok {
		return r
	}
	switch {
	case p.Number != s.pull || p.Merged == nil || p.Head.SHA == "":
		return fails("the pull request lacks its number, its head, or when it was merged")
	case p.Commits > 100:
		return untold("the pull request has more than 100 commits")
	case len(rows) != p.Commits:
		return fails("GitHub counts %d commits and lists %d", p.Commits, len(rows))
	}
	return holds("%d of %d", len(rows), p.Commits)
}

func githubCompare(ctx context.Context, s *session) result {
	if r, is := s.headless(); is {
		return r
	}
	var c struct {
		Status string `json:"status"`
		Total  *int   `json:"total_commits"`
		Base   struct {
			SHA     string `json:"sha"`
			Parents []struct {
				SHA string `json:"sha"`
			} `json:"parents"`
		} `json:"base_commit"`
	}
	q := url.Values{"per_page": {"1"}}
	if r, ok := s.repo.get(ctx, q, s.at("compare", s.head+"..."+s.head)...).read(&c); !ok {
		return r
	}
	if c.Status != "identical" || c.Base.SHA != s.head || c.Total == nil {
		return fails("a commit compared with itself is %q", c.Status)
	}
	if len(c.Base.Parents) == 0 {
		return untold("the default branch has a single commit: add one to find out")
	}
	c.Status = ""
	if r, ok := s.repo.get(ctx, q, s.at("compare", s.head+"..."+c.Base.Parents[0].SHA)...).read(&c); !ok {
		return r
	}
	if c.Status != "behind" || c.Base.SHA != s.head {
		return fails("a commit compared with its parent is %q", c.Status)
	}
	return holds("identical and behind")
}

func (s *session) someone(ctx context.Context) (account, result, bool) {
	var all []account
	r, ok := s.repo.get(ctx, url.Values{"permission": {"push"}, "per_page": {"100"}}, s.at("collaborators")...).read(&all)
	switch {
	case !ok:
		return account{}, r, false
	case len(all) == 0:
		return account{}, untold("nobody may write to the repository: add somebody to find out"), false
	case all[0].ID <= 0 || all[0].Login == "":
		return account{}, fails("a collaborator has no number or login"), false
	}
	return all[0], result{}, true
}

func githubRights(ctx context.Context, s *session) result {
	if r, is := s.unready(); is {
		return r
	}
	who, r, ok := s.someone(ctx)
	if !ok {
		return r
	}
	var p struct {
		Permission string   `json:"permission"`
		RoleName   string   `json:"role_name"`
		User       *account `json:"user"`
	}
	if r, ok := s.repo.get(ctx, nil, s.at("collaborators", who.Login, "permission")...).read(&p); !ok {
		return r
	}
	if p.User == nil || p.User.ID != who.ID || p.RoleName == "" || !slices.Contains([]string{"read", "write", "admin"}, p.Permission) {
		return fails("the right lacks the account's number, its role's name, or a known base role (%q)", p.Permission)
	}
	return holds("with number and role")
}

func githubAccount(ctx context.Context, s *session) result {
	if r, is := s.unready(); is {
		return r
	}
	who, r, ok := s.someone(ctx)
	if !ok {
		return r
	}
	var u account
	if r, ok := s.repo.get(ctx, nil, "user", fmt.Sprint(who.ID)).read(&u); !ok {
		return r
	}
	if u.ID != who.ID || u.Login != who.Login || u.Type == "" {
		return fails("asked for account %d, got %d", who.ID, u.ID)
	}
	return holds("the account itself")
}

// rightEdge is GraphQL's type RepositoryCollaboratorEdge, in part.
type rightEdge struct {
	Permission string       `json:"permission"`
	Sources    []roleSource `json:"permissionSources"`
	Node       struct {
		ID int64 `json:"databaseId"`
	} `json:"node"`
}

type roleSource struct {
	Role *string `json:"roleName"`
}

func githubRightsAtOnce(ctx context.Context, s *session) result {
	if r, is := s.unready(); is {
		return r
	}
	var data struct {
		Repository *struct {
			People *struct {
				Edges []rightEdge `json:"edges"`
			} `json:"collaborators"`
		} `json:"repository"`
	}
	const question = `query Rights($owner: String!, $name: String!) {
  repository(owner: $owner, name: $name) { collaborators(first: 100) { edges { permission permissionSources { roleName } node { databaseId } } } }
}`
	if r, ok := s.repo.query(ctx, question, map[string]any{"owner": s.owner, "name": s.name}).data(&data); !ok {
		return r
	}
	if data.Repository == nil || data.Repository.People == nil {
		return fails("GraphQL tells nobody's right")
	}
	people := data.Repository.People.Edges
	for _, e := range people {
		if e.Node.ID <= 0 || e.Permission == "" || len(e.Sources) == 0 || slices.ContainsFunc(e.Sources, func(x roleSource) bool { return x.Role == nil }) {
			return fails("somebody's right lacks the account's number, or the role that it comes from")
		}
	}
	if len(people) == 0 {
		return untold("nobody may write to the repository: add somebody to find out")
	}
	return holds("%d people", len(people))
}
