package github_test

import (
	"testing"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
	"github.com/countersign/countersign/gate"
)

func TestMerger(t *testing.T) {
	merged := func(t *testing.T, w *team, by forgetest.Person) gate.Change {
		t.Helper()
		change, _ := w.open(w.ana, "topic")
		w.Merge(change, by, forgetest.Squash)
		return numbered(t, w.changes(), change.Number)
	}
	t.Run("a person", func(t *testing.T) {
		w := newTeam(t, githubtest.Options{})
		if a := known(t, "merger", merged(t, w, w.bo).Merger); a.ID != account(w.bo) || !a.Human {
			t.Errorf("merger: got %+v, want bo", a)
		}
	})
	t.Run("a bot is known, and no person", func(t *testing.T) {
		w := newTeam(t, githubtest.Options{})
		bot := w.AddBot("merge-queue")
		if a := known(t, "merger", merged(t, w, bot).Merger); a.ID != account(bot) || a.Human {
			t.Errorf("merger: got %+v, want the bot", a)
		}
	})
	t.Run("who put it into the merge queue, where a bot merged", func(t *testing.T) {
		w := newTeam(t, githubtest.Options{})
		change, _ := w.open(w.ana, "topic")
		w.MergeWhenReady(change, w.cy)
		w.Enqueue(change, w.bo)
		w.Merge(change, w.AddBot("github-merge-queue"), forgetest.MergeCommit)
		if a := known(t, "merger", numbered(t, w.changes(), change.Number).Merger); a.ID != account(w.bo) || !a.Human {
			t.Errorf("merger: got %+v, want bo", a)
		}
	})
	t.Run("a person who merged, whoever asked for an automatic merge before", func(t *testing.T) {
		w := newTeam(t, githubtest.Options{})
		change, _ := w.open(w.ana, "topic")
		w.MergeWhenReady(change, w.cy)
		w.Merge(change, w.bo, forgetest.MergeCommit)
		if a := known(t, "merger", numbered(t, w.changes(), change.Number).Merger); a.ID != account(w.bo) {
			t.Errorf("merger: got %+v, want bo", a)
		}
	})
	t.Run("a deleted account", func(t *testing.T) {
		w := newTeam(t, githubtest.Options{})
		change, _ := w.open(w.ana, "topic")
		w.Merge(change, w.bo, forgetest.Squash)
		w.DeletePerson(w.bo)
		if c := numbered(t, w.changes(), change.Number); !c.Merger.IsAbsent() || c.Merger.Why() == "" {
			t.Errorf("merger: expected absent with a reason, got %+v", c.Merger)
		}
	})
	t.Run("a direct push has none", func(t *testing.T) {
		w := newTeam(t, githubtest.Options{})
		w.push(w.bo, "main", "Straight")
		if c := w.changes()[0]; !c.Merger.IsAbsent() {
			t.Errorf("merger: expected absent, got %+v", c.Merger)
		}
	})
	t.Run("by REST as by GraphQL", func(t *testing.T) {
		w := newTeam(t, githubtest.Options{})
		bot := w.AddBot("agent")
		sha := w.push(bot, "topic", "Add topic", w.root)
		change := w.OpenChange(w.repo, bot, forgetest.ChangeSpec{Title: "By an agent", Source: "topic"})
		w.Assign(change, w.cy)
		w.Merge(change, w.bo, forgetest.Squash)
		client := quick(t, w.Server)
		client.Transport = &editing{next: client.Transport, edits: edits(func(_ string, body map[string]any) {
			set(body, nil, "data", "repository", "p1", "mergeCommit")
			set(body, nil, "data", "repository", "recent", "nodes", 0, "mergeCommit")
		})}
		w.forge = connectWith(t, w.Server, client)
		c := numbered(t, w.changes(), change.Number)
		if a := known(t, "merger", c.Merger); a.ID != account(w.bo) || c.Head != sha {
			t.Errorf("merger: got %+v, want bo", a)
		}
		authors(t, c, []forgetest.Person{w.cy}, nil)
	})
}

func TestInitiators(t *testing.T) {
	t.Run("who is assigned to an agent's pull request is its author (attack 89)", func(t *testing.T) {
		w := newTeam(t, githubtest.Options{})
		bot := w.AddBot("agent")
		w.push(bot, "topic", "Add topic", w.root)
		change := w.OpenChange(w.repo, bot, forgetest.ChangeSpec{Title: "By an agent", Source: "topic"})
		w.Assign(change, bot)
		w.Assign(change, w.cy)
		w.Merge(change, w.bo, forgetest.MergeCommit)
		c := numbered(t, w.changes(), change.Number)
		if len(c.Initiators) != 1 || c.Initiators[0].ID != account(w.cy) {
			t.Errorf("initiators: got %+v, want cy alone", c.Initiators)
		}
		authors(t, c, []forgetest.Person{w.cy}, []forgetest.Person{w.ana})
	})
	t.Run("who is assigned to a person's is not", func(t *testing.T) {
		w := newTeam(t, githubtest.Options{})
		change, _ := w.open(w.ana, "topic")
		w.Assign(change, w.cy)
		w.Merge(change, w.bo, forgetest.MergeCommit)
		if c := numbered(t, w.changes(), change.Number); len(c.Initiators) != 0 {
			t.Errorf("initiators: got %+v, want none", c.Initiators)
		}
	})
}

// TestMachinesAreNoPeople holds that an account is a person's or not whichever way it is
// read: attack 89 asks who merged what no person wrote.
func TestMachinesAreNoPeople(t *testing.T) {
	for name, switches := range map[string]githubtest.Switches{
		"with its whole login": {}, "without brackets": {BareBotLogins: true}, "not named by GraphQL": {NoUserForBotCommits: true},
	} {
		t.Run("a bot "+name, func(t *testing.T) {
			w := newTeam(t, githubtest.Options{Switches: switches})
			bot := w.AddBot("renovate")
			w.push(bot, "topic", "Bump\n\nCo-authored-by: renovate <"+bot.Email+">", w.root)
			change := w.OpenChange(w.repo, bot, forgetest.ChangeSpec{Title: "Bump", Source: "topic"})
			w.Merge(change, w.bo, forgetest.Squash)
			w.push(bot, "main", "Straight")
			for _, c := range w.changes() {
				holdsNoPerson(t, c, account(bot))
			}
		})
	}
	t.Run("what is a machine in the log is one on its commits", func(t *testing.T) {
		w := newTeam(t, githubtest.Options{Switches: githubtest.Switches{BareBotLogins: true}})
		bot := w.AddBot("copilot")
		w.rewrite(`BOT_kgDO`, `U_kgDO`)
		sha := w.Commit(w.repo, forgetest.CommitSpec{Author: bot, Message: "By an agent", Files: map[string][]byte{"x": nil}})
		w.Push(w.repo, bot, mainRef, sha)
		w.rewrite(`+copilot[bot]@`, `+copilot@`)
		holdsNoPerson(t, headed(t, w.changes(), sha), account(bot))
	})
	t.Run("GitHub's own account for the web", func(t *testing.T) {
		w := newTeam(t, githubtest.Options{})
		sha := w.Commit(w.repo, forgetest.CommitSpec{
			Author: w.AddBot("renovate"), Committer: forgetest.Person{Login: "GitHub", Email: "noreply@github.com"}, Message: "Forged",
			Files: map[string][]byte{"x": nil},
		})
		w.Push(w.repo, w.bo, mainRef, sha)
		for _, p := range headed(t, w.changes(), sha).Commits[0].People {
			if a, ok := p.Account.Get(); ok && a.Human {
				t.Errorf("%s: got %+v, want no person", p.Part, a)
			}
		}
	})
}

func holdsNoPerson(t *testing.T, c gate.Change, id gate.AccountID) {
	t.Helper()
	found := false
	check := func(what string, f gate.Fact[gate.Account]) {
		a, ok := f.Get()
		if ok && a.ID == id {
			found = true
			if a.Human {
				t.Errorf("%q, %s: got a person's account %+v, want a machine's", c.Title, what, a)
			}
		}
	}
	check("opener", c.Opener)
	for _, commit := range c.Commits {
		for _, p := range commit.People {
			check(string(p.Part), p.Account)
		}
	}
	pushers, _ := c.Pushers.Get()
	for _, a := range pushers {
		check("pusher", gate.Known(a))
	}
	if !found {
		t.Errorf("%q: expected account %s on it", c.Title, id)
	}
}
