package gitlabtest_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/xanzy/go-gitlab"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
)

func TestNoteLife(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	change := team.open(team.ana, "topic", team.ana)
	project, iid := int(team.repo.ID), int(change.Number)
	comment := team.AddComment(change, team.ben, "/countersign approve")
	n, _, err := team.api.Notes.GetMergeRequestNote(project, iid, int(comment.ID))
	must(t, err)
	equal(t, "body", n.Body, "/countersign approve")
	equal(t, "author", int64(n.Author.ID), team.ben.ID)
	equal(t, "created as the world says", n.CreatedAt.Equal(comment.Created), true)
	equal(t, "not edited", n.UpdatedAt.Equal(*n.CreatedAt), true)
	equal(t, "not a system note", n.System, false)

	team.EditComment(comment, team.root, "/countersign approve all")
	n, _, err = team.api.Notes.GetMergeRequestNote(project, iid, int(comment.ID))
	must(t, err)
	equal(t, "edited", n.UpdatedAt.After(*n.CreatedAt), true)

	team.DeleteComment(comment, team.ben)
	_, res, err := team.api.Notes.GetMergeRequestNote(project, iid, int(comment.ID))
	if err == nil || res.StatusCode != http.StatusNotFound {
		t.Errorf("deleted note: got %v, want 404", err)
	}
}

func TestGateWritesAndReacts(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	change := team.open(team.ana, "topic", team.ana)
	issue := team.OpenIssue(team.repo, team.ben, "Release 1.0", "")
	project := int(team.repo.ID)
	n, _, err := team.api.Notes.CreateMergeRequestNote(project, int(change.Number), &gitlab.CreateMergeRequestNoteOptions{Body: gitlab.Ptr("waiting")})
	must(t, err)
	_, _, err = team.api.Notes.UpdateMergeRequestNote(project, int(change.Number), n.ID, &gitlab.UpdateMergeRequestNoteOptions{Body: gitlab.Ptr("signed")})
	must(t, err)
	comments := team.Comments(change)
	equal(t, "one sticky comment", len(comments), 1)
	equal(t, "updated", comments[0].Body, "signed")
	equal(t, "by the gate", comments[0].Author.ID, team.BotUser().ID)

	comment := team.AddComment(change, team.ben, "/countersign approve")
	for _, name := range []string{"eyes", "rocket", "confused"} {
		_, _, err = team.api.AwardEmoji.CreateMergeRequestAwardEmojiOnNote(project, int(change.Number), int(comment.ID), &gitlab.CreateAwardEmojiOptions{Name: name})
		must(t, err)
	}
	equal(t, "reactions", slices.Equal(team.Reactions(comment), []string{"eyes", "rocket", "confused"}), true)
	_, res, err := team.api.AwardEmoji.CreateMergeRequestAwardEmojiOnNote(project, int(change.Number), int(comment.ID), &gitlab.CreateAwardEmojiOptions{Name: "eyes"})
	if err == nil || res.StatusCode != http.StatusNotFound {
		t.Errorf("second award: got %v, want 404 already taken", err)
	}
	awards, _, err := team.api.AwardEmoji.ListMergeRequestAwardEmojiOnNote(project, int(change.Number), int(comment.ID), nil)
	must(t, err)
	_, err = team.api.AwardEmoji.DeleteMergeRequestAwardEmojiOnNote(project, int(change.Number), int(comment.ID), awards[0].ID)
	must(t, err)
	equal(t, "after removal", len(team.Reactions(comment)), 2)
	onIssue := team.AddComment(issue, team.ben, "/countersign approve")
	_, _, err = team.api.AwardEmoji.CreateIssuesAwardEmojiOnNote(project, int(issue.Number), int(onIssue.ID), &gitlab.CreateAwardEmojiOptions{Name: "eyes"})
	must(t, err)
	equal(t, "issue reactions", len(team.Reactions(onIssue)), 1)
	in, _, err := team.api.Notes.GetIssueNote(project, int(issue.Number), int(onIssue.ID))
	must(t, err)
	equal(t, "issue note", in.NoteableType, "Issue")
	made, _, err := team.api.Issues.CreateIssue(project, &gitlab.CreateIssueOptions{Title: gitlab.Ptr("From the gate")})
	must(t, err)
	got, _, err := team.api.Issues.GetIssue(project, made.IID)
	must(t, err)
	equal(t, "issue", got.Title, "From the gate")
	list, _, err := team.api.Issues.ListProjectIssues(project, nil)
	must(t, err)
	equal(t, "issues", len(list), 2)
	_, err = team.api.Notes.DeleteMergeRequestNote(project, int(change.Number), n.ID)
	must(t, err)
}

func TestWhoMayChangeANote(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	change := team.open(team.ana, "topic", team.ana)
	comment := team.AddComment(change, team.ben, "mine")
	path := fmt.Sprintf("/projects/%d/merge_requests/%d/notes/%d", team.repo.ID, change.Number, comment.ID)
	rows := []struct {
		who  forgetest.Person
		want int
	}{{team.ana, http.StatusForbidden}, {team.ben, http.StatusOK}, {team.root, http.StatusOK}}
	for _, row := range rows {
		res, _ := team.callAs(t, team.PersonalToken(row.who), http.MethodPut, path, `{"body":"changed"}`)
		equal(t, row.who.Login+" edits", res.StatusCode, row.want)
	}
	system := team.AddSystemNote(change, team.ana, "added 1 commit")
	res, _ := team.call(t, http.MethodPut, fmt.Sprintf("/projects/%d/merge_requests/%d/notes/%d", team.repo.ID, change.Number, system.ID), `{"body":"x"}`)
	equal(t, "system note", res.StatusCode, http.StatusForbidden)
	res, body := team.call(t, http.MethodPost, fmt.Sprintf("/projects/%d/merge_requests/%d/notes", team.repo.ID, change.Number), `{}`)
	equal(t, "no body", fmt.Sprintf("%d %s", res.StatusCode, body), "400 {\"error\":\"body is missing\"}\n")
}

func TestInternalNotesAreHiddenFromGuests(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	guest := team.AddPerson("gus")
	team.SetLevel(team.repo, guest, 10)
	issue := team.OpenIssue(team.repo, team.ben, "Release", "")
	note := team.AddInternalNote(issue, team.ben, "between us")
	path := fmt.Sprintf("/projects/%d/issues/%d/notes/%d", team.repo.ID, issue.Number, note.ID)
	res, _ := team.callAs(t, team.PersonalToken(guest), http.MethodGet, path, "")
	equal(t, "guest", res.StatusCode, http.StatusNotFound)
	res, body := team.call(t, http.MethodGet, path, "")
	equal(t, "gate", res.StatusCode, http.StatusOK)
	equal(t, "internal", object(t, body)["internal"] == true, true)
}

func TestNotePages(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	change := team.open(team.ana, "topic", team.ana)
	for i := range 45 {
		team.AddComment(change, team.ben, fmt.Sprint("note ", i))
	}
	opt := &gitlab.ListMergeRequestNotesOptions{Sort: gitlab.Ptr("asc"), ListOptions: gitlab.ListOptions{PerPage: 20}}
	total := 0
	for {
		notes, res, err := team.api.Notes.ListMergeRequestNotes(int(team.repo.ID), int(change.Number), opt)
		must(t, err)
		if total == 0 {
			equal(t, "oldest first", notes[0].Body, "note 0")
		}
		total += len(notes)
		if res.NextPage == 0 {
			break
		}
		opt.Page = res.NextPage
	}
	equal(t, "notes", total, 45)
	equal(t, "comments", len(team.Comments(change)), 45)
}
