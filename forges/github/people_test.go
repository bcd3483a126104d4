package github_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
	"github.com/countersign/countersign/gate"
)

func TestRoles(t *testing.T) {
	for _, row := range []struct {
		name   string
		custom string
		base   forgetest.Role
		want   gate.Role
	}{
		{"triage reads", "triage", forgetest.RoleRead, gate.RoleRead},
		{"a role of the organisation's own is its base (attack 52)", "release-captain", forgetest.RoleWrite, gate.RoleWrite},
		{"a role that calls itself admin is its base (attack 52)", "admin", forgetest.RoleRead, gate.RoleRead},
		{"a role that calls itself maintain is its base (attack 52)", "maintain", forgetest.RoleRead, gate.RoleRead},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newTeam(t, githubtest.Options{})
			w.SetCustomRole(w.repo, w.dan, row.custom, row.base)
			if m := known(t, "dan", w.role(w.dan)); m.Role != row.want {
				t.Errorf("role: got %s, want %s", m.Role, row.want)
			}
		})
	}
}

func (w *team) role(p forgetest.Person) gate.Fact[gate.Member] {
	w.t.Helper()
	e := w.forge.Evidence(w.t.Context(), w.request(mainRef), gate.Needs{Since: []string{w.root}, Accounts: []gate.AccountID{account(p)}})
	return e.Roles[account(p)]
}

func TestAccountsByNumber(t *testing.T) {
	t.Run("a renamed account keeps its right", func(t *testing.T) {
		w := newTeam(t, githubtest.Options{})
		w.RenamePerson(w.bo, "bo-the-second")
		if m := known(t, "bo", w.role(w.bo)); m.Role != gate.RoleWrite || m.Account.Login != "bo-the-second" {
			t.Errorf("bo: got %+v", m)
		}
	})
	t.Run("a login taken over by another gives its old owner nothing (attack 48)", func(t *testing.T) {
		w := newTeam(t, githubtest.Options{})
		w.DeletePerson(w.bo)
		other := w.AddPerson("bo")
		w.SetRole(w.repo, other, forgetest.RoleAdmin)
		if f := w.role(w.bo); !f.IsAbsent() {
			t.Errorf("the former bo: expected absent, got %+v", f)
		}
	})
	t.Run("a suspended account is not active (attack 47)", func(t *testing.T) {
		w := newTeam(t, githubtest.Options{})
		w.SuspendPerson(w.bo)
		if m := known(t, "bo", w.role(w.bo)); m.Active {
			t.Error("bo: expected him not active")
		}
	})
}

func TestComments(t *testing.T) {
	for _, row := range []struct {
		name string
		opts githubtest.Options
		say  func(w *team, c forgetest.Change) forgetest.Comment
		want func(c gate.Comment) bool
	}{
		{"by e-mail (attack 49)", githubtest.Options{}, func(w *team, c forgetest.Change) forgetest.Comment {
			return w.AddCommentByEmail(c, w.bo, "/countersign approve")
		}, func(c gate.Comment) bool { return c.ByMachine && c.Author.Human }},
		{"by an app for its user (attack 88)", githubtest.Options{}, func(w *team, c forgetest.Change) forgetest.Comment {
			return w.AddCommentByApp(c, w.bo, "/countersign approve")
		}, func(c gate.Comment) bool { return c.ByMachine }},
		{"minimised (attack 46)", githubtest.Options{}, func(w *team, c forgetest.Change) forgetest.Comment {
			said := w.AddComment(c, w.bo, "/countersign approve")
			w.MinimizeComment(said, "OUTDATED")
			return said
		}, func(c gate.Comment) bool { return c.Hidden && !c.Edited }},
		{"by an account deleted since, shown as ghost (attack 47)", githubtest.Options{}, deletedAuthor, func(c gate.Comment) bool { return c.Author.Login != "bo" }},
		{
			"by an account deleted since, shown as null (attack 47)", githubtest.Options{Switches: githubtest.Switches{DeletedUserIsNull: true}},
			deletedAuthor, func(c gate.Comment) bool { return c.Author == gate.Account{} },
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newTeam(t, row.opts)
			change, _ := w.open(w.ana, "topic")
			said := row.say(w, change)
			if c := known(t, "comment", w.forge.Comment(t.Context(), w.ref(said))); !row.want(c) {
				t.Errorf("comment: got %+v", c)
			}
		})
	}
}

func deletedAuthor(w *team, c forgetest.Change) forgetest.Comment {
	said := w.AddComment(c, w.bo, "/countersign approve")
	w.DeletePerson(w.bo)
	return said
}

func TestForgedWebFlow(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	sha := w.Commit(w.repo, forgetest.CommitSpec{
		Author: w.ana, Committer: forgetest.Person{Login: "GitHub", Email: "noreply@github.com"}, Message: "As if on the web",
		Files: map[string][]byte{"x": []byte("x")},
	})
	w.Push(w.repo, w.bo, mainRef, sha)
	c := w.changes()[0]
	found := false
	for _, p := range c.Commits[0].People {
		found = found || p.Part == gate.PartCommitter
	}
	if !found || c.Commits[0].ByForge {
		t.Errorf("people: expected the committer to count, since GitHub signed nothing; got %+v", c.Commits[0])
	}
}

func TestManyCoAuthors(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	var message strings.Builder
	message.WriteString("Together\n\n")
	var people []forgetest.Person
	for i := range 45 {
		p := w.AddPerson(fmt.Sprintf("helper%d", i))
		people = append(people, p)
		fmt.Fprintf(&message, "Co-authored-by: %s <%s>\n", p.Login, p.Email)
	}
	w.push(w.ana, "main", message.String())
	authors(t, w.changes()[0], append(people, w.ana), []forgetest.Person{w.bo})
}

func TestBotCommits(t *testing.T) {
	for name, switches := range map[string]githubtest.Switches{
		"GraphQL names the bot": {}, "GraphQL names nobody": {NoUserForBotCommits: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTeam(t, githubtest.Options{Switches: switches})
			bot := w.AddBot("renovate")
			w.push(bot, "main", "Bump")
			p := w.changes()[0].Commits[0].People[0]
			if a := known(t, "author", p.Account); a.ID != account(bot) || a.Human {
				t.Errorf("author: got %+v, want the bot", a)
			}
		})
	}
}

func TestTagger(t *testing.T) {
	for _, row := range []struct {
		name     string
		switches githubtest.Switches
		annotate bool
		by       func(w *team) forgetest.Person // nil: not told
	}{
		{"lightweight", githubtest.Switches{}, false, nil},
		{"lightweight, in the activity log", githubtest.Switches{ActivityListsTags: true}, false, func(w *team) forgetest.Person { return w.bo }},
		{"annotated", githubtest.Switches{}, true, func(w *team) forgetest.Person { return w.bo }},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newTeam(t, githubtest.Options{Switches: row.switches})
			object := ""
			if row.annotate {
				object = w.PushAnnotatedTag(w.repo, w.bo, "v1", w.root, "One")
			} else {
				w.Push(w.repo, w.bo, "refs/tags/v1", w.root)
			}
			ref := known(t, "ref", w.evidenceFor("refs/tags/v1").Ref)
			if ref.TagObject != object || ref.Commit != w.root {
				t.Errorf("ref: got %+v, want tag object %q", ref, object)
			}
			if row.by == nil {
				if !ref.Tagger.IsAbsent() {
					t.Errorf("tagger: expected that GitHub does not tell, got %+v", ref.Tagger)
				}
				return
			}
			if a := known(t, "tagger", ref.Tagger); a.ID != account(row.by(w)) {
				t.Errorf("tagger: got %+v", a)
			}
		})
	}
}
