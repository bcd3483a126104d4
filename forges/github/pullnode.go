package github

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// actorNode is GraphQL's interface Actor.
type actorNode struct {
	Kind       string `json:"__typename"`
	Login      string `json:"login"`
	DatabaseID int64  `json:"databaseId"`
}

// user is the actor as REST would show it; nil for an account that is gone.
func (a *actorNode) user() *userJSON {
	if a == nil {
		return nil
	}
	u := &userJSON{ID: a.DatabaseID, Login: a.Login, Type: a.Kind}
	if a.Kind == "Bot" && !strings.HasSuffix(u.Login, "[bot]") {
		u.Login += "[bot]" // which GraphQL leaves away
	}
	return u
}

const actorFields = `{ __typename login ... on User { databaseId } ... on Bot { databaseId } ... on Organization { databaseId } ... on Mannequin { databaseId } }`

// pageOfCommits is the most that GraphQL gives of a list at once.
const pageOfCommits = 100

// pullFields asks for what a pullNode holds, with so many commits; for the reviews only
// where they count.
func pullFields(commits int, reviews bool) string {
	text := pullText + fmt.Sprintf("  commits(first: %d) { totalCount nodes { commit { ...C } } }\n", commits)
	if reviews {
		text += reviewText
	}
	return text + "}"
}

const pullText = `fragment R on PullRequest {
  number title url createdAt merged mergedAt changedFiles headRefName headRefOid baseRefName baseRefOid
  author ` + actorFields + ` mergedBy ` + actorFields + `
  assignees(first: 20) { totalCount nodes { databaseId login } }
  automatic: timelineItems(last: 1, itemTypes: [AUTO_MERGE_ENABLED_EVENT, ADDED_TO_MERGE_QUEUE_EVENT]) { nodes {
    ... on AutoMergeEnabledEvent { actor ` + actorFields + ` }
    ... on AddedToMergeQueueEvent { actor ` + actorFields + ` }
  } }
  mergeCommit { oid } isCrossRepository headRepository { databaseId nameWithOwner } baseRepository { databaseId }
`

const reviewText = `  reviews(first: 100, states: [APPROVED, CHANGES_REQUESTED, DISMISSED]) {
    totalCount nodes { fullDatabaseId state submittedAt commit { oid } author ` + actorFields + ` }
  }
`

// pullNode is GraphQL's type PullRequest, in part.
type pullNode struct {
	Number       int64      `json:"number"`
	Title        string     `json:"title"`
	URL          string     `json:"url"`
	CreatedAt    time.Time  `json:"createdAt"`
	Merged       bool       `json:"merged"`
	MergedAt     *time.Time `json:"mergedAt"`
	ChangedFiles *int       `json:"changedFiles"`
	HeadRefName  string     `json:"headRefName"`
	HeadRefOID   string     `json:"headRefOid"`
	BaseRefName  string     `json:"baseRefName"`
	BaseRefOID   string     `json:"baseRefOid"`
	Author       *actorNode `json:"author"`
	MergedBy     *actorNode `json:"mergedBy"`
	// Automatic is who asked last for an automatic merge.
	Automatic *struct {
		Nodes []struct {
			Actor *actorNode `json:"actor"`
		} `json:"nodes"`
	} `json:"automatic"`
	Assignees *struct {
		TotalCount int `json:"totalCount"`
		Nodes      []struct {
			DatabaseID int64  `json:"databaseId"`
			Login      string `json:"login"`
		} `json:"nodes"`
	} `json:"assignees"`
	MergeCommit *struct {
		OID string `json:"oid"`
	} `json:"mergeCommit"`
	Cross          bool      `json:"isCrossRepository"`
	HeadRepository *sideNode `json:"headRepository"`
	BaseRepository *sideNode `json:"baseRepository"`
	Commits        *struct {
		TotalCount int `json:"totalCount"`
		Nodes      []struct {
			Commit commitNode `json:"commit"`
		} `json:"nodes"`
	} `json:"commits"`
	Reviews *struct {
		TotalCount int          `json:"totalCount"`
		Nodes      []reviewNode `json:"nodes"`
	} `json:"reviews"`
}

type sideNode struct {
	DatabaseID    int64  `json:"databaseId"`
	NameWithOwner string `json:"nameWithOwner"`
}

// reviewNode is GraphQL's type PullRequestReview, in part.
type reviewNode struct {
	FullID      bigInt     `json:"fullDatabaseId"`
	State       string     `json:"state"`
	SubmittedAt *time.Time `json:"submittedAt"`
	Commit      *struct {
		OID string `json:"oid"`
	} `json:"commit"`
	Author *actorNode `json:"author"`
}

// readPull makes a pull request of its node. It is nil where GraphQL does not give all
// of it (more commits or reviews than one page, no merge commit): REST then has to.
func (rd *reading) readPull(number int64, raw json.RawMessage) (*pull, error) {
	var n *pullNode
	if err := json.Unmarshal(raw, &n); err != nil {
		return nil, fmt.Errorf("pull request #%d: GraphQL answered otherwise than its schema says: %w", number, err)
	}
	if n == nil || n.Number != number || n.Commits == nil || n.Assignees == nil || n.ChangedFiles == nil || n.BaseRepository == nil {
		return nil, fmt.Errorf("pull request #%d: GraphQL answered in part", number)
	}
	if n.HeadRepository == nil && !n.Cross {
		return nil, fmt.Errorf("pull request #%d: GraphQL does not say where it came from", number)
	}
	if n.Reviews == nil && !rd.needs.NoReviews {
		return nil, fmt.Errorf("pull request #%d: GraphQL answered in part", number)
	}
	if n.MergeCommit == nil || n.Commits.TotalCount != len(n.Commits.Nodes) || n.Assignees.TotalCount != len(n.Assignees.Nodes) {
		return nil, nil
	}
	p := &pull{pullJSON: n.rest(), own: map[string]bool{}, nodes: map[string]commitNode{}}
	for _, c := range n.Commits.Nodes {
		if err := c.Commit.check(); err != nil {
			return nil, fmt.Errorf("pull request #%d: %w", number, err)
		}
		p.commits = append(p.commits, c.Commit.rest())
		p.nodes[c.Commit.OID] = c.Commit
	}
	if !p.takeReviews(n) {
		return nil, nil
	}
	return p, p.check(number, rd.facts.ID.ID)
}

// takeReviews is false where GraphQL does not give all of them.
func (p *pull) takeReviews(n *pullNode) bool {
	if n.Reviews == nil {
		return true // they do not count
	}
	p.reviewed = n.Reviews.TotalCount == len(n.Reviews.Nodes)
	for _, v := range n.Reviews.Nodes {
		review := reviewJSON{ID: int64(v.FullID), User: v.Author.user(), State: v.State, SubmittedAt: v.SubmittedAt}
		if v.Commit != nil {
			review.CommitID = v.Commit.OID
		}
		p.reviews = append(p.reviews, review)
	}
	return p.reviewed
}

// rest is the node as REST would show it.
func (n *pullNode) rest() *pullJSON {
	p := &pullJSON{
		Number: n.Number, Title: n.Title, HTMLURL: n.URL, User: n.Author.user(), CreatedAt: n.CreatedAt,
		MergeCommitSHA: n.MergeCommit.OID, Commits: n.Commits.TotalCount, ChangedFiles: *n.ChangedFiles,
		Head: pullSide{Ref: n.HeadRefName, SHA: n.HeadRefOID}, Base: pullSide{Ref: n.BaseRefName, SHA: n.BaseRefOID},
	}
	if n.Merged {
		p.MergedAt, p.MergedBy = n.MergedAt, n.MergedBy.user()
	}
	if n.MergedBy != nil && n.MergedBy.Kind == "Bot" && n.Automatic != nil && len(n.Automatic.Nodes) > 0 && n.Automatic.Nodes[0].Actor != nil {
		p.MergedBy = n.Automatic.Nodes[0].Actor.user()
	}
	for _, a := range n.Assignees.Nodes {
		p.Assignees = append(p.Assignees, userJSON{ID: a.DatabaseID, Login: a.Login, Type: "User"})
	}
	if s := n.HeadRepository; s != nil {
		p.Head.Repo = &pullRepository{ID: s.DatabaseID, FullName: s.NameWithOwner}
	}
	p.Base.Repo = &pullRepository{ID: n.BaseRepository.DatabaseID, FullName: n.BaseRepository.NameWithOwner}
	return p
}

// pullsPerQuery keeps a query far below GitHub's limit of 500,000 nodes.
const pullsPerQuery = 20

// readPulls reads pull requests, those by REST that GraphQL does not give in one page.
func (rd *reading) readPulls(ctx context.Context, numbers []int64) (map[int64]*pull, error) {
	out := map[int64]*pull{}
	for len(numbers) > 0 {
		batch := numbers[:min(len(numbers), pullsPerQuery)]
		numbers = numbers[len(batch):]
		err := rd.pullBatch(ctx, batch, out)
		if answered(err) {
			continue // GraphQL has errors for one of them (a private fork, say): REST reads each by itself
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (rd *reading) pullBatch(ctx context.Context, numbers []int64, out map[int64]*pull) error {
	var text strings.Builder
	text.WriteString("query Pulls($owner: String!, $name: String!, $after: String) {\n  repository(owner: $owner, name: $name) {\n    databaseId\n")
	for _, n := range numbers {
		fmt.Fprintf(&text, "    p%d: pullRequest(number: %d) { ...R }\n", n, n)
	}
	text.WriteString("  }\n}\n" + commitFields + "\n" + pullFields(pageOfCommits, !rd.needs.NoReviews))
	answer, err := rd.ask(ctx, text.String(), map[string]any{})
	if err != nil {
		return err
	}
	for _, n := range numbers {
		if out[n], err = rd.readPull(n, answer[fmt.Sprintf("p%d", n)]); err != nil {
			return err
		}
	}
	return nil
}

// ask queries the repository's own fields, and holds the answer to be of its number.
func (r *repository) ask(ctx context.Context, text string, vars map[string]any) (map[string]json.RawMessage, error) {
	vars["owner"], vars["name"] = r.owner, r.name
	var answer struct {
		Repository map[string]json.RawMessage `json:"repository"`
	}
	if err := r.query(ctx, text, vars, &answer); err != nil {
		return nil, err
	}
	var id int64
	if err := json.Unmarshal(answer.Repository["databaseId"], &id); err != nil || id != r.facts.ID.ID {
		return nil, fmt.Errorf("read repository %s: GraphQL answered for repository %d", r.facts.ID, id)
	}
	return answer.Repository, nil
}
