package github_test

import (
	"slices"
	"testing"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
)

// TestWhoMayPush is Protection.Push: who may push without a pull request (attacks 27 and
// 29). Each classic row is read by GraphQL and by REST, which have to agree.
func TestWhoMayPush(t *testing.T) { bothWays(t, whoMayPush) }

func whoMayPush(t *testing.T, o githubtest.Options) {
	t.Helper()
	guarded := forgetest.Protection{Ref: mainRef, Reviews: 1}
	open := forgetest.Protection{Ref: mainRef}
	exempt := forgetest.Protection{Ref: mainRef, Reviews: 1, AdminsExempt: true}
	thin := func(types ...string) []githubtest.Ruleset {
		set := githubtest.Ruleset{Name: "thin", Target: "branch", Enforcement: "active", Include: []string{mainRef}}
		for _, name := range types {
			set.Rules = append(set.Rules, rule{"type": name})
		}
		return []githubtest.Ruleset{set}
	}
	app := rule{"actor_id": 7, "actor_type": "Integration", "bypass_mode": "always"}
	inPulls := rule{"actor_id": 8, "actor_type": "Team", "bypass_mode": "pull_request"}
	for _, row := range []struct {
		name    string
		classic func(w *team) *githubtest.ClassicRule
		sets    []githubtest.Ruleset
		shown   []rule // the bypass list that GitHub shows of the first ruleset; nil: hidden
		want    []string
		unknown bool
	}{
		{
			name: "a pull request is asked for, of everybody",
			classic: func(*team) *githubtest.ClassicRule {
				return &githubtest.ClassicRule{Protection: guarded}
			}, want: []string{"nobody"},
		},
		{
			name: "a pull request without reviews is asked for",
			classic: func(*team) *githubtest.ClassicRule {
				return &githubtest.ClassicRule{Protection: open, PullRequests: true}
			}, want: []string{"nobody"},
		},
		{
			name:    "nothing is asked for",
			classic: func(*team) *githubtest.ClassicRule { return &githubtest.ClassicRule{Protection: open} },
			want:    []string{"everyone with write"},
		},
		{
			name: "some are let past the pull request",
			classic: func(w *team) *githubtest.ClassicRule {
				return &githubtest.ClassicRule{Protection: guarded, Bypass: githubtest.Allowed{People: []forgetest.Person{w.ana}, Teams: []string{"ops"}}}
			}, want: []string{"@ana", "team ops"},
		},
		{
			name: "some are let past, and only others may push",
			classic: func(w *team) *githubtest.ClassicRule {
				return &githubtest.ClassicRule{
					Protection: guarded, Bypass: githubtest.Allowed{People: []forgetest.Person{w.ana, w.bo}}, Pushers: &githubtest.Allowed{Teams: []string{"ops"}},
				}
			}, want: []string{"team ops"},
		},
		{
			name: "some are let past, and nobody may push",
			classic: func(w *team) *githubtest.ClassicRule {
				return &githubtest.ClassicRule{Protection: guarded, Bypass: githubtest.Allowed{People: []forgetest.Person{w.ana}}, Pushers: &githubtest.Allowed{}}
			}, want: []string{"nobody"},
		},
		{
			name: "only some may push, without a pull request",
			classic: func(w *team) *githubtest.ClassicRule {
				return &githubtest.ClassicRule{Protection: open, Pushers: &githubtest.Allowed{People: []forgetest.Person{w.cy}}}
			}, want: []string{"@cy"},
		},
		{
			name:    "administrators are exempt",
			classic: func(*team) *githubtest.ClassicRule { return &githubtest.ClassicRule{Protection: exempt} },
			want:    []string{"administrators"},
		},
		{
			name:    "a locked branch",
			classic: func(*team) *githubtest.ClassicRule { return &githubtest.ClassicRule{Protection: open, Lock: true} },
			want:    []string{"nobody"},
		},
		{name: "a ruleset asks for pull requests, its bypass list hidden", sets: []githubtest.Ruleset{full()}, unknown: true},
		{name: "a ruleset asks for pull requests of everybody", sets: []githubtest.Ruleset{full()}, shown: []rule{}, want: []string{"nobody"}},
		{name: "a ruleset lets an app past", sets: []githubtest.Ruleset{full()}, shown: []rule{app}, want: []string{"Integration 7"}},
		{name: "a ruleset lets a team past in pull requests only", sets: []githubtest.Ruleset{full()}, shown: []rule{inPulls}, want: []string{"nobody"}},
		{name: "a ruleset lets nobody push", sets: thin("update"), shown: []rule{}, want: []string{"nobody"}},
		{name: "a ruleset that says nothing of pushes", sets: thin("deletion", "non_fast_forward"), want: []string{"everyone with write"}},
		{
			name: "classic lets nobody past, whoever may bypass the ruleset", sets: []githubtest.Ruleset{full()},
			classic: func(*team) *githubtest.ClassicRule { return &githubtest.ClassicRule{Protection: guarded} },
			want:    []string{"nobody"},
		},
		{
			name: "who may bypass a ruleset that says nothing of pushes may not push", sets: thin("deletion"), shown: []rule{app},
			classic: func(*team) *githubtest.ClassicRule { return &githubtest.ClassicRule{Protection: guarded} },
			want:    []string{"nobody"},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newTeam(t, o)
			w.AddTeam(w.repo, "ops")
			for i, set := range row.sets {
				id := w.AddRuleset(w.repo, set)
				if i == 0 && row.shown != nil {
					showBypass(w, id, row.shown)
				}
			}
			if row.classic != nil {
				w.ProtectClassic(w.repo, *row.classic(w))
			}
			hold := func() {
				t.Helper()
				f := w.protection().Push
				if got, ok := f.Get(); ok == row.unknown || !slices.Equal(got, row.want) || !ok && f.Why() == "" {
					t.Errorf("push: got %v (known=%t %s), want %v", got, ok, f.Why(), row.want)
				}
			}
			hold()
			w.rewrite(`"branchProtectionRule":`, `"unseen":`) // as GitHub shows rules to who is no administrator
			hold()
		})
	}
}

// TestPushByForceForSome is a list that REST does not show: some may push by force where
// nobody else may (attack 29).
func TestPushByForceForSome(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	w.ProtectClassic(w.repo, githubtest.ClassicRule{
		Protection: forgetest.Protection{Ref: mainRef, Reviews: 1}, Forcers: githubtest.Allowed{People: []forgetest.Person{w.cy}},
	})
	if !known(t, "force pushes", w.protection().ForcePush) {
		t.Error("force pushes: expected them allowed, since cy may")
	}
}

func TestWhoMayPushTags(t *testing.T) {
	for _, row := range []struct {
		name string
		set  githubtest.Ruleset
		want string // "" for unknown
	}{
		{"a rule against moving lets everyone make one", tagRules("update", "deletion"), "everyone with write"},
		{"a rule against making, its bypass list hidden", tagRules("creation"), ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newTeam(t, githubtest.Options{})
			w.AddRuleset(w.repo, row.set)
			w.Push(w.repo, w.ana, "refs/tags/v1.0.0", w.root)
			p := known(t, "tag protection", w.evidenceFor("refs/tags/v1.0.0").TagProtection)
			got, ok := p.Push.Get()
			if ok != (row.want != "") || ok && !slices.Equal(got, []string{row.want}) {
				t.Errorf("push: got %v (known=%t %s), want %q", got, ok, p.Push.Why(), row.want)
			}
		})
	}
}

func tagRules(types ...string) githubtest.Ruleset {
	set := githubtest.Ruleset{Name: "tags", Target: "tag", Enforcement: "active", Include: []string{"~ALL"}}
	for _, name := range types {
		set.Rules = append(set.Rules, rule{"type": name})
	}
	return set
}
