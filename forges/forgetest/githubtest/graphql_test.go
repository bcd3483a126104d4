package githubtest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
)

// query sends a GraphQL query through go-github, as the adapter does.
func (w *team) query(query string, variables map[string]any) (data map[string]any, errors []any) {
	w.t.Helper()
	req, err := w.client.NewRequest(http.MethodPost, w.GraphQLURL(), map[string]any{"query": query, "variables": variables})
	if err != nil {
		w.t.Fatal(err)
	}
	var out struct {
		Data   map[string]any
		Errors []any
	}
	if _, err := w.client.Do(w.t.Context(), req, &out); err != nil {
		w.t.Fatal(err)
	}
	return out.Data, out.Errors
}

// at walks decoded JSON by keys and indexes.
func at(v any, path ...any) any {
	for _, step := range path {
		switch s := step.(type) {
		case string:
			v = v.(map[string]any)[s]
		case int:
			v = v.([]any)[s]
		}
	}
	return v
}

const commitQuery = `query CommitAuthors($owner: String!, $name: String!, $oid: GitObjectID!, $first: Int = 100, $after: String) {
  repository(owner: $owner, name: $name) {
    databaseId
    object(oid: $oid) {
      __typename
      ... on Commit {
        oid committedViaWeb messageBody
        signature { isValid wasSignedByGitHub }
        committer { name email user { databaseId } }
        who: authors(first: $first, after: $after) {
          totalCount pageInfo { hasNextPage endCursor }
          nodes { name email user { databaseId login __typename } }
        }
        parents(first: 10) { nodes { oid } }
        associatedPullRequests(first: 10) { nodes { number databaseId merged mergeCommit { oid } author { login ... on User { databaseId } } } }
      }
    }
  }
}`

func TestGraphQLCommitAuthors(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	sha := w.Commit(w.repo, forgetest.CommitSpec{
		Author: w.ana, Files: map[string][]byte{"a": []byte("1")},
		Message: "Work\n\nBody\n\nco-authored-by: Bo <BO@example.org>\nCo-Authored-By: Else <else@nobody.invalid>\nCo-authored-by: Ana again <ana@example.org>",
	})
	w.Push(w.repo, w.ana, "refs/heads/topic", sha)
	change := w.OpenChange(w.repo, w.ana, forgetest.ChangeSpec{Title: "Topic", Source: "topic"})
	variables := map[string]any{"owner": "acme", "name": "widget", "oid": sha}
	data, errors := w.query(commitQuery, variables)
	if errors != nil {
		t.Fatal(errors)
	}
	commit := at(data, "repository", "object")
	want := []any{
		map[string]any{"name": "ana", "email": "ana@example.org", "user": map[string]any{"databaseId": float64(w.ana.ID), "login": "ana", "__typename": "User"}},
		map[string]any{"name": "Bo", "email": "BO@example.org", "user": map[string]any{"databaseId": float64(w.bo.ID), "login": "bo", "__typename": "User"}},
		map[string]any{"name": "Else", "email": "else@nobody.invalid", "user": nil},
	}
	if diff := cmp.Diff(want, at(commit, "who", "nodes")); diff != "" {
		t.Error(diff)
	}
	if got := at(commit, "who", "totalCount"); got != float64(3) {
		t.Errorf("totalCount: got %v, want 3", got)
	}
	if at(commit, "committedViaWeb") != false || at(commit, "signature") != nil {
		t.Errorf("a person's commit: got committedViaWeb %v, signature %v", at(commit, "committedViaWeb"), at(commit, "signature"))
	}
	if got := at(commit, "associatedPullRequests", "nodes", 0, "number"); got != float64(change.Number) {
		t.Errorf("pull request: got %v, want %d", got, change.Number)
	}

	variables["first"] = 2
	data, _ = w.query(commitQuery, variables)
	if got := len(at(data, "repository", "object", "who", "nodes").([]any)); got != 2 {
		t.Errorf("first page: got %d authors, want 2", got)
	}
	variables["after"] = at(data, "repository", "object", "who", "pageInfo", "endCursor")
	data, _ = w.query(commitQuery, variables)
	if got := at(data, "repository", "object", "who", "nodes", 0, "email"); got != "else@nobody.invalid" {
		t.Errorf("second page: got %v", got)
	}
	if at(data, "repository", "object", "who", "pageInfo", "hasNextPage") != false {
		t.Error("second page: expected it to be the last")
	}

	squash := w.Merge(change, w.bo, forgetest.Squash)
	data, _ = w.query(commitQuery, map[string]any{"owner": "acme", "name": "widget", "oid": squash})
	commit = at(data, "repository", "object")
	if at(commit, "committedViaWeb") != true || at(commit, "signature", "wasSignedByGitHub") != true ||
		at(commit, "committer", "email") != "noreply@github.com" || at(commit, "committer", "name") != "GitHub" {
		t.Errorf("the forge's squash: got %v", commit)
	}
	if at(commit, "associatedPullRequests", "nodes", 0, "mergeCommit", "oid") != squash {
		t.Errorf("the forge's squash: got %v", at(commit, "associatedPullRequests"))
	}
}

func TestGraphQLComment(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	change, _ := w.open(w.ana, "topic")
	plain := w.AddComment(change, w.bo, "one")
	mail := w.AddCommentByEmail(change, w.bo, "two")
	hidden := w.AddComment(change, w.bo, "three")
	w.EditComment(plain, w.ana, "one, edited")
	w.MinimizeComment(hidden, "OUTDATED")
	type facts struct {
		Body, edited, mail, hidden any
	}
	for name, row := range map[string]struct {
		comment forgetest.Comment
		want    facts
	}{
		"edited by somebody else": {plain, facts{"one, edited", "ana", false, false}},
		"sent by e-mail":          {mail, facts{"two", nil, true, false}},
		"minimised":               {hidden, facts{"three", nil, false, true}},
	} {
		rest := get[map[string]any](w, fmt.Sprintf("/repos/acme/widget/issues/comments/%d", row.comment.ID))
		data, errors := w.query(`query($id: ID!) { node(id: $id) { id ... on IssueComment {
			databaseId body author { login } editor { login } lastEditedAt createdViaEmail isMinimized pullRequest { number } issue { number } } } }`,
			map[string]any{"id": rest["node_id"]})
		if errors != nil {
			t.Fatal(errors)
		}
		n := at(data, "node")
		got := facts{at(n, "body"), nil, at(n, "createdViaEmail"), at(n, "isMinimized")}
		if editor := at(n, "editor"); editor != nil {
			got.edited = at(editor, "login")
		}
		if got != row.want {
			t.Errorf("%s: got %v, want %v", name, got, row.want)
		}
		if (at(n, "lastEditedAt") != nil) != (row.want.edited != nil) {
			t.Errorf("%s: lastEditedAt: got %v", name, at(n, "lastEditedAt"))
		}
	}
}

func TestGraphQLRefusals(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	_, head := w.open(w.ana, "topic")
	w.AddRepository("other/secret")
	for name, row := range map[string]struct{ query, want string }{
		"unknown field":         {`{ repository(owner:"acme", name:"widget") { colour } }`, "Cannot query field"},
		"not a query":           {`{`, "Expected Name"},
		"another installation":  {`{ repository(owner:"other", name:"secret") { id } }`, "Could not resolve to a Repository"},
		"no such pull request":  {`{ repository(owner:"acme", name:"widget") { pullRequest(number: 99) { id } } }`, "Could not resolve to a PullRequest"},
		"a list without bounds": {fmt.Sprintf(`{ repository(owner:"acme", name:"widget") { object(oid:%q) { ... on Commit { authors { totalCount } } } } }`, head), "You must provide a `first` or `last`"},
		"too long a page":       {fmt.Sprintf(`{ repository(owner:"acme", name:"widget") { object(oid:%q) { ... on Commit { authors(first: 101) { totalCount } } } } }`, head), "exceeds the `first` limit"},
		"unknown node":          {`{ node(id:"IC_kgDO1") { id } }`, "Could not resolve to a node"},
	} {
		res, body := w.raw("POST", w.GraphQLURL(), fmt.Sprintf(`{"query":%s}`, quote(row.query)))
		if res.StatusCode != http.StatusOK || !strings.Contains(body, row.want) || !strings.Contains(body, `"errors"`) {
			t.Errorf("%s: got %d %s, want 200 with errors: %s", name, res.StatusCode, body, row.want)
		}
	}
	w.SetPermissions(map[string]string{"metadata": "read"})
	w.token = w.InstallationToken(w.repo)
	if _, body := w.raw("POST", w.GraphQLURL(), `{"query":"{repository(owner:\"acme\",name:\"widget\"){pullRequest(number:1){id}}}"}`); !strings.Contains(body, "FORBIDDEN") {
		t.Errorf("without pull_requests:read: got %s, want FORBIDDEN", body)
	}
	if res, _ := w.raw("POST", w.GraphQLURL(), `{"query":"{__typename}"}`, "Authorization", ""); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a credential: got %d, want 401", res.StatusCode)
	}
}

func quote(s string) string {
	raw, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

// Every field of the schema answers on the objects of one scenario.
func TestGraphQLEveryField(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	x := everything(w)
	w.Merge(x.change, w.bo, forgetest.MergeCommit)
	w.OpenIssue(w.repo, w.cy, "A bug", "It fails")
	const page = `totalCount pageInfo { endCursor hasNextPage hasPreviousPage startCursor }`
	const commit = `id oid abbreviatedOid message messageHeadline messageBody authoredDate committedDate url commitUrl authoredByCommitter committedViaWeb
		author { name email date user { id databaseId login name email url createdAt } } committer { name } repository { id }
		signature { email isValid payload signature signer { login } state wasSignedByGitHub verifiedAt ... on GpgSignature { keyId } }
		parents(last: 1) { ` + page + ` nodes { oid } } history(first: 2) { ` + page + ` nodes { oid } }
		associatedPullRequests(first: 5) { ` + page + ` nodes { id } } authors(first: 5) { ` + page + ` nodes { name } }
		checkSuites(first: 5) { ` + page + ` nodes { id databaseId commit { oid } push { id nextSha previousSha pusher { login url } } } }`
	const comment = page + ` nodes { id databaseId fullDatabaseId body author { login } createdAt updatedAt publishedAt createdViaEmail editor { login }
		includesCreatedEdit isMinimized minimizedReason lastEditedAt url issue { id } pullRequest { id } repository { id } }`
	data, errors := w.query(fmt.Sprintf(`query($yes: Boolean = true) {
		id rateLimit { cost limit nodeCount remaining resetAt used }
		repository(owner: "acme", name: "widget") {
			id databaseId name nameWithOwner isPrivate isFork createdAt url parent { id } owner { id login url __typename }
			defaultBranchRef { id name prefix repository { id } target { id oid abbreviatedOid commitUrl repository { id } ... on Commit { %s } } }
			ref(qualifiedName: "refs/tags/v1") { name prefix target { ... on Tag { id oid abbreviatedOid commitUrl repository { id } name message target { oid } tagger { name email date user { login } } } } }
			tag: object(expression: "v1") { __typename oid } none: object(expression: "nothing") { oid }
			skipped: id @skip(if: $yes) kept: id @include(if: $yes)
			pullRequest(number: %d) {
				...fields baseRefName baseRefOid headRefName headRefOid isCrossRepository headRepository { id } merged mergedAt mergedBy { login } mergeCommit { oid }
				commits(first: 10) { %s nodes { id url commit { oid } pullRequest { id } } }
				reviews(first: 10, author: "bo", states: [APPROVED]) { %s nodes { id databaseId author { login } state commit { oid } submittedAt createdAt updatedAt body createdViaEmail editor { login } lastEditedAt url } }
				comments(first: 10) { %s }
			}
			issue(number: 2) { id databaseId number title body state closed author { login } createdAt updatedAt url repository { id } comments(first: 1) { totalCount } }
		}
	} fragment fields on PullRequest { id databaseId number title body state closed closedAt author { login } createdAt updatedAt url repository { id } createdViaEmail editor { login } lastEditedAt }`,
		commit, x.change.Number, page, page, comment), nil)
	if errors != nil {
		t.Fatal(errors)
	}
	repository := at(data, "repository").(map[string]any)
	if _, has := repository["skipped"]; has || repository["kept"] == nil {
		t.Errorf("@skip and @include: got %v", repository)
	}
	if at(repository, "tag", "__typename") != "Tag" || at(repository, "none") != nil {
		t.Errorf("objects by expression: got %v, %v", at(repository, "tag"), at(repository, "none"))
	}
	if at(repository, "pullRequest", "state") != "MERGED" || at(repository, "pullRequest", "mergedBy", "login") != "bo" {
		t.Errorf("pull request: got %v", at(repository, "pullRequest"))
	}
	if got := at(repository, "defaultBranchRef", "target", "checkSuites", "nodes", 0, "push", "pusher", "login"); got != "bo" {
		t.Errorf("pusher of the merge: got %v, want bo", got)
	}
}

// Unverified: whether a bot's commit has a user in GraphQL.
func TestGraphQLUserOfBotCommits(t *testing.T) {
	for _, without := range []bool{false, true} {
		w := newTeam(t, githubtest.Options{Switches: githubtest.Switches{NoUserForBotCommits: without}})
		bot := w.AddBot("robot")
		sha := w.push(bot, "topic", "a")
		data, _ := w.query(commitQuery, map[string]any{"owner": "acme", "name": "widget", "oid": sha})
		user := at(data, "repository", "object", "who", "nodes", 0, "user")
		if (user == nil) != without {
			t.Errorf("switch %v: got user %v", without, user)
		}
	}
}
