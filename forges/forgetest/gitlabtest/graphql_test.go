package gitlabtest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/xanzy/go-gitlab"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
)

// ask posts a query and returns the answer in compact JSON.
func (team *team) ask(t *testing.T, query string, variables map[string]any) string {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	must(t, err)
	res, content := team.call(t, http.MethodPost, "/api/graphql", string(body))
	equal(t, "status", res.StatusCode, http.StatusOK)
	return string(content)
}

func TestGraphQLResolvesAuthorsOfAChange(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	nobody := forgetest.Person{Login: "Nobody", Email: "nobody@elsewhere.example"}
	change := team.open(team.ana, "topic", team.ana, nobody)
	got := team.ask(t, `query($path: ID!, $iid: String!) {
		project(fullPath: $path) { mergeRequest(iid: $iid) {
			author { id } commits(first: 10) { nodes { authorEmail ...who } pageInfo { hasNextPage } }
			committers { nodes { username } }
		} }
	}
	fragment who on Commit { author { id username } }`, map[string]any{"path": "acme/app", "iid": fmt.Sprint(change.Number)})
	want := fmt.Sprintf(`{"data":{"project":{"mergeRequest":{"author":{"id":"gid://gitlab/User/%d"},`+
		`"commits":{"nodes":[{"author":null,"authorEmail":"nobody@elsewhere.example"},`+
		`{"author":{"id":"gid://gitlab/User/%d","username":"ana"},"authorEmail":"ana@example.com"}],"pageInfo":{"hasNextPage":false}},`+
		`"committers":{"nodes":[{"username":"ana"}]}}}}}`, team.ana.ID, team.ana.ID)
	equal(t, "answer", got, want)
}

func TestGraphQLCommitsByRef(t *testing.T) {
	for _, without := range []bool{false, true} {
		team := newTeam(t, gitlabtest.Options{WithoutRepositoryCommit: without})
		sha := team.branch("topic", team.ana, team.ana)
		got := team.ask(t, `{ project(fullPath: "acme/app") { repository {
			one: commit(ref: "`+sha+`") { sha author { username } } none: commit(ref: "nope") { sha }
		} } }`, nil)
		if without {
			equal(t, "unknown field", strings.HasPrefix(got, `{"errors":[`), true)
			continue
		}
		equal(t, "answer", got, `{"data":{"project":{"repository":{"none":null,"one":{"author":{"username":"ana"},"sha":"`+sha+`"}}}}}`)
	}
}

func TestGraphQLTreeLastCommit(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{WithoutRepositoryCommit: true})
	sha := team.branch("topic", team.ana, team.ben)
	got := team.ask(t, `query($ref: String) { project(fullPath: "acme/app") { repository { tree(ref: $ref) { lastCommit { sha author { username } } } } } }`,
		map[string]any{"ref": sha})
	equal(t, "answer", got, `{"data":{"project":{"repository":{"tree":{"lastCommit":{"author":{"username":"ben"},"sha":"`+sha+`"}}}}}}`)
}

func TestGraphQLPages(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	people := make([]forgetest.Person, 130)
	for i := range people {
		people[i] = team.ana
	}
	team.open(team.ana, "topic", people...)
	seen, after := 0, ""
	for {
		var answer struct {
			Data struct {
				Project struct {
					MergeRequest struct {
						CommitCount int
						Commits     struct {
							Nodes    []struct{ Sha string }
							PageInfo struct {
								HasNextPage bool
								EndCursor   string
							}
						}
					}
				}
			}
		}
		got := team.ask(t, `query($after: String) { project(fullPath: "acme/app") { mergeRequest(iid: "1") {
			commitCount commits(after: $after) { nodes { sha } pageInfo { hasNextPage endCursor } } } } }`, map[string]any{"after": after})
		must(t, json.Unmarshal([]byte(got), &answer))
		commits := answer.Data.Project.MergeRequest.Commits
		seen += len(commits.Nodes)
		after = commits.PageInfo.EndCursor
		if !commits.PageInfo.HasNextPage {
			break
		}
		equal(t, "a full page", len(commits.Nodes), 100)
	}
	equal(t, "commits", seen, 130)
}

func TestGraphQLNotesTellWhoEdited(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	change := team.open(team.ana, "topic", team.ana)
	comment := team.AddComment(change, team.ben, "approve")
	query := `{ project(fullPath: "acme/app") { mergeRequest(iid: "1") { notes { nodes { body lastEditedBy { username } } } } } }`
	equal(t, "before", team.ask(t, query, nil),
		`{"data":{"project":{"mergeRequest":{"notes":{"nodes":[{"body":"approve","lastEditedBy":null}]}}}}}`)
	team.EditComment(comment, team.root, "approved")
	equal(t, "after", team.ask(t, query, nil),
		`{"data":{"project":{"mergeRequest":{"notes":{"nodes":[{"body":"approved","lastEditedBy":{"username":"root"}}]}}}}}`)
}

func TestEmojiMoveUpdatedAtAndEditNothing(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	issue := team.OpenIssue(team.repo, team.ben, "Release", "")
	comment := team.AddComment(issue, team.ben, "/countersign approve")
	_, _, err := team.api.AwardEmoji.CreateIssuesAwardEmojiOnNote(int(team.repo.ID), int(issue.Number), int(comment.ID), &gitlab.CreateAwardEmojiOptions{Name: "eyes"})
	must(t, err)
	n, _, err := team.api.Notes.GetIssueNote(int(team.repo.ID), int(issue.Number), int(comment.ID))
	must(t, err)
	equal(t, "updated_at moved", n.UpdatedAt.After(*n.CreatedAt), true)
	query := `query($id: NoteID!) { note(id: $id) { id lastEditedBy { username } } }`
	id := map[string]any{"id": "gid://gitlab/Note/" + text(comment.ID)}
	equal(t, "no edit", team.ask(t, query, id), `{"data":{"note":{"id":"gid://gitlab/Note/`+text(comment.ID)+`","lastEditedBy":null}}}`)
	team.EditComment(comment, team.ben, "/countersign deny")
	equal(t, "an edit", strings.Contains(team.ask(t, query, id), `"lastEditedBy":{"username":"ben"}`), true)
	team.DeleteComment(comment, team.ben)
	equal(t, "deleted", team.ask(t, query, id), `{"data":{"note":null}}`)
}

func TestGraphQLProblems(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	rows := []struct{ name, query, want string }{
		{"unknown field", `{ project(fullPath: "acme/app") { committer } }`, `Cannot query field \"committer\" on type \"Project\".`},
		{"commit has no committer account", `{ project(fullPath: "acme/app") { repository { tree { lastCommit { committer { id } } } } } }`, `Cannot query field \"committer\"`},
		{"syntax", `{ project(`, `Expected Name`},
		{"missing argument", `{ project { id } }`, `fullPath`},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			got := team.ask(t, row.query, nil)
			if !strings.HasPrefix(got, `{"errors":`) || !strings.Contains(got, row.want) {
				t.Errorf("got %s, want an error with %s", got, row.want)
			}
		})
	}
	equal(t, "an unseen project is null", team.ask(t, `{ project(fullPath: "acme/secret") { id } }`, nil), `{"data":{"project":null}}`)
	res, body := team.callAs(t, "wrong", http.MethodPost, "/api/graphql", `{"query":"{ metadata { version } }"}`)
	equal(t, "wrong token", fmt.Sprintf("%d %s", res.StatusCode, strings.TrimSpace(string(body))), `401 {"errors":[{"message":"Invalid token"}]}`)
}

func TestGraphQLUsersAndDirectives(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	team.SetState(team.ben, "blocked")
	got := team.ask(t, `query($ids: [ID!], $no: Boolean!) {
		currentUser { username bot name @include(if: $no) }
		users(ids: $ids) { count nodes { username state bot } }
		user(username: "ana") { id __typename name @skip(if: true) }
		metadata { version }
	}`, map[string]any{"ids": []string{"gid://gitlab/User/" + text(team.ben.ID)}, "no": false})
	want := `{"data":{"currentUser":{"bot":true,"username":"group_1_bot_countersign"},"metadata":{"version":"18.5.1"},` +
		`"user":{"__typename":"UserCore","id":"gid://gitlab/User/` + text(team.ana.ID) + `"},` +
		`"users":{"count":1,"nodes":[{"bot":false,"state":"blocked","username":"ben"}]}}}`
	equal(t, "answer", got, want)
	changes := team.ask(t, `{ project(fullPath: "acme/app") { mergeRequests(state: opened) { count } repository { commits(ref: "main") { nodes { title } } } } }`, nil)
	equal(t, "changes", strings.Contains(changes, `"count":0`), true)
}
