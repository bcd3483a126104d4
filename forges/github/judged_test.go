package github_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
	"github.com/countersign/countersign/gate"
)

// read is the evidence for main with more needs.
func (w *team) read(more func(*gate.Needs)) gate.Evidence {
	w.t.Helper()
	needs := gate.Needs{Branches: []gate.Matcher{only("main")}, Since: []string{w.root}}
	more(&needs)
	return w.forge.Evidence(w.t.Context(), w.request(mainRef), needs)
}

// change makes w's adapter read edited answers of GitHub.
func (w *team) edited(all ...func(path string, body map[string]any)) {
	w.t.Helper()
	client := quick(w.t, w.Server)
	client.Transport = &editing{next: client.Transport, edits: all}
	w.forge = connectWith(w.t, w.Server, client)
}

func TestThreads(t *testing.T) {
	talk := func(w *team) (forgetest.Change, gate.Thread) {
		change, _ := w.open(w.ana, "topic")
		return change, gate.Thread{Number: change.Number}
	}
	thread := func(w *team, th gate.Thread, refs ...gate.CommentRef) gate.Evidence {
		return w.read(func(n *gate.Needs) { n.Thread, n.Comments = th, refs })
	}
	t.Run("an app's, an e-mail's and a minimised comment are told apart (attacks 46, 49 and 88)", func(t *testing.T) {
		w := newTeam(t, githubtest.Options{})
		change, th := talk(w)
		w.AddCommentByApp(change, w.bo, "by an app")
		w.AddCommentByEmail(change, w.bo, "by e-mail")
		w.MinimizeComment(w.AddComment(change, w.bo, "hidden"), "OUTDATED")
		w.AddComment(change, w.bo, "by hand")
		for range 2 { // once out of the memory
			var got []string
			for _, c := range known(t, "thread", thread(w, th).Thread) {
				got = append(got, fmt.Sprint(c.ByMachine, c.Hidden))
			}
			if want := []string{"true false", "true false", "false true", "false false"}; !slices.Equal(got, want) {
				t.Errorf("by machine, hidden: got %v, want %v", got, want)
			}
		}
	})
	t.Run("an issue's comments", func(t *testing.T) {
		w := newTeam(t, githubtest.Options{})
		issue := w.OpenIssue(w.repo, w.ana, "Release 1", "waits")
		w.AddComment(issue, w.bo, "/countersign approve")
		if all := known(t, "thread", thread(w, gate.Thread{Number: issue.Number, Issue: true}).Thread); len(all) != 1 || !all[0].Ref.Thread.Issue {
			t.Errorf("thread: got %+v", all)
		}
	})
	t.Run("a thread that is not there", func(t *testing.T) {
		w := newTeam(t, githubtest.Options{})
		if f := thread(w, gate.Thread{Number: 77}).Thread; !f.IsAbsent() {
			t.Errorf("thread: got %+v, want absent", f)
		}
	})
	t.Run("an issue called a pull request is not taken for one", func(t *testing.T) {
		w := newTeam(t, githubtest.Options{})
		issue := w.OpenIssue(w.repo, w.ana, "Release 1", "waits")
		if f := thread(w, gate.Thread{Number: issue.Number}).Thread; !f.IsUnknown() {
			t.Errorf("thread: got %+v, want unknown", f)
		}
	})
	t.Run("a deleted account's comment is nobody's (attack 47)", func(t *testing.T) {
		w := newTeam(t, githubtest.Options{})
		change, th := talk(w)
		deletedAuthor(w, change)
		if all := known(t, "thread", thread(w, th).Thread); len(all) != 1 || all[0].Author.Human {
			t.Errorf("thread: got %+v", all)
		}
	})
	for name, edit := range map[string]func(path string, body map[string]any){
		"a count that does not add up (attack 38)": func(_ string, body map[string]any) {
			set(body, 7, "data", "repository", "thread", "comments", "totalCount")
		},
		"a comment left out without a word": func(_ string, body map[string]any) {
			cut(body, "data", "repository", "thread", "comments", "nodes")
		},
		"a comment listed twice": func(_ string, body map[string]any) {
			if nodes, is := get(body, "data", "repository", "thread", "comments", "nodes").([]any); is {
				set(body, []any{nodes[0], nodes[0]}, "data", "repository", "thread", "comments", "nodes")
			}
		},
		"another thread": func(_ string, body map[string]any) {
			set(body, 99, "data", "repository", "thread", "number")
		},
		"another repository's comment": func(_ string, body map[string]any) {
			set(body, 99, "data", "repository", "thread", "comments", "nodes", 0, "repository", "databaseId")
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTeam(t, githubtest.Options{})
			change, th := talk(w)
			w.AddComment(change, w.bo, "one")
			w.AddComment(change, w.cy, "two")
			w.edited(edit)
			if f := thread(w, th).Thread; !f.IsUnknown() || f.Why() == "" {
				t.Errorf("thread: got %+v, want unknown with a reason", f)
			}
		})
	}
	t.Run("a comment that REST does not list is not known (attack 60)", func(t *testing.T) {
		w := newTeam(t, githubtest.Options{})
		change, th := talk(w)
		ref := w.ref(w.AddComment(change, w.bo, "/countersign deny no"))
		defer w.Fail(forgetest.Fault{Path: fmt.Sprintf("/issues/%d/comments", change.Number), Status: 200, Body: "[]"})()
		e := thread(w, th, ref)
		if !e.Thread.IsUnknown() {
			t.Errorf("thread: got %+v, want unknown", e.Thread)
		}
		if c := known(t, "comment", e.Comments[ref]); c.Body != "/countersign deny no" {
			t.Errorf("comment by itself: got %+v", c)
		}
	})
	t.Run("comments that do not come by their time are read to the beginning", func(t *testing.T) {
		w := newTeam(t, githubtest.Options{})
		change, th := talk(w)
		for range 120 {
			w.AddComment(change, w.cy, "Talk")
		}
		w.edited(func(_ string, body map[string]any) {
			set(body, "2001-01-01T00:00:00Z", "data", "repository", "thread", "comments", "nodes", 5, "createdAt")
		})
		e := w.read(func(n *gate.Needs) { n.Thread, n.ThreadSince = th, time.Now().Add(-time.Hour) })
		if all := known(t, "thread", e.Thread); len(all) != 118 { // two pages, one comment of each was made old
			t.Errorf("thread: got %d comments", len(all))
		}
	})
}

func TestTeams(t *testing.T) {
	ask := func(w *team, spelled string) gate.Fact[[]string] {
		e := w.read(func(n *gate.Needs) { n.Teams, n.Accounts = []string{spelled}, []gate.AccountID{account(w.bo)} })
		return known(w.t, "bo", e.Roles[account(w.bo)]).Teams
	}
	t.Run("the owner's organisation goes without saying", func(t *testing.T) {
		w := newTeam(t, githubtest.Options{})
		w.JoinTeam(w.repo, w.AddTeam(w.repo, "security"), w.bo)
		for _, spelled := range []string{"security", "acme/security", "@acme/security"} {
			if got := known(t, spelled, ask(w, spelled)); !slices.Equal(got, []string{spelled}) {
				t.Errorf("%s: got %v", spelled, got)
			}
		}
	})
	for name, row := range map[string]struct {
		spelled string
		fault   *forgetest.Fault
	}{
		"another organisation's":             {spelled: "elsewhere/security"},
		"one that is not there":              {spelled: "nowhere"},
		"a name that leaves the path":        {spelled: "acme/../security"},
		"a membership that is not read":      {"security", &forgetest.Fault{Path: "/memberships/", Status: 502}},
		"a membership that is refused":       {"security", &forgetest.Fault{Path: "/memberships/", Status: 403}},
		"a state not known here (attack 74)": {"security", &forgetest.Fault{Path: "/memberships/", Status: 200, Body: `{"state":"astray"}`}},
		"a member of a team that is hidden":  {"security", &forgetest.Fault{Path: "/teams/", Status: 404}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTeam(t, githubtest.Options{})
			w.JoinTeam(w.repo, w.AddTeam(w.repo, "security"), w.bo)
			if row.fault != nil {
				defer w.Fail(*row.fault)()
			}
			if f := ask(w, row.spelled); !f.IsUnknown() || f.Why() == "" {
				t.Errorf("teams: got %+v, want unknown with a reason", f)
			}
		})
	}
	t.Run("without members:read nothing is known", func(t *testing.T) {
		p := githubtest.DefaultPermissions()
		delete(p, "members")
		w := newTeam(t, githubtest.Options{Permissions: p})
		w.JoinTeam(w.repo, w.AddTeam(w.repo, "security"), w.bo)
		if f := ask(w, "security"); !f.IsUnknown() {
			t.Errorf("teams: got %+v, want unknown", f)
		}
	})
}

func TestChecks(t *testing.T) {
	ask := func(w *team, names ...string) gate.Fact[[]gate.CommitCheck] {
		return w.read(func(n *gate.Needs) { n.Checks = names }).Checks
	}
	only := func(t *testing.T, f gate.Fact[[]gate.CommitCheck]) gate.CommitCheck {
		t.Helper()
		all := known(t, "checks", f)
		if len(all) != 1 {
			t.Fatalf("checks: got %+v, want one", all)
		}
		return all[0]
	}
	t.Run("the gate's own check runs are no evidence, whatever their name", func(t *testing.T) {
		w := newTeam(t, githubtest.Options{})
		w.ReportCheckBy(w.repo, w.AppID(), w.root, "unit", forgetest.CheckPassed)
		if all := known(t, "checks", ask(w, "unit")); len(all) != 0 {
			t.Errorf("checks: got %+v, want none", all)
		}
	})
	t.Run("of two apps under one name both have to pass", func(t *testing.T) {
		w := newTeam(t, githubtest.Options{})
		w.ReportCheck(w.repo, w.root, "unit", forgetest.CheckFailed)
		w.ReportCheckBy(w.repo, 4711, w.root, "unit", forgetest.CheckPassed)
		if c := only(t, ask(w, "unit")); c.Passed || !c.Done || c.By != "app-4711, github-actions" {
			t.Errorf("check: got %+v", c)
		}
	})
	t.Run("a status under the name of a check run has to pass too", func(t *testing.T) {
		w := newTeam(t, githubtest.Options{})
		w.ReportCheck(w.repo, w.root, "unit", forgetest.CheckPassed)
		w.ReportStatus(w.repo, w.bo, w.root, "unit", "pending")
		if c := only(t, ask(w, "unit")); c.Passed || c.Done {
			t.Errorf("check: got %+v", c)
		}
	})
	t.Run("the newest status of a context counts", func(t *testing.T) {
		w := newTeam(t, githubtest.Options{})
		w.ReportStatus(w.repo, w.bo, w.root, "lint", "failure")
		w.ReportStatus(w.repo, w.bo, w.root, "lint", "success")
		if c := only(t, ask(w, "lint")); !c.Passed {
			t.Errorf("check: got %+v", c)
		}
	})
	t.Run("more than a page of them", func(t *testing.T) {
		w := newTeam(t, githubtest.Options{})
		for i := range 120 {
			w.ReportCheck(w.repo, w.root, fmt.Sprintf("job %d", i), forgetest.CheckPassed)
			w.ReportStatus(w.repo, w.bo, w.root, fmt.Sprintf("status %d", i), "success")
		}
		if all := known(t, "checks", ask(w, "job 0", "job 119", "status 0", "status 119")); len(all) != 4 {
			t.Errorf("checks: got %+v, want all four", all)
		}
	})
	for name, fault := range map[string]forgetest.Fault{
		"the check runs are not read": {Path: "/check-runs", Status: 502},
		"the statuses are not read":   {Path: "/status", Status: 403},
		"a page is cut (attack 70)":   {Path: "/check-runs", Status: 200, Body: `{"total_count":3,"check_runs":[]}`},
		"another commit's statuses":   {Path: "/status", Status: 200, Body: `{"sha":"0123","total_count":0,"statuses":[]}`},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTeam(t, githubtest.Options{})
			w.ReportCheck(w.repo, w.root, "unit", forgetest.CheckPassed)
			defer w.Fail(fault)()
			if f := ask(w, "unit"); !f.IsUnknown() || f.Why() == "" {
				t.Errorf("checks: got %+v, want unknown with a reason", f)
			}
		})
	}
}

// TestWhatGraphQLKeepsFromApps is a GitHub that does not show collaborators to Apps: they
// are read by REST, and GraphQL is not asked for them again.
func TestWhatGraphQLKeepsFromApps(t *testing.T) {
	w := newTeam(t, githubtest.Options{Switches: githubtest.Switches{NoCollaboratorsForApps: true}})
	w.forge = hosted(t, w.Server)
	change, _ := w.open(w.ana, "topic")
	w.Review(change, w.bo, forgetest.ReviewApprove)
	w.Merge(change, w.cy, forgetest.MergeCommit)
	read := func() int {
		before := w.Requests()
		if r := known(t, "reviews", w.changes()[0].Reviews); known(t, "role", r[0].Role) != gate.RoleWrite {
			t.Errorf("role: got %+v", r[0].Role)
		}
		return w.Requests() - before
	}
	first, again := read(), read()
	if again >= first {
		t.Errorf("calls: got %d and then %d, want fewer", first, again)
	}
}

// TestRolesByGraphQL is TestRoles on github.com, where one query tells everybody's right.
func TestRolesByGraphQL(t *testing.T) {
	for _, row := range []struct {
		name   string
		custom string
		base   forgetest.Role
		want   gate.Role
		asked  bool // REST was asked
	}{
		{"maintain", "maintain", forgetest.RoleMaintain, gate.RoleMaintain, false},
		{"triage reads", "triage", forgetest.RoleRead, gate.RoleRead, false},
		{"a role of the organisation's own is its base (attack 52)", "release-captain", forgetest.RoleWrite, gate.RoleWrite, true},
		{"a role of the organisation's own upon maintain is what REST calls it (attack 52)", "release-captain", forgetest.RoleMaintain, gate.RoleWrite, true},
		{"a role that calls itself admin is its base (attack 52)", "admin", forgetest.RoleRead, gate.RoleRead, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newTeam(t, githubtest.Options{})
			w.forge = hosted(t, w.Server)
			w.SetCustomRole(w.repo, w.dan, row.custom, row.base)
			asked := w.asks(func(path string) bool { return strings.HasSuffix(path, "/permission") })
			if m := known(t, "dan", w.role(w.dan)); m.Role != row.want || asked.Load() != row.asked {
				t.Errorf("role: got %s, REST asked=%t; want %s, %t", m.Role, asked.Load(), row.want, row.asked)
			}
		})
	}
}
