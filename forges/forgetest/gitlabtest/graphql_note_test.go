package gitlabtest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
)

// A query that costs more than GitLab takes is refused whole.
func TestGraphQLRefusesWhatCostsTooMuch(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	sha := team.branch("topic", team.ana, team.ana)
	query := func(n int) string {
		var q strings.Builder
		for i := range n {
			fmt.Fprintf(&q, ` c%d: commit(ref: "%s") { sha authorEmail author { id username bot } }`, i, sha)
		}
		return `{ project(fullPath: "acme/app") { id repository {` + q.String() + ` } } }`
	}
	if got := team.ask(t, query(20), nil); strings.Contains(got, "errors") {
		t.Errorf("twenty commits: %s", got)
	}
	equal(t, "forty commits", team.ask(t, query(40), nil),
		`{"errors":[{"message":"Query has complexity of 323, which exceeds max complexity of 250"}]}`)
}

func TestGraphQLProjectsByNumber(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	hidden := team.AddRepository("other/secret")
	team.SetRole(hidden, team.BotUser(), forgetest.RoleNone)
	ids := []string{fmt.Sprintf("gid://gitlab/Project/%d", team.repo.ID), fmt.Sprintf("gid://gitlab/Project/%d", hidden.ID)}
	got := team.ask(t, `query($ids: [ID!]) { projects(ids: $ids, first: 2) { nodes { id fullPath namespace { id } } } }`, map[string]any{"ids": ids})
	equal(t, "those that are seen", got, fmt.Sprintf(`{"data":{"projects":{"nodes":[{"fullPath":"acme/app","id":%q,"namespace":{"id":"gid://gitlab/Group/%d"}}]}}}`,
		ids[0], team.repo.OwnerID))
}

func TestGraphQLNotesFromTheEnd(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	change := team.open(team.ana, "topic", team.ana)
	for n := range 5 {
		team.AddComment(change, team.ben, fmt.Sprint(n))
	}
	var answer struct {
		Data struct {
			Project struct {
				MergeRequest struct {
					Notes struct {
						Nodes    []struct{ Body string }
						PageInfo struct {
							HasPreviousPage bool
							StartCursor     string
						}
					}
				}
			}
		}
	}
	seen, before := []string{}, ""
	for range 4 {
		with := map[string]any{"iid": fmt.Sprint(change.Number)}
		if before != "" {
			with["before"] = before
		}
		got := team.ask(t, `query($iid: String!, $before: String) { project(fullPath: "acme/app") { mergeRequest(iid: $iid) {
			notes(last: 2, before: $before) { nodes { body } pageInfo { hasPreviousPage startCursor } } } } }`, with)
		must(t, json.Unmarshal([]byte(got), &answer))
		notes := answer.Data.Project.MergeRequest.Notes
		var page []string
		for _, n := range notes.Nodes {
			page = append(page, n.Body)
		}
		seen, before = append(page, seen...), notes.PageInfo.StartCursor
		if !notes.PageInfo.HasPreviousPage {
			break
		}
	}
	equal(t, "bodies", strings.Join(seen, " "), "0 1 2 3 4")
}

func TestGraphQLSaysWhatAMergeRequestIsAbout(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	change := team.open(team.ana, "topic", team.ana)
	team.Assign(change, team.ben)
	team.Review(change, team.ben, forgetest.ReviewApprove)
	got := team.ask(t, `{ project(fullPath: "acme/app") { mergeRequest(iid: "1") {
		assignees { nodes { username } } approvalState { approvalRulesOverwritten } mergeRequestDiffs(first: 2) { nodes { updatedAt } pageInfo { hasNextPage } }
		notes(last: 1) { nodes { system systemNoteMetadata { action } discussion { noteable { __typename ... on MergeRequest { iid } ... on Issue { title } } } } }
	} } }`, nil)
	for _, part := range []string{
		`"assignees":{"nodes":[{"username":"ben"}]}`, `"approvalRulesOverwritten":false`, `"pageInfo":{"hasNextPage":false}`,
		`{"discussion":{"noteable":{"__typename":"MergeRequest","iid":"1"}},"system":true,"systemNoteMetadata":{"action":"approved"}}`,
	} {
		if !strings.Contains(got, part) {
			t.Errorf("expected %s in %s", part, got)
		}
	}
	foss := newTeam(t, gitlabtest.Options{WithoutEnterpriseCode: true})
	for _, field := range []string{"approvalState { approvalRulesOverwritten }", "mergeRequestDiffs { nodes { createdAt } }"} {
		got := foss.ask(t, `{ project(fullPath: "acme/app") { mergeRequests { nodes { `+field+` } } } }`, nil)
		equal(t, field+" of the free edition is refused", strings.HasPrefix(got, `{"errors":[`), true)
	}
}

// Groups answer their members alone, inherited ones included, and 404 to who cannot see them.
func TestGroupMembers(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	name := team.AddTeam(team.repo, "security")
	team.JoinTeam(team.repo, "acme", team.ana)
	team.InviteToTeam(team.repo, name, team.ben)
	status := func(path string) int {
		res, _ := team.call(t, http.MethodGet, path, "")
		return res.StatusCode
	}
	group := "/groups/acme%2Fsecurity"
	for path, want := range map[string]int{
		group: http.StatusOK, "/groups/acme%2Fnothing": http.StatusNotFound,
		group + fmt.Sprintf("/members/all/%d", team.ana.ID):  http.StatusOK,
		group + fmt.Sprintf("/members/all/%d", team.ben.ID):  http.StatusOK,
		group + fmt.Sprintf("/members/all/%d", team.root.ID): http.StatusNotFound,
	} {
		equal(t, path, status(path), want)
	}
	_, content := team.call(t, http.MethodGet, group+"/members/all", "")
	equal(t, "states", strings.Count(string(content), `"membership_state":"active"`)*10+strings.Count(string(content), `"membership_state":"awaiting"`), 11)
	team.HideTeam(name)
	equal(t, "hidden", status(group), http.StatusNotFound)
}
