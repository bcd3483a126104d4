package github_test

import (
	"fmt"
	"testing"

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
}

const policyText = "version: 1\nreleases:\n  - workflow: release.yml\n"

func newStory(t testing.TB, method forgetest.MergeMethod) *story {
	t.Helper()
	w := newTeam(t, githubtest.Options{})
	w.Protect(w.repo, forgetest.Protection{Ref: mainRef, Reviews: 1})
	w.Push(w.repo, w.ana, mainRef, w.Commit(w.repo, forgetest.CommitSpec{
		Author: w.ana, Message: "Add the policy", Files: map[string][]byte{".countersign.yaml": []byte(policyText)},
	}))
	return &story{team: w, method: method}
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

// stage is one part of a release's life, with the calls it cost.
type stage struct {
	name  string
	calls int
}

// live plays the release of the next work once: what the gate reads to open a request and
// judge it, and, unless reads alone are asked for, what it posts in between.
func (s *story) live(posts bool) []stage {
	s.t.Helper()
	s.work()
	var out []stage
	count := func(name string, f func()) {
		before := s.Requests()
		f()
		out = append(out, stage{name, s.Requests() - before})
	}
	s.said = s.ref(s.AddComment(s.change, s.bo, "/countersign approve"))
	r := s.request(mainRef)
	needs := gate.Needs{Branches: []gate.Matcher{only("main")}, Since: []string{s.root}}
	thread := gate.Thread{Number: s.change.Number}
	base := gate.Post{Request: "r1", Repository: s.id(), Commit: r.Commit, Context: "countersign/release", URL: "https://gate.example/r1", Thread: thread}
	known := map[gate.PostTarget]string{}
	tell := func(state gate.PostState, title string) {
		for _, target := range []gate.PostTarget{gate.PostStatus, gate.PostComment, gate.PostCheck} {
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
	count("comment", func() { sure(s.t, "comment", s.forge.Comment(s.t.Context(), s.said)) })
	if posts {
		count("posts: received", func() { react("eyes") })
	}
	needs.Comments, needs.Accounts = []gate.CommentRef{s.said}, []gate.AccountID{account(s.bo)}
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
	if _, err := s.forge.PolicyFile(s.t.Context(), s.id()); err != nil {
		s.t.Fatal(err)
	}
	_, err := s.forge.Run(s.t.Context(), gate.Workload{
		Repository: s.id(), RepositoryName: s.repo.FullName, Ref: mainRef, Commit: s.Head(s.repo, mainRef), Event: "push",
		RunID: s.job.RunID, RunAttempt: 1, JobID: s.job.ID,
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
	sure(s.t, "protection", sure(s.t, "branch", e.Branch).Protection)
}

func sum(all []stage) int {
	n := 0
	for _, s := range all {
		n += s.calls
	}
	return n
}

// TestCallsPerRelease holds how many calls a release costs from the ask to the last post:
// the first of a fresh process, and the next of the same one.
func TestCallsPerRelease(t *testing.T) {
	for _, row := range []struct {
		name       string
		hosted     bool
		method     forgetest.MergeMethod
		cold, warm int
	}{
		{"github.com, merged", true, forgetest.MergeCommit, 28, 26},
		{"github.com, squashed", true, forgetest.Squash, 28, 26},
		{"GitHub Enterprise Server, merged", false, forgetest.MergeCommit, 30, 28},
	} {
		s := newStory(t, row.method)
		if row.hosted {
			s.forge = hosted(t, s.Server)
		}
		cold, warm, later := s.live(true), s.live(true), s.live(true)
		t.Log(row.name, "cold", cold, "warm", warm)
		if sum(cold) > row.cold || sum(warm) > row.warm {
			t.Errorf("%s: got %d calls cold (%v) and %d warm (%v), want at most %d and %d",
				row.name, sum(cold), cold, sum(warm), warm, row.cold, row.warm)
		}
		if sum(later) > row.warm+1 {
			t.Errorf("%s: got %d calls (%v) once the log is longer than a page, want at most %d", row.name, sum(later), later, row.warm+1)
		}
	}
}

// BenchmarkCallsPerRelease prints them, those of them that only read, and how many are
// charged to the rate limit, on
// github.com.
func BenchmarkCallsPerRelease(b *testing.B) {
	for b.Loop() {
		for _, posts := range []bool{true, false} {
			what := map[bool]string{true: "calls", false: "reads"}[posts]
			s := newStory(b, forgetest.MergeCommit)
			s.forge = hosted(b, s.Server)
			b.ReportMetric(float64(sum(s.live(posts))), what+"-cold")
			before := s.Charged()
			b.ReportMetric(float64(sum(s.live(posts))), what+"-warm")
			b.ReportMetric(float64(s.Charged()-before), what+"-warm-charged")
		}
	}
}
