package gitlab_test

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/forges"
	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
	"github.com/countersign/countersign/forges/gitlab"
	"github.com/countersign/countersign/gate"
)

const secret = "a webhook's secret"

// idTokenKey is one key for all doubles: making one takes longer than most tests.
var idTokenKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// stage is a GitLab with a protected project, three people who may write, and the
// adapter that looks at it.
type stage struct {
	*gitlabtest.Server
	t           *testing.T
	forge       *gitlab.Forge
	repo        forgetest.Repository
	base        string
	ana, bo, ci forgetest.Person
}

func newStage(t *testing.T, o gitlabtest.Options) *stage {
	t.Helper()
	o.Key = cmp.Or(o.Key, idTokenKey())
	s := &stage{Server: gitlabtest.New(o), t: t}
	t.Cleanup(s.Close)
	s.repo = s.AddRepository("acme/widget")
	s.ana, s.bo, s.ci = s.AddPerson("ana"), s.AddPerson("bo"), s.AddPerson("ci")
	for _, p := range []forgetest.Person{s.ana, s.bo} {
		s.SetRole(s.repo, p, forgetest.RoleMaintain)
	}
	s.Protect(s.repo, forgetest.Protection{Ref: "refs/heads/main"})
	s.base = s.Head(s.repo, "refs/heads/main")
	s.forge = open(t, s.Server)
	return s
}

func open(t *testing.T, s *gitlabtest.Server) *gitlab.Forge {
	t.Helper()
	client, err := forges.NewClient(forges.Options{Bases: []string{s.URL()}, Tries: 1})
	if err != nil {
		t.Fatal(err)
	}
	f, err := gitlab.New(gitlab.Config{
		Forge: "gl", URL: s.URL(), Token: s.BotToken(), WebhookSecret: []byte(secret), Client: client, Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// commit makes a commit of one file.
func (s *stage) commit(by forgetest.Person, file string, parents ...string) string {
	s.t.Helper()
	return s.Commit(s.repo, forgetest.CommitSpec{
		Parents: parents, Author: by, Message: "Change " + file, Files: map[string][]byte{file: []byte(file + by.Login)},
	})
}

// change opens a merge request of by's with the given commits on its branch.
func (s *stage) change(by forgetest.Person, branch string, shas ...string) forgetest.Change {
	s.t.Helper()
	if len(shas) == 0 {
		shas = []string{s.commit(by, branch)}
	}
	s.Push(s.repo, by, "refs/heads/"+branch, shas[len(shas)-1])
	return s.OpenChange(s.repo, by, forgetest.ChangeSpec{Title: "Add " + branch, Source: branch})
}

// tag puts v1.0.0 on sha.
func (s *stage) tag(sha string) {
	s.t.Helper()
	s.Push(s.repo, s.ana, "refs/tags/v1.0.0", sha)
}

type main struct{}

func (main) Match(s string) bool { return s == "main" || strings.HasPrefix(s, "release/") }
func (main) String() string      { return "main" }

func (s *stage) id() gate.RepositoryID { return gate.RepositoryID{Forge: "gl", ID: s.repo.ID} }

func (s *stage) request(ref, sha string) gate.Request {
	return gate.Request{ID: "r1", Repository: s.id(), Ref: ref, Commit: sha}
}

func (s *stage) needs() gate.Needs {
	return gate.Needs{Branches: []gate.Matcher{main{}}, Since: []string{s.base}, Candidates: true}
}

// evidence tags sha and reads it.
func (s *stage) evidence(sha string) gate.Evidence {
	s.t.Helper()
	s.tag(sha)
	return s.forge.Evidence(context.Background(), s.request("refs/tags/v1.0.0", sha), s.needs())
}

func must[T any](t *testing.T, what string, f gate.Fact[T]) T {
	t.Helper()
	v, ok := f.Get()
	if !ok {
		t.Fatalf("%s: expected it known, it is not: absent=%t %s", what, f.IsAbsent(), f.Why())
	}
	return v
}

// changes are the change set, which has to be known and of n changes.
func (s *stage) changes(sha string, n int) []gate.Change {
	s.t.Helper()
	got := must(s.t, "changes", s.evidence(sha).Changes)
	if len(got) != n {
		s.t.Fatalf("expected %d changes, got %d: %+v", n, len(got), got)
	}
	return got
}

// authors are the logins of a change's AUTHORS, as the judgement takes them.
func authors(c gate.Change, everybody ...forgetest.Person) []string {
	a := gate.AuthorsOf(c)
	var out []string
	for _, p := range everybody {
		if _, ok := a.Include(gate.AccountID{Forge: "gl", ID: p.ID}); ok {
			out = append(out, p.Login)
		}
	}
	return out
}

// wrote checks who the authors of a change are, out of everybody on stage.
func (s *stage) wrote(c gate.Change, want ...string) {
	s.t.Helper()
	if got := authors(c, s.ana, s.bo, s.ci); !slices.Equal(got, want) {
		s.t.Errorf("authors of %q: expected %v, got %v", c.Title, want, got)
	}
}

func unlinked(c gate.Change) []string {
	var out []string
	for _, commit := range c.Commits {
		for _, p := range commit.People {
			if p.Account.IsAbsent() {
				out = append(out, p.Name)
			}
		}
	}
	return out
}
