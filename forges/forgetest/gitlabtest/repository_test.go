package gitlabtest_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/xanzy/go-gitlab"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
)

func TestProjectByNumberAndPath(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	for _, id := range []any{int(team.repo.ID), team.repo.FullName} {
		p, _, err := team.api.Projects.GetProject(id, nil)
		must(t, err)
		equal(t, "id", int64(p.ID), team.repo.ID)
		equal(t, "path", p.PathWithNamespace, "acme/app")
		equal(t, "namespace", int64(p.Namespace.ID), team.repo.OwnerID)
		equal(t, "default branch", p.DefaultBranch, "main")
		equal(t, "visibility", p.Visibility, gitlab.PrivateVisibility)
	}
}

func TestErrorsHaveGitLabsWords(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	stranger := team.PersonalToken(team.AddPerson("eve"))
	ana := team.PersonalToken(team.ana)
	project := fmt.Sprintf("/projects/%d", team.repo.ID)
	rows := []struct{ name, token, path, want string }{
		{"no token", "", project, `401 {"message":"401 Unauthorized"}`},
		{"unknown token", "glpat-nobody", project, `401 {"message":"401 Unauthorized"}`},
		{"stranger sees no private project", stranger, project, `404 {"message":"404 Project Not Found"}`},
		{"unknown project", team.BotToken(), "/projects/999999", `404 {"message":"404 Project Not Found"}`},
		{"unknown commit", team.BotToken(), project + "/repository/commits/" + strings.Repeat("a", 40), `404 {"message":"404 Commit Not Found"}`},
		{"unknown branch", team.BotToken(), project + "/repository/branches/nope", `404 {"message":"404 Branch Not Found"}`},
		{"unknown tag", team.BotToken(), project + "/repository/tags/nope", `404 {"message":"404 Tag Not Found"}`},
		{"unknown file", team.BotToken(), project + "/repository/files/nope?ref=main", `404 {"message":"404 File Not Found"}`},
		{"unknown rule", team.BotToken(), project + "/protected_branches/nope", `404 {"message":"404 Not found"}`},
		{"unknown merge request", team.BotToken(), project + "/merge_requests/7", `404 {"message":"404 Not found"}`},
		{"unknown user", team.BotToken(), "/users/7", `404 {"message":"404 User Not Found"}`},
		{"no hooks for a developer", ana, project + "/hooks", `403 {"message":"403 Forbidden"}`},
		{"unknown route", team.BotToken(), "/nope", `404 {"error":"404 Not Found"}`},
		{"approval configuration on Free", team.BotToken(), project + "/approvals", `404 {"error":"404 Not Found"}`},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			res, body := team.callAs(t, row.token, http.MethodGet, row.path, "")
			equal(t, "answer", fmt.Sprintf("%d %s", res.StatusCode, strings.TrimSpace(string(body))), row.want)
		})
	}
}

func TestBlockedAccountIsRefused(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	token := team.PersonalToken(team.ana)
	team.SetState(team.ana, "blocked")
	res, _ := team.callAs(t, token, http.MethodGet, "/user", "")
	equal(t, "status", res.StatusCode, http.StatusForbidden)
	team.RevokeToken(token)
	res, _ = team.callAs(t, token, http.MethodGet, "/user", "")
	equal(t, "status after revocation", res.StatusCode, http.StatusUnauthorized)
}

func TestFilesAtARef(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	first := team.Head(team.repo, "refs/heads/main")
	sha := team.Commit(team.repo, forgetest.CommitSpec{
		Author: team.ana, Message: "Add a policy", Files: map[string][]byte{".countersign/policy v1.yaml": []byte("version: 1\n")},
	})
	team.Push(team.repo, team.ana, "refs/heads/main", sha)
	f, _, err := team.api.RepositoryFiles.GetRawFile(int(team.repo.ID), ".countersign/policy v1.yaml", &gitlab.GetRawFileOptions{Ref: gitlab.Ptr(sha)})
	must(t, err)
	equal(t, "raw", string(f), "version: 1\n")
	meta, _, err := team.api.RepositoryFiles.GetFile(team.repo.FullName, ".countersign/policy v1.yaml", &gitlab.GetFileOptions{Ref: gitlab.Ptr("main")})
	must(t, err)
	equal(t, "content", meta.Content, "dmVyc2lvbjogMQo=")
	equal(t, "commit", meta.CommitID, sha)
	_, res, err := team.api.RepositoryFiles.GetRawFile(int(team.repo.ID), ".countersign/policy v1.yaml", &gitlab.GetRawFileOptions{Ref: gitlab.Ptr(first)})
	if err == nil || res.StatusCode != http.StatusNotFound {
		t.Errorf("file at the first commit: got %v, want 404", err)
	}
}

func TestProtectedRefs(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	team.Protect(team.repo, forgetest.Protection{Ref: "refs/heads/main"})
	team.Protect(team.repo, forgetest.Protection{Ref: "refs/tags/v*"})
	team.ProtectBranch(team.repo, gitlabtest.BranchRule{
		Name: "rel/*", Push: []gitlabtest.AccessLevel{{Level: 30}, {DeployKey: 9}}, Merge: []gitlabtest.AccessLevel{{Level: 40}}, AllowForcePush: true,
	})
	rules, _, err := team.api.ProtectedBranches.ListProtectedBranches(int(team.repo.ID), nil)
	must(t, err)
	equal(t, "rules", len(rules), 2)
	equal(t, "push to main", rules[0].PushAccessLevels[0].AccessLevel, gitlab.NoPermissions)
	equal(t, "merge to main", rules[0].MergeAccessLevels[0].AccessLevel, gitlab.MaintainerPermissions)
	equal(t, "force push", rules[1].AllowForcePush, true)
	equal(t, "deploy key", rules[1].PushAccessLevels[1].DeployKeyID, 9)
	tag, _, err := team.api.ProtectedTags.GetProtectedTag(int(team.repo.ID), "v*")
	must(t, err)
	equal(t, "tag creation", tag.CreateAccessLevels[0].AccessLevel, gitlab.MaintainerPermissions)

	team.branch("rel/1", team.ana, team.ana)
	b, _, err := team.api.Branches.GetBranch(int(team.repo.ID), "rel/1")
	must(t, err)
	equal(t, "wildcard protects", b.Protected, true)
	equal(t, "developers can push", b.DevelopersCanPush, true)
	team.Unprotect(team.repo, "refs/heads/rel/*")
	b, _, err = team.api.Branches.GetBranch(int(team.repo.ID), "rel/1")
	must(t, err)
	equal(t, "after Unprotect", b.Protected, false)
	team.Unprotect(team.repo, "refs/tags/v*")
	tags, _, err := team.api.ProtectedTags.ListProtectedTags(int(team.repo.ID), nil)
	must(t, err)
	equal(t, "protected tags left", len(tags), 0)
}

func TestTagsPeelAndName(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	main := team.Head(team.repo, "refs/heads/main")
	team.Push(team.repo, team.ben, "refs/tags/light", main)
	object := team.PushTag(team.repo, team.ben, "v1.0.0", main, "First release")
	light, _, err := team.api.Tags.GetTag(int(team.repo.ID), "light")
	must(t, err)
	equal(t, "lightweight target", light.Target, main)
	tag, _, err := team.api.Tags.GetTag(int(team.repo.ID), "v1.0.0")
	must(t, err)
	equal(t, "annotated target", tag.Target, object)
	equal(t, "peeled", tag.Commit.ID, main)
	equal(t, "message", tag.Message, "First release")
	equal(t, "head peels", team.Head(team.repo, "refs/tags/v1.0.0"), main)
	commit, _, err := team.api.Commits.GetCommit(int(team.repo.ID), object, nil)
	must(t, err)
	equal(t, "tag object resolves", commit.ID, main)
	team.DeleteRef(team.repo, team.ben, "refs/tags/v1.0.0")
	equal(t, "deleted", team.Head(team.repo, "refs/tags/v1.0.0"), "")
}

func TestRangesCompareAndMergeBase(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	root := team.Head(team.repo, "refs/heads/main")
	side := team.branch("side", team.ana, team.ana, team.ben)
	next := team.Commit(team.repo, forgetest.CommitSpec{Parents: []string{root}, Author: team.ben, Message: "Move main on"})
	team.Push(team.repo, team.ben, "refs/heads/main", next)

	commits, res, err := team.api.Commits.ListCommits(int(team.repo.ID), &gitlab.ListCommitsOptions{RefName: gitlab.Ptr(next + ".." + side)})
	must(t, err)
	equal(t, "commits of the range", len(commits), 2)
	equal(t, "newest first", commits[0].ID, side)
	equal(t, "no totals on commits", res.TotalItems, 0)
	diff, _, err := team.api.Repositories.Compare(int(team.repo.ID), &gitlab.CompareOptions{From: gitlab.Ptr(next), To: gitlab.Ptr(side)})
	must(t, err)
	equal(t, "compared", len(diff.Commits), 2)
	equal(t, "last commit", diff.Commit.ID, side)
	equal(t, "changed files", len(diff.Diffs), 1)
	base, _, err := team.api.Repositories.MergeBase(int(team.repo.ID), &gitlab.MergeBaseOptions{Ref: &[]string{next, side}})
	must(t, err)
	equal(t, "merge base", base.ID, root)
	refs, _, err := team.api.Commits.GetCommitRefs(int(team.repo.ID), root, &gitlab.GetCommitRefsOptions{Type: gitlab.Ptr("branch")})
	must(t, err)
	equal(t, "branches with the root", len(refs), 2)
}

func TestCommitIsUnknownUntilPushed(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	sha := team.Commit(team.repo, forgetest.CommitSpec{Author: team.ana, Message: "Only on a laptop"})
	_, res, err := team.api.Commits.GetCommit(int(team.repo.ID), sha, nil)
	if err == nil || res.StatusCode != http.StatusNotFound {
		t.Errorf("got %v, want 404", err)
	}
	team.Push(team.repo, team.ana, "refs/heads/x", sha)
	team.DeleteRef(team.repo, team.ana, "refs/heads/x")
	_, _, err = team.api.Commits.GetCommit(int(team.repo.ID), sha, nil)
	must(t, err)
}

func TestUnknownRevisions(t *testing.T) {
	for _, notFound := range []bool{false, true} {
		team := newTeam(t, gitlabtest.Options{UnknownRevisionNotFound: notFound})
		gone := strings.Repeat("a", 40)
		for _, ref := range []string{gone, gone + "..main", "main.." + gone} {
			commits, _, err := team.api.Commits.ListCommits(int(team.repo.ID), &gitlab.ListCommitsOptions{RefName: gitlab.Ptr(ref)})
			equal(t, ref+" is an error", err != nil, notFound)
			equal(t, ref+" has commits", len(commits), 0)
		}
		_, res, err := team.api.Repositories.MergeBase(int(team.repo.ID), &gitlab.MergeBaseOptions{Ref: &[]string{gone, "main"}})
		if err == nil || res.StatusCode != http.StatusBadRequest {
			t.Errorf("merge base with an unknown commit: got %v, want 400", err)
		}
	}
}

func TestCommitsByAuthorAnywhere(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	team.branch("one", team.ana, team.ana)
	sha := team.branch("two", team.ana, team.ben)
	commits, _, err := team.api.Commits.ListCommits(int(team.repo.ID), &gitlab.ListCommitsOptions{All: gitlab.Ptr(true), Author: gitlab.Ptr(team.ben.Email)})
	must(t, err)
	equal(t, "commits", len(commits), 1)
	equal(t, "by ben", commits[0].ID, sha)
}

func TestSignedWebCommits(t *testing.T) {
	for _, sign := range []bool{false, true} {
		team := newTeam(t, gitlabtest.Options{SignWebCommits: sign})
		head := team.Merge(team.open(team.ana, "topic", team.ana), team.ben, forgetest.MergeCommit)
		res, body := team.call(t, http.MethodGet, fmt.Sprintf("/projects/%d/repository/commits/%s/signature", team.repo.ID, head), "")
		equal(t, "signed", res.StatusCode == http.StatusOK, sign)
		equal(t, "words", strings.Contains(string(body), "404 Signature Not Found"), !sign)
	}
}

func TestTrailersBreakGoGitLab(t *testing.T) {
	for _, without := range []bool{false, true} {
		team := newTeam(t, gitlabtest.Options{WithoutTrailers: without})
		sha := team.Commit(team.repo, forgetest.CommitSpec{
			Author: team.ana, Message: "Pair\n\nCo-authored-by: Ben <ben@example.com>\nCo-authored-by: Root <root@example.com>",
		})
		team.Push(team.repo, team.ana, "refs/heads/main", sha)
		_, _, err := team.api.Commits.GetCommit(int(team.repo.ID), sha, nil)
		equal(t, fmt.Sprintf("go-gitlab v0.115.0 decodes (without trailers: %t)", without), err == nil, without)
	}
}

func TestPagesOfBranches(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	main := team.Head(team.repo, "refs/heads/main")
	for i := range 24 {
		team.Push(team.repo, team.ana, fmt.Sprintf("refs/heads/b%02d", i), main)
	}
	opt := &gitlab.ListBranchesOptions{ListOptions: gitlab.ListOptions{PerPage: 10}}
	var names []string
	for {
		branches, res, err := team.api.Branches.ListBranches(int(team.repo.ID), opt)
		must(t, err)
		equal(t, "total", res.TotalItems, 25)
		equal(t, "pages", res.TotalPages, 3)
		for _, b := range branches {
			names = append(names, b.Name)
		}
		if res.NextPage == 0 {
			break
		}
		opt.Page = res.NextPage
	}
	equal(t, "branches", len(names), 25)
	equal(t, "sorted", slices.IsSorted(names), true)

	res, _ := team.call(t, http.MethodGet, fmt.Sprintf("/projects/%d/repository/branches?per_page=500", team.repo.ID), "")
	equal(t, "per_page is capped", res.Header.Get("X-Per-Page"), "100")
	equal(t, "a rate limit is told", res.Header.Get("RateLimit-Limit"), "2000")
	names = nil
	path := fmt.Sprintf("/projects/%d/repository/branches?pagination=keyset&per_page=20", team.repo.ID)
	for path != "" {
		res, body := team.call(t, http.MethodGet, path, "")
		names = append(names, strings.Repeat("x", strings.Count(string(body), `"name":"b`)))
		link := res.Header.Get("Link")
		path = ""
		if strings.Contains(link, `rel="next"`) {
			path = strings.TrimPrefix(link[1:strings.Index(link, ">")], team.URL())
		}
	}
	equal(t, "keyset pages", len(names), 2)
	equal(t, "keyset branches", len(strings.Join(names, "")), 24)
}

func TestRenamedProjectRedirects(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	team.Rename(team.repo, "acme/other")
	res, _ := team.call(t, http.MethodGet, "/projects/acme%2Fapp/merge_requests?state=all", "")
	equal(t, "status", res.StatusCode, http.StatusMovedPermanently)
	equal(t, "location", res.Header.Get("Location"), fmt.Sprintf("%s/projects/%d/merge_requests?state=all", team.APIURL(), team.repo.ID))
	res, _ = team.call(t, http.MethodPost, "/projects/acme%2Fapp/issues", `{"title":"x"}`)
	equal(t, "POST", res.StatusCode, http.StatusMethodNotAllowed)
}

func TestAnswersHaveTheExamplesMembers(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{Premium: true})
	team.branch("topic", team.ana, team.ana)
	change := team.OpenChange(team.repo, team.ana, forgetest.ChangeSpec{Title: "Topic", Source: "topic"})
	project := fmt.Sprintf("/projects/%d", team.repo.ID)
	rows := []struct {
		path, example string
		except        []string
	}{
		{fmt.Sprintf("%s/merge_requests/%d", project, change.Number), "get_merge_request.json", nil},
		{project + "/repository/branches/main", "get_branch.json", nil},
		{project + "/repository/commits/main", "get_commit.json", nil},
		{fmt.Sprintf("/users/%d", team.ana.ID), "get_user.json", []string{".skype", ".is_admin"}},
	}
	for _, row := range rows {
		t.Run(row.example, func(t *testing.T) {
			_, body := team.call(t, http.MethodGet, row.path, "")
			covers(t, "", object(t, body), example(t, row.example), row.except...)
		})
	}
}
