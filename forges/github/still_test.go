package github_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
	"github.com/countersign/countersign/gate"
)

// still is a repository with a merged pull request and a direct push, and how often its
// activity log was asked.
type still struct {
	*team
	change forgetest.Change
	asked  atomic.Int64
	now    time.Time
}

func newStill(t *testing.T) *still {
	t.Helper()
	s := &still{team: newTeam(t, githubtest.Options{}), now: time.Now()}
	s.forge = connectAt(t, s.Server, func() time.Time { return s.now })
	s.change, _ = s.open(s.ana, "topic")
	s.Merge(s.change, s.bo, forgetest.MergeCommit)
	s.push(s.cy, "main", "Straight", s.Head(s.repo, mainRef))
	s.Observe(func(e githubtest.Exchange) {
		if strings.HasSuffix(e.Request.URL.Path, "/activity") {
			s.asked.Add(1)
		}
	})
	return s
}

// pushers are who pushed what, of all changes.
func (s *still) pushers() string {
	s.t.Helper()
	var out []string
	for _, c := range s.changes() {
		for _, a := range known(s.t, "pushers of "+c.Title, c.Pushers) {
			out = append(out, c.Title+" by "+a.Login)
		}
	}
	return fmt.Sprint(out)
}

// reads holds how often one reading asks for the log.
func (s *still) reads(what string, want int64) string {
	s.t.Helper()
	before := s.asked.Load()
	got := s.pushers()
	if n := s.asked.Load() - before; (n > 0) != (want > 0) {
		s.t.Errorf("%s: the log was asked %d times, want %d", what, n, want)
	}
	return got
}

// The log of pushes is asked again once something moved, or an hour later.
func TestLogIsAskedWhereSomethingMoved(t *testing.T) {
	t.Run("nothing moved", func(t *testing.T) {
		s := newStill(t)
		first := s.reads("first", 1)
		if again := s.reads("again", 0); again != first {
			t.Errorf("pushers: got %s, then %s", first, again)
		}
	})
	t.Run("a push between readings is seen", func(t *testing.T) {
		s := newStill(t)
		s.reads("first", 1)
		s.push(s.bo, "main", "Late", s.Head(s.repo, mainRef))
		if got := s.reads("after a push", 1); !strings.Contains(got, "Late by bo") {
			t.Errorf("pushers: got %s, want bo's too", got)
		}
		s.reads("again", 0)
	})
	t.Run("a merge between readings is seen", func(t *testing.T) {
		s := newStill(t)
		s.reads("first", 1)
		change, _ := s.open(s.bo, "second")
		s.Merge(change, s.cy, forgetest.Squash)
		if got := s.reads("after a merge", 1); !strings.Contains(got, "Bring second by bo") {
			t.Errorf("pushers: got %s, want bo's too", got)
		}
	})
	t.Run("a push by force to elsewhere and back adds nobody's content", func(t *testing.T) {
		s := newStill(t)
		first := s.reads("first", 1)
		head := s.Head(s.repo, mainRef)
		s.Push(s.repo, s.bo, mainRef, s.root)
		s.Push(s.repo, s.bo, mainRef, head)
		if got := s.reads("there and back", 0); got != first {
			t.Errorf("pushers: got %s, want %s", got, first)
		}
	})
	t.Run("to elsewhere, and something else", func(t *testing.T) {
		s := newStill(t)
		s.reads("first", 1)
		s.Push(s.repo, s.bo, mainRef, s.root)
		s.push(s.bo, "main", "Instead", s.root)
		if got := s.reads("elsewhere", 1); !strings.Contains(got, "Instead by bo") || strings.Contains(got, "Straight") {
			t.Errorf("pushers: got %s, want bo's alone", got)
		}
	})
	t.Run("what is done to a merged pull request's branch later is none of its pushes", func(t *testing.T) {
		s := newStill(t)
		first := s.reads("first", 1)
		s.push(s.bo, "topic", "Later", s.Head(s.repo, mainRef))
		if got := s.reads("later", 0); got != first {
			t.Errorf("pushers: got %s, want %s", got, first)
		}
	})
	t.Run("an hour later", func(t *testing.T) {
		s := newStill(t)
		first := s.reads("first", 1)
		s.now = s.now.Add(59 * time.Minute)
		s.reads("within the hour", 0)
		s.now = s.now.Add(2 * time.Minute) // an hour from when it was read, not from when it was used
		if got := s.reads("after the hour", 1); got != first {
			t.Errorf("pushers: got %s, want %s", got, first)
		}
		s.reads("within the next", 0)
	})
}

// A log that is behind does not stand for the hour.
func TestLogThatIsBehindIsAskedAgain(t *testing.T) {
	s := newStill(t)
	restore := s.Fail(forgetest.Fault{Path: "/activity", Status: 200, Body: "[]"})
	for _, c := range s.changes() {
		if !c.Pushers.IsUnknown() {
			t.Errorf("%s: got %+v, want unknown", c.Title, c.Pushers)
		}
	}
	restore()
	if got := s.reads("once it tells", 1); !strings.Contains(got, "Straight by cy") || !strings.Contains(got, "Bring topic by ana") {
		t.Errorf("pushers: got %s", got)
	}
}

// The owner is a person's account or an organisation, in REST as in GraphQL.
func TestKindOfOwner(t *testing.T) {
	for _, path := range []string{"", "/graphql"} {
		w := newTeam(t, githubtest.Options{})
		if path != "" {
			defer w.Fail(forgetest.Fault{Path: path, Status: 500})()
		}
		for name, person := range map[string]bool{"acme/other": false, "ana/own": true} {
			w.repo = w.AddRepository(name)
			w.root = w.Head(w.repo, mainRef)
			r := known(t, "repository", w.evidence().Repository)
			if r.OwnerIsUser != person || r.Owner.ID != w.repo.OwnerID {
				t.Errorf("%s, fault at %q: got %+v", name, path, r)
			}
			if path != "" {
				continue
			}
			file, err := w.forge.PolicyFile(t.Context(), w.id())
			if gate.CodeOf(err) != gate.CodePolicyMissing {
				t.Errorf("policy file: %+v, %v", file, err)
			}
		}
	}
}
