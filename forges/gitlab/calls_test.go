package gitlab_test

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
	"github.com/countersign/countersign/forges/gitlab"
	"github.com/countersign/countersign/gate"
)

const mainRef = "refs/heads/main"

// tally counts requests by what they ask for.
type tally struct {
	mu    sync.Mutex
	calls map[string]int
}

var digits = regexp.MustCompile(`[0-9a-f]{40}|[0-9]+`)

func (c *tally) RoundTrip(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	c.calls[r.Method+" "+digits.ReplaceAllString(strings.TrimPrefix(r.URL.Path, "/api/v4"), "N")]++
	c.mu.Unlock()
	return http.DefaultTransport.RoundTrip(r)
}

func (c *tally) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.calls)
}

// String lists the calls, most frequent first.
func (c *tally) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var lines []string
	for what, n := range c.calls {
		lines = append(lines, fmt.Sprintf("%3d %s", n, what))
	}
	slices.SortFunc(lines, func(a, b string) int { return cmp.Compare(b, a) })
	return "\n" + strings.Join(lines, "\n")
}

// story is a release of 30 commits in 5 merge requests, each approved by somebody who
// wrote nothing of it.
type story struct {
	*stage
	tb     testing.TB
	ref    string // what is released
	head   string
	change forgetest.Change
	job    forgetest.Job
	tally  *tally
}

func newStory(tb testing.TB, method forgetest.MergeMethod, tagged bool) *story {
	tb.Helper()
	s := &story{tb: tb, stage: &stage{Server: gitlabtest.New(gitlabtest.Options{Key: idTokenKey()})}}
	tb.Cleanup(s.Close)
	s.repo = s.AddRepository("acme/widget")
	s.ana, s.bo, s.ci = s.AddPerson("ana"), s.AddPerson("bo"), s.AddPerson("ci")
	for _, p := range []forgetest.Person{s.ana, s.bo, s.ci} {
		s.SetRole(s.repo, p, forgetest.RoleMaintain)
	}
	s.Protect(s.repo, forgetest.Protection{Ref: mainRef})
	s.Push(s.repo, s.ana, mainRef, s.Commit(s.repo, forgetest.CommitSpec{
		Author: s.ana, Message: "Add the policy", Files: map[string][]byte{".countersign.yaml": []byte("version: 1\n")},
	}))
	s.base = s.Head(s.repo, mainRef)
	for n := range 5 {
		by, branch := []forgetest.Person{s.ana, s.ci}[n%2], fmt.Sprintf("topic%d", n)
		at := s.Head(s.repo, mainRef)
		for i := range 6 {
			at = s.Commit(s.repo, forgetest.CommitSpec{
				Parents: []string{at}, Author: by, Message: fmt.Sprintf("Step %d of %s", i, branch),
				Files: map[string][]byte{fmt.Sprintf("%s/%d", branch, i): []byte(branch)},
			})
		}
		s.Push(s.repo, by, "refs/heads/"+branch, at)
		s.change = s.OpenChange(s.repo, by, forgetest.ChangeSpec{Title: "Bring " + branch, Source: branch})
		s.Review(s.change, s.bo, forgetest.ReviewApprove)
		s.head = s.Merge(s.change, s.bo, method)
	}
	s.ref = mainRef
	if tagged {
		s.ref = "refs/tags/v1.0.0"
		s.Push(s.repo, s.ana, s.ref, s.head)
	}
	s.job = s.StartJob(s.repo, forgetest.JobSpec{Ref: s.ref, Workflow: "release", Actor: s.ana})
	s.restart()
	return s
}

// restart opens the adapter anew: it remembers nothing but what a gate that starts looks at
// first, the policy of each of its repositories.
func (s *story) restart() {
	s.tb.Helper()
	s.tally = &tally{calls: map[string]int{}}
	f, err := gitlab.New(gitlab.Config{
		Forge: "gl", URL: s.URL(), Token: s.BotToken(), WebhookSecret: []byte(secret),
		Client: &http.Client{Transport: s.tally}, Now: time.Now,
	})
	if err != nil {
		s.tb.Fatal(err)
	}
	s.forge = f
	if _, err := f.PolicyFile(context.Background(), s.id()); err != nil {
		s.tb.Fatal(err)
	}
	s.tally.forget()
}

// live plays the life of one request for main's head and counts its calls: the ask,
// two readings of the evidence, the comment that approves, and all posts. The policy is
// not among them: it is looked at when the default branch moves.
func (s *story) live(request string) int {
	s.tb.Helper()
	ctx := context.Background()
	said := s.AddComment(s.change, s.bo, "/countersign approve")
	ref := gate.CommentRef{Repository: s.id(), Thread: gate.Thread{Number: s.change.Number}, ID: said.ID}
	before := s.Requests()
	s.ask(ctx)
	r := s.request(s.ref, s.head)
	needs := gate.Needs{Branches: []gate.Matcher{main{}}, Since: []string{s.base}, Candidates: true}
	s.complete(s.forge.Evidence(ctx, r, needs))
	post := gate.Post{
		Request: request, Key: request, Repository: s.id(), Commit: s.head, Context: "countersign/" + request,
		URL: "https://gate.example/" + request, Thread: ref.Thread, Comment: ref,
	}
	known := map[gate.PostTarget]string{}
	tell := func(target gate.PostTarget, state gate.PostState, text string) {
		p := post
		p.Target, p.State, p.Title, p.Body, p.Reaction, p.Known = target, state, text, text, text, known[target]
		id, err := s.forge.Post(ctx, p)
		if err != nil {
			s.tb.Fatalf("%s %s: %v", target, text, err)
		}
		known[target] = id
	}
	tell(gate.PostStatus, gate.PostPending, "waiting")
	tell(gate.PostComment, gate.PostPending, "waiting")
	if _, ok := s.forge.Comment(ctx, ref).Get(); !ok {
		s.tb.Fatal("the comment is not known")
	}
	needs.Thread, needs.ThreadSince = ref.Thread, said.Created
	needs.Comments, needs.Accounts = []gate.CommentRef{ref}, []gate.AccountID{{Forge: "gl", ID: s.bo.ID}}
	ev := s.forge.Evidence(ctx, r, needs)
	s.complete(ev)
	if c, ok := ev.Comments[ref].Get(); !ok || c.Edited {
		s.tb.Fatalf("the comment, read again: %+v", ev.Comments[ref])
	}
	tell(gate.PostStatus, gate.PostSuccess, "signed")
	tell(gate.PostComment, gate.PostSuccess, "signed")
	tell(gate.PostReaction, gate.PostSuccess, "rocket")
	return s.Requests() - before
}

func (s *story) ask(ctx context.Context) {
	s.tb.Helper()
	if _, err := s.forge.Run(ctx, gate.Workload{
		Repository: s.id(), Ref: s.ref, Commit: s.head, RunID: s.job.RunID, JobID: s.job.ID,
	}); err != nil {
		s.tb.Fatal(err)
	}
}

// complete checks that a reading left nothing out.
func (s *story) complete(ev gate.Evidence) {
	s.tb.Helper()
	changes, ok := ev.Changes.Get()
	if !ok || len(changes) != 5 {
		s.tb.Fatalf("changes: expected 5, got %d: %s", len(changes), ev.Changes.Why())
	}
	for _, c := range changes {
		reviews, read := c.Reviews.Get()
		if !read || len(reviews) != 1 || reviews[0].Commit != c.Head || !reviews[0].Role.IsKnown() {
			s.tb.Fatalf("%s: reviews %+v", c.Title, c.Reviews)
		}
		if pushers, read := c.Pushers.Get(); !read || len(pushers) == 0 {
			s.tb.Fatalf("%s: pushers %+v", c.Title, c.Pushers)
		}
		for _, commit := range c.Commits {
			if len(commit.People) == 0 && !commit.ByForge {
				s.tb.Fatalf("%s: nobody on %s", c.Title, commit.SHA)
			}
			for _, p := range commit.People {
				if !p.Account.IsKnown() {
					s.tb.Fatalf("%s: %s of %s is not known: %s", c.Title, p.Part, commit.SHA, p.Account.Why())
				}
			}
		}
	}
	b, ok := ev.Branch.Get()
	if !ok || !b.Protection.IsKnown() || !ev.Ref.IsKnown() || !ev.Commit.IsKnown() {
		s.tb.Fatalf("branch %+v, ref %+v, commit %+v", ev.Branch, ev.Ref, ev.Commit)
	}
}

// making is how the benchmark's release comes about, and the most calls that its whole
// life may take: by a gate that just started, and by one that read its history before.
type making struct {
	name       string
	method     forgetest.MergeMethod
	tagged     bool
	rules      bool // the tag is protected
	cold, warm int
}

func releases() []making {
	return []making{
		{"merge", forgetest.MergeCommit, false, false, 20, 15},
		{"squash", forgetest.Squash, false, false, 20, 15},
		{"merge, by tag", forgetest.MergeCommit, true, false, 23, 19},
		{"squash, by tag", forgetest.Squash, true, false, 23, 19},
		{"merge, by protected tag", forgetest.MergeCommit, true, true, 25, 21},
	}
}

// BenchmarkCallsPerRelease counts GitLab calls in the life of a release of 30 commits
// in 5 merge requests.
func BenchmarkCallsPerRelease(b *testing.B) {
	for _, row := range releases() {
		b.Run(row.name, func(b *testing.B) {
			cold, warm, n := 0, 0, 0
			for b.Loop() {
				n++
				s := newStory(b, row.method, row.tagged) // a thread grows with each release that is told in it
				if row.rules {
					s.Protect(s.repo, forgetest.Protection{Ref: "refs/tags/v*"})
				}
				cold += s.live(fmt.Sprintf("cold%d", n))
				warm += s.live(fmt.Sprintf("warm%d", n))
			}
			b.ReportMetric(float64(cold)/float64(n), "calls-cold")
			b.ReportMetric(float64(warm)/float64(n), "calls-warm")
		})
	}
}

// TestCallsPerRelease keeps the number of calls from growing unnoticed.
func TestCallsPerRelease(t *testing.T) {
	for _, row := range releases() {
		s := newStory(t, row.method, row.tagged)
		if row.rules {
			s.Protect(s.repo, forgetest.Protection{Ref: "refs/tags/v*"})
		}
		cold, first := s.live("cold"), s.tally.String()
		s.tally.calls = map[string]int{}
		warm := s.live("warm")
		t.Logf("%s: %d cold, %d warm\ncold:%s\nwarm:%s", row.name, cold, warm, first, s.tally)
		if cold > row.cold || warm > row.warm {
			t.Errorf("%s: expected at most %d calls cold and %d warm, got %d and %d", row.name, row.cold, row.warm, cold, warm)
		}
	}
}
