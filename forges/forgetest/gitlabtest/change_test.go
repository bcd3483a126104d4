package gitlabtest_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/xanzy/go-gitlab"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
)

func (team *team) open(by forgetest.Person, name string, authors ...forgetest.Person) forgetest.Change {
	team.branch(name, by, authors...)
	return team.OpenChange(team.repo, by, forgetest.ChangeSpec{Title: "Change " + name, Source: name})
}

func (team *team) get(t *testing.T, c forgetest.Change) *gitlab.MergeRequest {
	t.Helper()
	mr, _, err := team.api.MergeRequests.GetMergeRequest(int(team.repo.ID), int(c.Number), nil)
	must(t, err)
	return mr
}

func (team *team) commit(t *testing.T, sha string) *gitlab.Commit {
	t.Helper()
	c, _, err := team.api.Commits.GetCommit(int(team.repo.ID), sha, nil)
	must(t, err)
	return c
}

func TestMergeCommit(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	change := team.open(team.ana, "topic", team.ana, team.ben)
	head := team.Merge(change, team.root, forgetest.MergeCommit)
	mr := team.get(t, change)
	equal(t, "state", mr.State, "merged")
	equal(t, "merged by", int64(mr.MergedBy.ID), team.root.ID)
	equal(t, "merge commit", mr.MergeCommitSHA, head)
	equal(t, "squash commit", mr.SquashCommitSHA, "")
	equal(t, "diff head", mr.DiffRefs.HeadSha, mr.SHA)
	c := team.commit(t, head)
	equal(t, "author", c.AuthorEmail, team.root.Email)
	equal(t, "committer", c.CommitterEmail, team.root.Email)
	equal(t, "parents", len(c.ParentIDs), 2)
	equal(t, "second parent", c.ParentIDs[1], mr.SHA)
	commits, _, err := team.api.MergeRequests.GetMergeRequestCommits(int(team.repo.ID), int(change.Number), nil)
	must(t, err)
	equal(t, "commits", len(commits), 2)
	equal(t, "newest first", commits[0].ID, mr.SHA)
	for _, sha := range []string{head, commits[0].ID, commits[1].ID} {
		found, _, err := team.api.Commits.ListMergeRequestsByCommit(int(team.repo.ID), sha)
		must(t, err)
		equal(t, "merge requests of "+sha, len(found), 1)
	}
}

func TestSquash(t *testing.T) {
	for _, method := range []string{"merge", "ff"} {
		team := newTeam(t, gitlabtest.Options{})
		team.SetMergeMethod(team.repo, method)
		change := team.open(team.ana, "topic", team.ana, team.ben)
		head := team.Merge(change, team.root, forgetest.Squash)
		mr := team.get(t, change)
		c := team.commit(t, mr.SquashCommitSHA)
		equal(t, "squash author", c.AuthorEmail, team.ana.Email)
		equal(t, "squash committer", c.CommitterEmail, team.root.Email)
		equal(t, "head is the squash commit", head == mr.SquashCommitSHA, method == "ff")
		equal(t, "merge commit there", mr.MergeCommitSHA == head, method == "merge")
		found, _, err := team.api.Commits.ListMergeRequestsByCommit(int(team.repo.ID), mr.SquashCommitSHA)
		must(t, err)
		equal(t, "merge requests of the squash commit", len(found), 1)
	}
}

func TestFastForward(t *testing.T) {
	for _, filled := range []bool{false, true} {
		team := newTeam(t, gitlabtest.Options{FastForwardMergeCommit: filled})
		change := team.open(team.ana, "topic", team.ana)
		head := team.Merge(change, team.ben, forgetest.Rebase)
		mr := team.get(t, change)
		equal(t, "head", head, mr.SHA)
		equal(t, "merge_commit_sha filled", mr.MergeCommitSHA == head, filled)
	}
}

func TestRebaseLaundersTheCommitter(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	change := team.open(team.ana, "topic", team.ana)
	first := team.get(t, change).SHA
	team.Push(team.repo, team.ben, "refs/heads/main", team.Commit(team.repo, forgetest.CommitSpec{Author: team.ben, Message: "Move on"}))
	head := team.Merge(change, team.ben, forgetest.Rebase)
	c := team.commit(t, head)
	equal(t, "author stays", c.AuthorEmail, team.ana.Email)
	equal(t, "committer is the merger", c.CommitterEmail, team.ben.Email)
	versions, _, err := team.api.MergeRequests.GetMergeRequestDiffVersions(int(team.repo.ID), int(change.Number), nil)
	must(t, err)
	equal(t, "versions", len(versions), 2)
	equal(t, "newest version", versions[0].HeadCommitSHA, head)
	equal(t, "first version", versions[1].HeadCommitSHA, first)
	one, _, err := team.api.MergeRequests.GetSingleMergeRequestDiffVersion(int(team.repo.ID), int(change.Number), versions[1].ID, nil)
	must(t, err)
	equal(t, "commits of the first version", one.Commits[0].ID, first)
}

func TestPushToAnOpenChange(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	change := team.open(team.ana, "topic", team.ana)
	team.Review(change, team.ben, forgetest.ReviewApprove)
	sha := team.Commit(team.repo, forgetest.CommitSpec{
		Parents: []string{team.Head(team.repo, "refs/heads/topic")}, Author: team.ana, Message: "More", Files: map[string][]byte{"more": []byte("x")},
	})
	team.Push(team.repo, team.ana, "refs/heads/topic", sha)
	equal(t, "head", team.get(t, change).SHA, sha)
	notes, _, err := team.api.Notes.ListMergeRequestNotes(int(team.repo.ID), int(change.Number), nil)
	must(t, err)
	equal(t, "newest note is by the system", notes[0].System, true)
	equal(t, "its text", strings.HasPrefix(notes[0].Body, "added 1 commit\n\n<ul><li>"+sha[:8]+" - More</li>"), true)
	equal(t, "comments hide it", len(team.Comments(change)), 0)
	state, _, err := team.api.MergeRequestApprovals.GetConfiguration(int(team.repo.ID), int(change.Number))
	must(t, err)
	equal(t, "approvals survive on Free", len(state.ApprovedBy), 1)
}

func TestPremiumResetsApprovals(t *testing.T) {
	rows := []struct {
		name     string
		settings gitlabtest.ApprovalSettings
		same     bool // the push leaves the diff as it was
		left     int
	}{
		{"reset on push", gitlabtest.ApprovalSettings{ResetOnPush: true}, false, 0},
		{"an unchanged patch keeps them", gitlabtest.ApprovalSettings{ResetOnPush: true}, true, 1},
		{"no reset", gitlabtest.ApprovalSettings{}, false, 1},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			team := newTeam(t, gitlabtest.Options{Premium: true})
			row.settings.Required = 2
			team.SetApprovals(team.repo, row.settings)
			change := team.open(team.ana, "topic", team.ana)
			team.Review(change, team.ben, forgetest.ReviewApprove)
			files := map[string][]byte{"topic.txt": []byte("other")}
			if row.same {
				files = nil
			}
			team.Push(team.repo, team.ana, "refs/heads/topic", team.Commit(team.repo, forgetest.CommitSpec{
				Parents: []string{team.Head(team.repo, "refs/heads/topic")}, Author: team.ana, Message: "Again", Files: files,
			}))
			state, _, err := team.api.MergeRequestApprovals.GetConfiguration(int(team.repo.ID), int(change.Number))
			must(t, err)
			equal(t, "approvals left", len(state.ApprovedBy), row.left)
			equal(t, "required", state.ApprovalsRequired, 2)
		})
	}
}

func TestPremiumApprovalEndpoints(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{Premium: true})
	team.Protect(team.repo, forgetest.Protection{Ref: "refs/heads/main", Reviews: 1})
	change := team.open(team.ana, "topic", team.ana)
	team.OverwriteApprovalRules(change)
	state, _, err := team.api.MergeRequestApprovals.GetApprovalState(int(team.repo.ID), int(change.Number))
	must(t, err)
	equal(t, "overwritten", state.ApprovalRulesOverwritten, true)
	equal(t, "rules", len(state.Rules), 1)
	rules, _, err := team.api.MergeRequestApprovals.GetApprovalRules(int(team.repo.ID), int(change.Number))
	must(t, err)
	equal(t, "required", rules[0].ApprovalsRequired, 1)
	config, _, err := team.api.Projects.GetApprovalConfiguration(int(team.repo.ID))
	must(t, err)
	equal(t, "author approval", config.MergeRequestsAuthorApproval, false)
	equal(t, "reset", config.ResetApprovalsOnPush, true)
	_, _, err = team.api.Projects.GetProjectApprovalRules(int(team.repo.ID), nil)
	must(t, err)
}

func TestReviews(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	change := team.open(team.ana, "topic", team.ana)
	count := func() int {
		state, _, err := team.api.MergeRequestApprovals.GetConfiguration(int(team.repo.ID), int(change.Number))
		must(t, err)
		return len(state.ApprovedBy)
	}
	team.Review(change, team.ben, forgetest.ReviewApprove)
	team.Review(change, team.ben, forgetest.ReviewApprove)
	equal(t, "approved once", count(), 1)
	team.Review(change, team.root, forgetest.ReviewReject)
	equal(t, "asking for changes approves nothing", count(), 1)
	team.Review(change, team.ben, forgetest.ReviewDismiss)
	equal(t, "taken back", count(), 0)
}

func TestForkedChange(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	eve := team.AddPerson("eve")
	fork := team.Fork(team.repo, eve, "eve/app")
	sha := team.Commit(fork, forgetest.CommitSpec{Author: eve, Message: "From outside"})
	team.Push(fork, eve, "refs/heads/topic", sha)
	_, res, err := team.api.Commits.GetCommit(int(team.repo.ID), sha, nil)
	if err == nil || res.StatusCode != http.StatusNotFound {
		t.Errorf("a fork's commit before the merge request: got %v, want 404", err)
	}
	change := team.OpenChange(team.repo, eve, forgetest.ChangeSpec{Title: "From outside", Source: "topic", From: fork})
	mr := team.get(t, change)
	equal(t, "source project", int64(mr.SourceProjectID), fork.ID)
	equal(t, "target project", int64(mr.TargetProjectID), team.repo.ID)
	team.commit(t, sha)
	_, res, err = team.api.Projects.GetProject(int(fork.ID), nil)
	if err == nil || res.StatusCode != http.StatusNotFound {
		t.Errorf("the gate in a private fork: got %v, want 404", err)
	}
	p, _, err := client(t, team.Server, team.PersonalToken(eve)).Projects.GetProject(int(fork.ID), nil)
	must(t, err)
	equal(t, "forked from", int64(p.ForkedFromProject.ID), team.repo.ID)
}

func TestMergedByPush(t *testing.T) {
	for _, unnoticed := range []bool{false, true} {
		team := newTeam(t, gitlabtest.Options{ManualMergeUnnoticed: unnoticed})
		change := team.open(team.ana, "topic", team.ana)
		team.Push(team.repo, team.ben, "refs/heads/main", team.Head(team.repo, "refs/heads/topic"))
		want := map[bool]string{false: "merged", true: "opened"}[unnoticed]
		equal(t, fmt.Sprintf("state (unnoticed: %t)", unnoticed), team.get(t, change).State, want)
	}
}

func TestPushedMergeCommitIsFound(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	change := team.open(team.ana, "topic", team.ana)
	main, topic := team.Head(team.repo, "refs/heads/main"), team.Head(team.repo, "refs/heads/topic")
	sha := team.Commit(team.repo, forgetest.CommitSpec{
		Parents: []string{main, topic}, Author: team.ben, Message: "Merge by hand", Files: map[string][]byte{"evil": []byte("x")},
	})
	team.Push(team.repo, team.ben, "refs/heads/main", sha)
	mr := team.get(t, change)
	equal(t, "merge commit", mr.MergeCommitSHA, sha)
	equal(t, "merged by", int64(mr.MergedBy.ID), team.ben.ID)
}

func TestEventsNameThePusher(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	old := team.Head(team.repo, "refs/heads/main")
	sha := team.Commit(team.repo, forgetest.CommitSpec{Author: team.ana, Message: "Written by ana"})
	team.Push(team.repo, team.ben, "refs/heads/main", sha)
	team.PushTag(team.repo, team.root, "v1", sha, "Release")
	team.DeleteRef(team.repo, team.root, "refs/tags/v1")
	action := gitlab.PushedEventType
	events, res, err := team.api.Events.ListProjectVisibleEvents(int(team.repo.ID), &gitlab.ListProjectVisibleEventsOptions{Action: &action})
	must(t, err)
	equal(t, "events", res.TotalItems, 3)
	equal(t, "newest: removed", events[0].PushData.Action, "removed")
	equal(t, "created", events[1].PushData.Action, "created")
	equal(t, "a tag", events[1].PushData.RefType, "tag")
	equal(t, "pusher", int64(events[2].AuthorID), team.ben.ID)
	equal(t, "from", events[2].PushData.CommitFrom, old)
	equal(t, "to", events[2].PushData.CommitTo, sha)
	equal(t, "ref", events[2].PushData.Ref, "main")
	equal(t, "count", events[2].PushData.CommitCount, 1)
}

func TestMergingIsAPushByTheMerger(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	change := team.open(team.ana, "topic", team.ana)
	head := team.Merge(change, team.ben, forgetest.MergeCommit)
	events, _, err := team.api.Events.ListProjectVisibleEvents(int(team.repo.ID), nil)
	must(t, err)
	equal(t, "merged event", events[0].ActionName, "accepted")
	equal(t, "push event", events[1].PushData.CommitTo, head)
	equal(t, "pusher", int64(events[1].AuthorID), team.ben.ID)
}

func TestBulkPushLeavesNoNames(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	in := newInbox(t)
	team.DeliverTo(in.url, "secret")
	main := team.Head(team.repo, "refs/heads/main")
	refs := map[string]string{}
	for i := range 4 {
		refs[fmt.Sprintf("refs/tags/v%d", i)] = main
	}
	team.PushRefs(team.repo, team.ben, refs)
	team.Settle()
	equal(t, "hooks", in.events(), "")
	events, _, err := team.api.Events.ListProjectVisibleEvents(int(team.repo.ID), nil)
	must(t, err)
	equal(t, "events", len(events), 1)
	equal(t, "name of the ref", events[0].PushData.Ref, "")
	delete(refs, "refs/tags/v0")
	team.PushRefs(team.repo, team.ben, refs)
	team.Settle()
	equal(t, "three at once", in.events(), "Tag Push Hook, Tag Push Hook, Tag Push Hook")
}

func TestDeletedAccountBecomesGhost(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	change := team.open(team.ana, "topic", team.ana)
	comment := team.AddComment(change, team.ben, "/countersign approve")
	team.DeleteAccount(team.ben)
	n, _, err := team.api.Notes.GetMergeRequestNote(int(team.repo.ID), int(change.Number), int(comment.ID))
	must(t, err)
	equal(t, "author", n.Author.Username, "ghost")
	_, res, err := team.api.Users.GetUser(int(team.ben.ID), gitlab.GetUsersOptions{})
	if err == nil || res.StatusCode != http.StatusNotFound {
		t.Errorf("deleted user: got %v, want 404", err)
	}
}

func TestMembers(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	m, _, err := team.api.ProjectMembers.GetInheritedProjectMember(int(team.repo.ID), int(team.ana.ID))
	must(t, err)
	equal(t, "developer", m.AccessLevel, gitlab.DeveloperPermissions)
	equal(t, "state", m.State, "active")
	team.SetExpiry(team.repo, team.ana, m.CreatedAt.AddDate(0, 0, -1))
	team.SetState(team.ben, "blocked")
	m, _, err = team.api.ProjectMembers.GetInheritedProjectMember(int(team.repo.ID), int(team.ana.ID))
	must(t, err)
	equal(t, "expiry is told", m.ExpiresAt != nil, true)
	m, _, err = team.api.ProjectMembers.GetInheritedProjectMember(int(team.repo.ID), int(team.ben.ID))
	must(t, err)
	equal(t, "blocked", m.State, "blocked")
	team.SetRole(team.repo, team.root, forgetest.RoleNone)
	_, res, err := team.api.ProjectMembers.GetInheritedProjectMember(int(team.repo.ID), int(team.root.ID))
	if err == nil || res.StatusCode != http.StatusNotFound {
		t.Errorf("removed member: got %v, want 404", err)
	}
	all, _, err := team.api.ProjectMembers.ListAllProjectMembers(int(team.repo.ID), nil)
	must(t, err)
	equal(t, "members", len(all), 3) // the bot, ana, ben
}

func TestUsers(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	renovate := team.AddBot("renovate")
	team.SetLocked(team.ben, true)
	for _, row := range []struct {
		person      forgetest.Person
		bot, locked bool
	}{{team.ana, false, false}, {team.ben, false, true}, {renovate, true, false}, {team.BotUser(), true, false}} {
		u, _, err := team.api.Users.GetUser(int(row.person.ID), gitlab.GetUsersOptions{})
		must(t, err)
		equal(t, u.Username+" is a bot", u.Bot, row.bot)
		equal(t, u.Username+" is locked", u.Locked, row.locked)
		equal(t, u.Username+"'s private e-mail", u.Email, "")
	}
	me, _, err := team.api.Users.CurrentUser()
	must(t, err)
	equal(t, "the gate", int64(me.ID), team.BotUser().ID)
	for _, public := range []bool{false, true} {
		team.ShowEmail(team.ana, public)
		found, _, err := team.api.Users.ListUsers(&gitlab.ListUsersOptions{Search: gitlab.Ptr(team.ana.Email)})
		must(t, err)
		equal(t, fmt.Sprintf("found by e-mail (public: %t)", public), len(found) == 1, public)
	}
}
