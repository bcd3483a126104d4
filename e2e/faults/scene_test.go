package faults_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/forges"
	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
	"github.com/countersign/countersign/forges/github"
	"github.com/countersign/countersign/forges/gitlab"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/gatetest"
)

const (
	forgeID = "forge"
	secret  = "a webhook's secret"
	mainRef = "refs/heads/main"
	// patience is how long a reading may take that is expected to fail; a slow answer has
	// to be slower to be a fault. Honest readings may take as long as a busy machine needs.
	patience = 700 * time.Millisecond
)

// reader is the part of an adapter that judgement rests on.
type reader interface {
	Evidence(ctx context.Context, r gate.Request, needs gate.Needs) gate.Evidence
}

// scene is a release that is granted while nothing fails: ana's change, reviewed by bo
// before its merge, tagged, and approved by bo.
type scene struct {
	forgetest.World

	t         *testing.T
	line      *line
	gh        *githubtest.Server // nil on GitLab
	gl        *gitlabtest.Server // nil on GitHub
	clock     *clock
	c         gate.Case
	needs     gate.Needs
	adapter   reader
	transport *http.Transport // of the adapter
}

// both runs a test on a scene of each forge.
func both(t *testing.T, f func(t *testing.T, s *scene)) {
	t.Helper()
	for _, forge := range []string{"github", "gitlab"} {
		t.Run(forge, func(t *testing.T) {
			t.Parallel()
			f(t, newScene(t, forge))
		})
	}
}

var issuerKey = sync.OnceValue(func() *rsa.PrivateKey { //nolint:gochecknoglobals // made once, never changed
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err) // the system's random source is gone
	}
	return key
})

func newScene(t *testing.T, forge string) *scene {
	t.Helper()
	// Ahead of the double: its rate limit's windows, which hundreds of readings would use
	// up, have then always ended.
	s := &scene{t: t, clock: &clock{ahead: 2 * time.Minute}}
	if forge == "gitlab" {
		s.gl = gitlabtest.New(gitlabtest.Options{Key: issuerKey()})
		s.World = s.gl
	} else {
		s.gh = githubtest.New(githubtest.Options{Key: issuerKey(), RateLimit: 1_000_000})
		s.World = s.gh
	}
	t.Cleanup(s.Close)
	t.Cleanup(func() { s.transport.CloseIdleConnections() })
	s.line = newLine(t, s.URL())
	s.gather()
	s.connect()
	return s
}

// gather makes the release and the case of it.
func (s *scene) gather() {
	s.t.Helper()
	repo := s.AddRepository("acme/app")
	ana, bo, cy := s.AddPerson("ana"), s.AddPerson("bo"), s.AddPerson("cy")
	for p, role := range map[forgetest.Person]forgetest.Role{ana: forgetest.RoleWrite, bo: forgetest.RoleWrite, cy: forgetest.RoleMaintain} {
		s.SetRole(repo, p, role)
	}
	s.Protect(repo, forgetest.Protection{Ref: mainRef, Reviews: 1})
	s.Protect(repo, forgetest.Protection{Ref: "refs/tags/v*"})
	root := s.Head(repo, mainRef)
	sha := s.Commit(repo, forgetest.CommitSpec{Author: ana, Message: "Teach the parser tabs", Files: map[string][]byte{"parser.go": []byte("tabs")}})
	s.Push(repo, ana, "refs/heads/tabs", sha)
	change := s.OpenChange(repo, ana, forgetest.ChangeSpec{Title: "Teach the parser tabs", Source: "tabs"})
	s.Review(change, bo, forgetest.ReviewApprove)
	merged := s.Merge(change, cy, forgetest.MergeCommit)
	s.Push(repo, cy, gatetest.Ref, merged)
	said := s.AddComment(change, bo, "/countersign approve")

	id := gate.RepositoryID{Forge: forgeID, ID: repo.ID}
	account := func(p forgetest.Person) gate.Account {
		return gate.Account{ID: gate.AccountID{Forge: forgeID, ID: p.ID}, Login: p.Login, Human: true}
	}
	ref := gate.CommentRef{Repository: id, Thread: gate.Thread{Number: change.Number}, ID: said.ID}
	s.c, _ = gatetest.GrantedCase(gatetest.At(time.Now()), gatetest.Edit(func(c *gate.Case) {
		r := &c.Request
		r.Repository, r.RepositoryName, r.Owner = id, repo.FullName, gate.AccountID{Forge: forgeID, ID: repo.OwnerID}
		r.Commit, r.Run.Commit = merged, merged
		r.Actors, r.Run.Actors = []gate.Account{account(cy)}, []gate.Account{account(cy)}
		w := &r.Workload
		w.Forge, w.Repository, w.RepositoryName, w.Owner, w.Actor = forgeID, id, repo.FullName, r.Owner, account(cy)
		w.Commit, w.WorkflowCommit, w.JobWorkflowCommit = merged, merged, merged
		c.Policy.Baseline, c.Released = root, []string{root}
		if s.gl != nil { // its Free tier asks for no reviews
			c.Policy.Streams[0].MinReviews = 0
		}
		a := &c.Approvals[0]
		a.By, a.Source, a.Commit, a.Created, a.BodyHash = account(bo), ref, merged, said.Created, gate.SHA256([]byte(said.Body))
	}))
	s.needs = gate.Needs{
		Branches: s.c.Policy.Streams[0].Branches, Since: s.c.Released, Comments: []gate.CommentRef{ref},
		Accounts: []gate.AccountID{account(bo).ID}, Candidates: true,
	}
}

// connect makes a fresh adapter, which remembers nothing, at the end of the line.
func (s *scene) connect() {
	s.t.Helper()
	if s.transport != nil {
		s.transport.CloseIdleConnections()
	}
	s.transport = &http.Transport{MaxIdleConnsPerHost: 4}
	client, err := forges.NewClient(forges.Options{
		Bases: []string{s.line.url()}, Timeout: time.Minute, Tries: 2, Pause: time.Millisecond, MaxPause: 20 * time.Millisecond,
		Now: s.clock.now, Transport: s.transport,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	if s.gl != nil {
		s.adapter, err = gitlab.New(gitlab.Config{
			Forge: forgeID, URL: s.line.url(), Token: s.gl.BotToken(), WebhookSecret: []byte(secret), Client: client, Now: s.clock.now,
		})
	} else {
		s.adapter, err = github.New(github.Config{
			Forge: forgeID, URL: s.line.url(), APIURL: s.line.url() + "/api/v3", AppID: s.gh.AppID(), PrivateKey: s.gh.AppPrivateKey(),
			WebhookSecret: []byte(secret), Client: client, Now: s.clock.now,
		})
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// judge reads the evidence, as far as it comes within a time, and decides on it.
func (s *scene) judge(within time.Duration) gate.Decision {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), within)
	defer cancel()
	c := s.c
	c.Evidence = s.adapter.Evidence(ctx, c.Request, s.needs)
	// As old as at a decision right after it, however long the faults took.
	return gate.Decide(c, c.Evidence.ReadAt)
}

// granted expects that nothing stands in the way.
func (s *scene) granted(when string) {
	s.t.Helper()
	if d := s.judge(time.Minute); d.Outcome != gate.Granted {
		s.t.Errorf("%s: expected it granted, got %s", when, verdict(d))
	}
}

// unread expects that it waits for what could not be read, and says what.
func (s *scene) unread(when string) {
	s.t.Helper()
	d := s.judge(patience)
	_, grants := d.Grant()
	if d.Outcome != gate.Waiting || grants || !d.Unread() {
		s.t.Errorf("%s: expected it to wait for what could not be read, got %s", when, verdict(d))
	}
	for _, c := range d.Checks {
		if c.Unread && (strings.HasSuffix(strings.TrimSpace(c.Reason), ":") || c.Fix == "") {
			s.t.Errorf("%s: check %s: expected why and what to do, got %q, %q", when, c.Name, c.Reason, c.Fix)
		}
	}
}

// verdict is a decision in lines, without what holds.
func verdict(d gate.Decision) string {
	out := []string{d.Outcome.String()}
	for _, c := range d.Checks {
		if c.Outcome != gate.Granted {
			out = append(out, fmt.Sprintf("%s %s (unread %t): %s", c.Name, c.Outcome, c.Unread, c.Reason))
		}
	}
	return strings.Join(out, "\n  ")
}

// clock is the real time, which can be moved on.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}
