package gitlabtest_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/xanzy/go-gitlab"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
)

func TestWhoSeesWhat(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	eve, gus := team.AddPerson("eve"), team.AddPerson("gus")
	team.SetLevel(team.repo, gus, 10)
	team.SetMembershipState(team.repo, team.ana, "awaiting")
	project := fmt.Sprintf("/projects/%d", team.repo.ID)
	rows := []struct {
		who        forgetest.Person
		visibility string
		path       string
		want       int
	}{
		{eve, "private", project, http.StatusNotFound},
		{eve, "private", project + "/repository/commits", http.StatusNotFound},
		{gus, "private", project, http.StatusOK},
		{gus, "private", project + "/repository/commits", http.StatusForbidden},
		{team.ana, "private", project, http.StatusNotFound}, // not yet a member
		{eve, "public", project, http.StatusOK},
		{eve, "public", project + "/repository/commits", http.StatusOK},
		{eve, "public", project + "/events", http.StatusOK},
		{eve, "public", project + "/protected_branches", http.StatusForbidden},
		{team.root, "public", project + "/hooks", http.StatusOK},
	}
	for _, row := range rows {
		team.SetVisibility(team.repo, row.visibility)
		res, _ := team.callAs(t, team.PersonalToken(row.who), http.MethodGet, row.path, "")
		equal(t, row.who.Login+" "+row.visibility+" "+row.path, res.StatusCode, row.want)
	}
	team.DeleteRepository(team.repo)
	res, _ := team.call(t, http.MethodGet, project, "")
	equal(t, "deleted", res.StatusCode, http.StatusNotFound)
}

func TestWildcards(t *testing.T) {
	rows := []struct {
		pattern, name string
		want          bool
	}{
		{"main", "main", true},
		{"main", "main2", false},
		{"*", "anything/at-all", true},
		{"v*", "v1.0", true},
		{"v*", "rev1", false},
		{"*-stable", "12/1-stable", true},
		{"rel/*/x", "rel/a/b/x", true},
		{"rel/*/x", "rel/x", false},
		{"a*b*c", "a1b2c", true},
		{"a*b*c", "a1c", false},
		{"v1.*", "v1x0", false},
		{"a*a", "a", false},
	}
	team := newTeam(t, gitlabtest.Options{})
	main := team.Head(team.repo, "refs/heads/main")
	for _, row := range rows {
		team.ProtectTag(team.repo, row.pattern, []gitlabtest.AccessLevel{{Level: 40}})
		team.Push(team.repo, team.ben, "refs/tags/"+row.name, main)
		_, body := team.call(t, http.MethodGet, fmt.Sprintf("/projects/%d/repository/tags/%s", team.repo.ID, gitlab.PathEscape(row.name)), "")
		equal(t, row.pattern+" protects "+row.name, object(t, body)["protected"], any(row.want))
		team.Unprotect(team.repo, "refs/tags/"+row.pattern)
	}
}

func TestSearches(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	change := team.open(team.ana, "topic", team.ana)
	team.open(team.ana, "other", team.ana)
	team.CloseChange(change, team.ben)
	team.AddComment(change, team.ben, "closed")
	team.Push(team.repo, team.ben, "refs/tags/v1", team.Head(team.repo, "refs/heads/main"))
	project := fmt.Sprintf("/projects/%d", team.repo.ID)
	rows := []struct {
		path string
		want string
	}{
		{"/merge_requests?state=opened", "1"},
		{"/merge_requests?state=closed", "1"},
		{"/merge_requests?source_branch=topic&state=all", "1"},
		{"/merge_requests?target_branch=nope", "0"},
		{"/merge_requests?sort=asc", "2"},
		{"/repository/branches?search=^to", "1"},
		{"/repository/branches?search=er$", "1"},
		{"/repository/tags", "1"},
		{"/events?action=commented", "1"},
		{"/events?target_type=merge_request&sort=asc", "3"},
		{"/events?after=2999-01-01", "0"},
		{"/events?before=2000-01-01", "0"},
		{"/members?query=an", "1"},
		{fmt.Sprintf("/merge_requests/%d/diffs", change.Number), "1"},
		{"/issues?author_id=1", "0"},
		{"/pipelines?source=push", "0"},
	}
	for _, row := range rows {
		res, _ := team.call(t, http.MethodGet, project+row.path, "")
		equal(t, row.path, res.Header.Get("X-Total"), row.want)
	}
	res, body := team.call(t, http.MethodGet, fmt.Sprintf("%s/merge_requests/%d/changes", project, change.Number), "")
	equal(t, "changes", res.StatusCode == http.StatusOK && object(t, body)["changes"] != nil, true)
}

func TestListedCommitsByPathAndParent(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	change := team.open(team.ana, "topic", team.ana, team.ben)
	team.Merge(change, team.ben, forgetest.MergeCommit)
	count := func(opt gitlab.ListCommitsOptions) int {
		commits, _, err := team.api.Commits.ListCommits(int(team.repo.ID), &opt)
		must(t, err)
		return len(commits)
	}
	equal(t, "all", count(gitlab.ListCommitsOptions{}), 4)
	equal(t, "first parents", count(gitlab.ListCommitsOptions{FirstParent: gitlab.Ptr(true)}), 2)
	equal(t, "of a file", count(gitlab.ListCommitsOptions{Path: gitlab.Ptr("README.md")}), 1)
	got := team.ask(t, `{ project(fullPath: "acme/app") { repository { tree(path: "README.md") { lastCommit { title } } }
		mergeRequests(iids: ["1"], state: merged) { nodes { iid } } } }`, nil)
	equal(t, "last commit of a path", got,
		`{"data":{"project":{"mergeRequests":{"nodes":[{"iid":"1"}]},"repository":{"tree":{"lastCommit":{"title":"Initial commit of acme/app"}}}}}}`)
}

func TestPremiumRules(t *testing.T) {
	for _, premium := range []bool{false, true} {
		team := newTeam(t, gitlabtest.Options{Premium: premium})
		team.ProtectBranch(team.repo, gitlabtest.BranchRule{
			Name: "main", Push: []gitlabtest.AccessLevel{{User: team.ana}}, Merge: []gitlabtest.AccessLevel{{Level: 40}}, CodeOwnerApprovalRequired: true,
		})
		rule, _, err := team.api.ProtectedBranches.GetProtectedBranch(int(team.repo.ID), "main")
		must(t, err)
		equal(t, "code owners", rule.CodeOwnerApprovalRequired, premium)
		equal(t, "a person may push", int64(rule.PushAccessLevels[0].UserID), team.ana.ID)
	}
}
