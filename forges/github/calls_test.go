package github_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
	"github.com/countersign/countersign/gate"
)

// story is a release of 30 commits in 5 pull requests from main, each reviewed, as the
// gate lives through it.
type story struct {
	*team
	method forgetest.MergeMethod
	topics int
	job    forgetest.Job
	change forgetest.Change // the last pull request, whose merge is released
	said   gate.CommentRef

	mu    sync.Mutex
	heard []string // calls of REST since the stage began
}

const policyText = "version: 1\nreleases:\n  - workflow: release.yml\n"

func newStory(t testing.TB, method forgetest.MergeMethod) *story {
	t.Helper()
	w := newTeam(t, githubtest.Options{})
	w.Protect(w.repo, forgetest.Protection{Ref: mainRef, Reviews: 1})
	w.Push(w.repo, w.ana, mainRef, w.Commit(w.repo, forgetest.CommitSpec{
		Author: w.ana, Message: "Add the policy", Files: map[string][]byte{".countersign.yaml": []byte(policyText)},
	}))
	s := &story{team: w, method: method}
	w.Observe(func(e githubtest.Exchange) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.heard = append(s.heard, shown(e))
	})
	return s
}

// take gives what was heard, and begins anew.
func (s *story) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.heard
	s.heard = nil
	return out
}

// work merges the next 30 commits in 5 pull requests, and starts the job.
func (s *story) work() {
	s.t.Helper()
	s.root = s.Head(s.repo, mainRef)
	writers := []forgetest.Person{s.ana, s.cy}
	for n := range 5 {
		s.topics++
		by, branch := writers[n%2], fmt.Sprintf("topic%d", s.topics)
		at := s.Head(s.repo, mainRef)
		for i := range 6 {
			at = s.push(by, branch, fmt.Sprintf("Step %d of %s", i, branch), at)
		}
		s.change = s.OpenChange(s.repo, by, forgetest.ChangeSpec{Title: "Bring " + branch, Source: branch})
		s.Review(s.change, s.bo, forgetest.ReviewApprove)
		s.Merge(s.change, s.bo, s.method)
	}
	s.job = s.StartJob(s.repo, forgetest.JobSpec{Ref: mainRef, Workflow: "release.yml", Actor: s.ana})
}

// stage is one part of a release's life, with the calls it cost: all of them, and those
// that are charged to a rate limit, which answers of 304 are not.
type stage struct {
	name           string
	calls, charged int
	points         int      // of GraphQL's own limit
	what           []string // "GET repos/O/R/activity", with what it answered where that is not 200
}

func (s stage) String() string {
	return fmt.Sprintf("%s: %d, %d charged: %d of GraphQL for %d points; %s",
		s.name, s.calls, s.charged, s.calls-len(s.what), s.points, strings.Join(s.what, "; "))
}

// shown is a call for people to read. Numbers and commits are left out, so that the same
// call reads the same.
func shown(e githubtest.Exchange) string {
	what := e.Template
	if what == "" {
		what = e.Request.URL.Path
	}
	what = e.Request.Method + " " + strings.TrimPrefix(what, "/repos/{owner}/{repo}/")
	if e.Status != http.StatusOK {
		what += " " + strconv.Itoa(e.Status)
	}
	return what
}

// live plays the release of the next work once: what the gate reads to open a request and
// judge it, and, unless reads alone are asked for, what it posts in between.
func (s *story) live(posts bool) []stage {
	s.t.Helper()
	s.work()
	var out []stage
	count := func(name string, f func()) {
		before, charged, points := s.Requests(), s.Charged(), s.Points()
		s.take()
		f()
		out = append(out, stage{name, s.Requests() - before, s.Charged() - charged, s.Points() - points, s.take()})
	}
	s.said = s.ref(s.AddComment(s.change, s.bo, "/countersign approve"))
	r := s.request(mainRef)
	needs := gate.Needs{Branches: []gate.Matcher{only("main")}, Since: []string{s.root}, Candidates: true}
	thread := gate.Thread{Number: s.change.Number}
	base := gate.Post{Request: "r1", Repository: s.id(), Commit: r.Commit, Context: "countersign/release", URL: "https://gate.example/r1", Thread: thread}
	known := map[gate.PostTarget]string{}
	tell := func(state gate.PostState, title string) {
		for _, target := range []gate.PostTarget{gate.PostComment, gate.PostCheck} {
			p := base
			p.Target, p.Key, p.State, p.Title, p.Body, p.Known = target, "r1", state, title, title, known[target]
			id, err := s.forge.Post(s.t.Context(), p)
			if err != nil {
				s.t.Fatal(err)
			}
			known[target] = id
		}
	}
	react := func(reaction string) {
		p := base
		p.Target, p.Key, p.Comment, p.Reaction = gate.PostReaction, reaction, s.said, reaction
		if _, err := s.forge.Post(s.t.Context(), p); err != nil {
			s.t.Fatal(err)
		}
	}
	count("ask", func() { s.ask() })
	count("first reading", func() { s.complete(s.forge.Evidence(s.t.Context(), r, needs)) })
	if posts {
		count("posts: waiting", func() { tell(gate.PostPending, "waiting") })
	}
	count("comment", func() { sure(s.t, "comment", s.forge.Glance(s.t.Context(), s.said)) })
	needs.Comments, needs.Accounts = []gate.CommentRef{s.said}, []gate.AccountID{account(s.bo)}
	needs.Thread, needs.ThreadSince = thread, time.Now().Add(-time.Hour)
	count("final reading", func() { s.complete(s.forge.Evidence(s.t.Context(), r, needs)) })
	if posts {
		count("posts: signed", func() { tell(gate.PostSuccess, "signed"); react("rocket") })
	}
	return out
}

func sure[T any](t testing.TB, what string, f gate.Fact[T]) T {
	t.Helper()
	v, ok := f.Get()
	if !ok {
		t.Fatalf("%s: %s", what, f.Why())
	}
	return v
}

func (s *story) ask() {
	s.t.Helper()
	_, err := s.forge.Run(s.t.Context(), gate.Workload{
		Repository: s.id(), RepositoryName: s.repo.FullName, Ref: mainRef, Commit: s.Head(s.repo, mainRef), Event: "push",
		RunID: s.job.RunID, RunAttempt: 1, JobID: s.job.ID, Actor: gate.Account{ID: account(s.ana), Login: "ana"},
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *story) complete(e gate.Evidence) {
	s.t.Helper()
	n := 0
	for _, c := range sure(s.t, "changes", e.Changes) {
		n += len(c.Commits)
		sure(s.t, "pushers", c.Pushers)
		for _, r := range sure(s.t, "reviews", c.Reviews) {
			sure(s.t, "role", r.Role)
		}
	}
	if n < 30 {
		s.t.Fatalf("commits: got %d", n)
	}
	sure(s.t, "ref", e.Ref)
	sure(s.t, "candidates", e.Candidates)
	sure(s.t, "protection", sure(s.t, "branch", e.Branch).Protection)
}

func sum(all []stage) (calls, charged int) {
	for _, s := range all {
		calls, charged = calls+s.calls, charged+s.charged
	}
	return calls, charged
}

// TestCallsPerRelease holds how many calls a release costs from the ask to the last post:
// the first of a fresh process, and the next of the same one.
func TestCallsPerRelease(t *testing.T) {
	type most struct{ calls, charged int }
	for _, row := range []struct {
		name       string
		hosted     bool
		method     forgetest.MergeMethod
		cold, warm most
	}{
		{"github.com, merged", true, forgetest.MergeCommit, most{12, 12}, most{10, 10}},
		{"github.com, squashed", true, forgetest.Squash, most{12, 12}, most{10, 10}},
		{"GitHub Enterprise Server, merged", false, forgetest.MergeCommit, most{14, 13}, most{12, 10}},
	} {
		s := newStory(t, row.method)
		if row.hosted {
			s.forge = hosted(t, s.Server)
		}
		cold, warm, later := s.live(true), s.live(true), s.live(true)
		for i, x := range []struct {
			name string
			all  []stage
			most most
		}{
			{"cold", cold, row.cold}, {"warm", warm, row.warm},
			{"once the log is longer than a page", later, most{row.warm.calls + 1, row.warm.charged + 1}},
		} {
			calls, charged := sum(x.all)
			t.Logf("%s, %s: %d calls, %d charged", row.name, x.name, calls, charged)
			for _, one := range x.all {
				if i < 2 {
					t.Log("  ", one)
				}
			}
			if calls > x.most.calls || charged > x.most.charged {
				t.Errorf("%s, %s: got %d calls, %d charged, want at most %+v", row.name, x.name, calls, charged, x.most)
			}
		}
	}
}

// BenchmarkCallsPerRelease prints them, those of them that only read, and of both those
// that are charged to a rate limit, on github.com.
func BenchmarkCallsPerRelease(b *testing.B) {
	for b.Loop() {
		for _, posts := range []bool{true, false} {
			what := map[bool]string{true: "calls", false: "reads"}[posts]
			s := newStory(b, forgetest.MergeCommit)
			s.forge = hosted(b, s.Server)
			for _, when := range []string{"-cold", "-warm"} {
				all := s.live(posts)
				calls, charged := sum(all)
				b.ReportMetric(float64(calls), what+when)
				b.ReportMetric(float64(charged), what+when+"-charged")
				points := 0
				for _, one := range all {
					points += one.points
				}
				if !posts {
					b.ReportMetric(float64(points), "points"+when)
				}
			}
		}
	}
}
