// Package worldtest is the contract of [forgetest.World]: what people do on a forge,
// and what is then visible through World itself, is the same on every double.
package worldtest

import (
	"testing"

	"github.com/countersign/countersign/forges/forgetest"
)

// Run runs the contract. Each row gets a fresh world from open, which closes it with
// t.Cleanup.
func Run(t *testing.T, open func(t *testing.T) forgetest.World) {
	t.Helper()
	rows := map[string]func(*testing.T, *stage){
		"addresses":                         addresses,
		"accounts are distinct":             accounts,
		"a repository begins with a head":   beginning,
		"commits move nothing":              commits,
		"pushes move heads":                 pushes,
		"deleted refs have no head":         deletion,
		"misuse panics":                     misuse,
		"merges move the target":            merges,
		"a repository exports to git":       exports,
		"a fork's branch can be merged":     forks,
		"reviews and rules are accepted":    rules,
		"comments are kept in order":        comments,
		"nothing is reported at the start":  reports,
		"ID tokens verify":                  tokens,
		"ID tokens obey overrides":          overrides,
		"jobs have an environment":          environment,
		"changes send webhooks":             webhooks,
		"failed webhooks can be sent again": redelivery,
		"faults fail requests":              faults,
		"faults are counted":                countedFaults,
		"dropped connections":               dropped,
		"worlds are safe for many at once":  concurrency,
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) { row(t, newStage(t, open(t))) })
	}
}

// stage is a world with a repository and two people who may write.
type stage struct {
	forgetest.World
	t       *testing.T
	repo    forgetest.Repository
	ana, bo forgetest.Person
}

func newStage(t *testing.T, w forgetest.World) *stage {
	t.Helper()
	s := &stage{World: w, t: t, repo: w.AddRepository("acme/widget"), ana: w.AddPerson("ana"), bo: w.AddPerson("bo")}
	w.SetRole(s.repo, s.ana, forgetest.RoleMaintain)
	w.SetRole(s.repo, s.bo, forgetest.RoleMaintain)
	return s
}

// push commits one file on top of parents and pushes it to a branch.
func (s *stage) push(by forgetest.Person, branch, file string, parents ...string) string {
	s.t.Helper()
	sha := s.Commit(s.repo, forgetest.CommitSpec{
		Parents: parents, Author: by, Message: "Change " + file, Files: map[string][]byte{file: []byte(file + by.Login)},
	})
	s.Push(s.repo, by, "refs/heads/"+branch, sha)
	return sha
}

// open makes a branch with one commit and a change from it.
func (s *stage) open(by forgetest.Person, branch string) forgetest.Change {
	s.t.Helper()
	s.push(by, branch, branch+".txt")
	return s.OpenChange(s.repo, by, forgetest.ChangeSpec{Title: "Add " + branch, Body: "Please", Source: branch})
}

func (s *stage) head(ref, want string) {
	s.t.Helper()
	if got := s.Head(s.repo, ref); got != want {
		s.t.Errorf("head of %s: got %q, want %q", ref, got, want)
	}
}
