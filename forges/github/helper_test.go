package github_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/adaptertest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
	"github.com/countersign/countersign/forges/forgetest/githubtest/githubschema"
	"github.com/countersign/countersign/forges/github"
	"github.com/countersign/countersign/gate"
)

// sharedKey is every double's: to make one takes longer than most tests.
var sharedKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// team is ana (maintain), bo and cy (write) and dan (nothing) on acme/app.
type team struct {
	*githubtest.Server
	t                testing.TB
	forge            *github.Forge
	repo             forgetest.Repository
	root             string
	ana, bo, cy, dan forgetest.Person
}

func newTeam(t testing.TB, o githubtest.Options) *team {
	t.Helper()
	if o.Key == nil {
		o.Key = sharedKey()
	}
	s := githubtest.New(o)
	t.Cleanup(s.Close)
	githubschema.Validate(t, s)
	w := &team{Server: s, t: t, forge: connect(t, s), repo: s.AddRepository("acme/app")}
	w.ana, w.bo, w.cy, w.dan = s.AddPerson("ana"), s.AddPerson("bo"), s.AddPerson("cy"), s.AddPerson("dan")
	s.SetRole(w.repo, w.ana, forgetest.RoleMaintain)
	s.SetRole(w.repo, w.bo, forgetest.RoleWrite)
	s.SetRole(w.repo, w.cy, forgetest.RoleWrite)
	w.root = s.Head(w.repo, "refs/heads/main")
	return w
}

// asks reports from now on whether a REST call whose path match accepts was answered.
func (w *team) asks(match func(path string) bool) *atomic.Bool {
	var asked atomic.Bool
	w.Observe(func(e githubtest.Exchange) {
		if match(e.Request.URL.Path) {
			asked.Store(true)
		}
	})
	return &asked
}

func (w *team) id() gate.RepositoryID {
	return gate.RepositoryID{Forge: adaptertest.ForgeID, ID: w.repo.ID}
}

func (w *team) push(by forgetest.Person, branch, message string, parents ...string) string {
	w.t.Helper()
	sha := w.Commit(w.repo, forgetest.CommitSpec{
		Author: by, Message: message, Parents: parents, Files: map[string][]byte{message: []byte(message)},
	})
	w.Push(w.repo, by, "refs/heads/"+branch, sha)
	return sha
}

func (w *team) open(by forgetest.Person, branch string) (forgetest.Change, string) {
	w.t.Helper()
	sha := w.push(by, branch, "Add "+branch, w.Head(w.repo, "refs/heads/main"))
	return w.OpenChange(w.repo, by, forgetest.ChangeSpec{Title: "Bring " + branch, Source: branch}), sha
}

func (w *team) request(ref string) gate.Request {
	w.t.Helper()
	return gate.Request{
		ID: "r1", Repository: w.id(), RepositoryName: w.repo.FullName, Ref: ref, Commit: w.Head(w.repo, ref),
		Owner: gate.AccountID{Forge: adaptertest.ForgeID, ID: w.repo.OwnerID},
	}
}

func (w *team) ref(c forgetest.Comment) gate.CommentRef {
	return gate.CommentRef{Repository: w.id(), ID: c.ID, Thread: gate.Thread{Number: c.Change.Number, Issue: c.Change.Issue}}
}

// evidence is everything since the root, for main's head.
func (w *team) evidence() gate.Evidence {
	w.t.Helper()
	return w.evidenceFor("refs/heads/main")
}

func (w *team) evidenceFor(ref string) gate.Evidence {
	w.t.Helper()
	return w.forge.Evidence(w.t.Context(), w.request(ref), gate.Needs{Branches: []gate.Matcher{only("main")}, Since: []string{w.root}})
}

func (w *team) changes() []gate.Change {
	w.t.Helper()
	return known(w.t, "changes", w.evidence().Changes)
}

func (w *team) protection() gate.Protection {
	w.t.Helper()
	return known(w.t, "protection", known(w.t, "branch", w.evidence().Branch).Protection)
}

func known[T any](t testing.TB, what string, f gate.Fact[T]) T {
	t.Helper()
	v, ok := f.Get()
	if !ok {
		t.Fatalf("%s: expected it known, got absent=%t: %s", what, f.IsAbsent(), f.Why())
	}
	return v
}

func authors(t *testing.T, c gate.Change, in, out []forgetest.Person) {
	t.Helper()
	a := gate.AuthorsOf(c)
	for _, p := range in {
		if _, is := a.Include(account(p)); !is {
			t.Errorf("#%d %q: expected @%s among the authors", c.Number, c.Title, p.Login)
		}
	}
	for _, p := range out {
		if why, is := a.Include(account(p)); is {
			t.Errorf("#%d %q: expected @%s not among the authors, got: %s", c.Number, c.Title, p.Login, why)
		}
	}
}

func readAll(resp *http.Response) ([]byte, error) {
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

func refill(resp *http.Response, body []byte) {
	resp.Body = io.NopCloser(bytes.NewReader(body))
	resp.ContentLength = int64(len(body))
	resp.Header.Del("Content-Length")
}

type claims struct {
	CheckRunID int64 `json:"check_run_id,string"`
}

func claimsOf(t *testing.T, token string) claims {
	t.Helper()
	var c claims
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func githubtestKey(t *testing.T) []byte {
	t.Helper()
	s := githubtest.New(githubtest.Options{})
	t.Cleanup(s.Close)
	return s.AppPrivateKey()
}

func fixedNow() time.Time { return time.Date(2026, 11, 22, 20, 0, 0, 0, time.UTC) }
