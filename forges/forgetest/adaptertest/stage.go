package adaptertest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/gate"
)

// stage is one small team on a fresh forge: ana maintains acme/app, bo and cy write,
// dan has no right. Main is protected.
type stage struct {
	forgetest.World
	t                *testing.T
	adapter          Forge
	repo             forgetest.Repository
	root             string
	ana, bo, cy, dan forgetest.Person
	serial           int
}

func newStage(t *testing.T, start Start) *stage {
	t.Helper()
	world, adapter := start(t)
	s := &stage{World: world, t: t, adapter: adapter, repo: world.AddRepository("acme/app")}
	s.ana, s.bo, s.cy, s.dan = s.AddPerson("ana"), s.AddPerson("bo"), s.AddPerson("cy"), s.AddPerson("dan")
	s.SetRole(s.repo, s.ana, forgetest.RoleMaintain)
	s.SetRole(s.repo, s.bo, forgetest.RoleWrite)
	s.SetRole(s.repo, s.cy, forgetest.RoleWrite)
	s.Protect(s.repo, forgetest.Protection{Ref: main, Reviews: 1})
	s.root = s.Head(s.repo, main)
	return s
}

const main = "refs/heads/main"

func id(p forgetest.Person) gate.AccountID { return gate.AccountID{Forge: ForgeID, ID: p.ID} }

func (s *stage) repository() gate.RepositoryID {
	return gate.RepositoryID{Forge: ForgeID, ID: s.repo.ID}
}

// commit makes a commit by author on parents (main's head where none are given).
func (s *stage) commit(author forgetest.Person, message string, parents ...string) string {
	s.t.Helper()
	s.serial++
	file := fmt.Sprintf("src/file%d.txt", s.serial)
	return s.Commit(s.repo, forgetest.CommitSpec{
		Author: author, Message: message, Parents: parents, Files: map[string][]byte{file: []byte(message)},
	})
}

// open pushes one commit by author to a branch and opens a change from it.
func (s *stage) open(author forgetest.Person, branch, message string) (forgetest.Change, string) {
	s.t.Helper()
	sha := s.commit(author, message)
	s.Push(s.repo, author, "refs/heads/"+branch, sha)
	return s.OpenChange(s.repo, author, forgetest.ChangeSpec{Title: "Bring " + branch, Source: branch}), sha
}

// request is a release request for the commit that a tag v1.0.0 or main points to.
func (s *stage) request(ref string) gate.Request {
	s.t.Helper()
	commit := s.Head(s.repo, ref)
	if commit == "" {
		commit = s.Head(s.repo, main)
	}
	return gate.Request{
		ID: "0192f0c1-7c00-7000-8000-000000000001", Code: "K7QF", Attempt: 1, Repository: s.repository(),
		RepositoryName: s.repo.FullName, Owner: gate.AccountID{Forge: ForgeID, ID: s.repo.OwnerID}, Ref: ref, Commit: commit,
	}
}

// needs asks for everything since the root commit on main.
func (s *stage) needs() gate.Needs {
	return gate.Needs{Branches: []gate.Matcher{literal("main"), prefix("release/")}, Since: []string{s.root}}
}

// evidence is read for main's head.
func (s *stage) evidence() gate.Evidence {
	s.t.Helper()
	return s.adapter.Evidence(s.t.Context(), s.request(main), s.needs())
}

// changes are those since the root, which have to be known.
func (s *stage) changes() []gate.Change {
	s.t.Helper()
	return value(s, "changes", s.evidence().Changes)
}

// onlyChange is the one change since the root.
func (s *stage) onlyChange() gate.Change {
	s.t.Helper()
	all := s.changes()
	if len(all) != 1 {
		s.t.Fatalf("changes: got %d (%s), want 1", len(all), titles(all))
	}
	return all[0]
}

func titles(all []gate.Change) string {
	var out []string
	for _, c := range all {
		out = append(out, fmt.Sprintf("#%d %q", c.Number, c.Title))
	}
	return strings.Join(out, ", ")
}

// value takes a fact that has to be known.
func value[T any](s *stage, what string, f gate.Fact[T]) T {
	s.t.Helper()
	v, ok := f.Get()
	if !ok {
		s.t.Fatalf("%s: expected it to be known, got unknown=%t: %s", what, f.IsUnknown(), f.Why())
	}
	return v
}

// absent takes a fact that the forge itself has to deny.
func absent[T any](s *stage, what string, f gate.Fact[T]) {
	s.t.Helper()
	if v, ok := f.Get(); ok || !f.IsAbsent() {
		s.t.Errorf("%s: expected the forge to say that there is none, got known=%t (%v): %s", what, ok, v, f.Why())
	}
}

// unknown takes a fact that must not have been read, with a reason for people.
func unknown[T any](s *stage, what string, f gate.Fact[T]) {
	s.t.Helper()
	if v, ok := f.Get(); ok || !f.IsUnknown() || f.Why() == "" {
		s.t.Errorf("%s: expected unknown with a reason, got known=%t absent=%t (%v): %q", what, ok, f.IsAbsent(), v, f.Why())
	}
}

// wrote and innocent hold who the authors of a change are.
func (s *stage) wrote(c gate.Change, people ...forgetest.Person) {
	s.t.Helper()
	authors := gate.AuthorsOf(c)
	for _, p := range people {
		if _, in := authors.Include(id(p)); !in {
			s.t.Errorf("#%d %q: expected @%s among the authors", c.Number, c.Title, p.Login)
		}
	}
}

func (s *stage) innocent(c gate.Change, people ...forgetest.Person) {
	s.t.Helper()
	authors := gate.AuthorsOf(c)
	for _, p := range people {
		if why, in := authors.Include(id(p)); in {
			s.t.Errorf("#%d %q: expected @%s not among the authors, got: %s", c.Number, c.Title, p.Login, why)
		}
	}
}

func (s *stage) holds(c gate.Change, shas ...string) {
	s.t.Helper()
	for _, sha := range shas {
		found := false
		for _, commit := range c.Commits {
			found = found || commit.SHA == sha
		}
		if !found {
			s.t.Errorf("#%d %q: expected commit %s in it", c.Number, c.Title, gate.ShortCommit(sha))
		}
	}
}

func (s *stage) equal(what string, got, want any) {
	s.t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		s.t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

type literal string

func (l literal) Match(name string) bool { return name == string(l) }
func (l literal) String() string         { return string(l) }

type prefix string

func (p prefix) Match(name string) bool { return strings.HasPrefix(name, string(p)) }
func (p prefix) String() string         { return string(p) + "*" }

// forker is a world in which people fork.
type forker interface {
	Fork(repo forgetest.Repository, by forgetest.Person, fullName string) forgetest.Repository
}
