package github_test

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/adaptertest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
	"github.com/countersign/countersign/forges/github"
	"github.com/countersign/countersign/gate"
)

// forgetful loses answers to what it was told to lose, after GitHub did it.
type forgetful struct {
	next http.RoundTripper
	mu   sync.Mutex
	lose int // POSTs below the repository
}

func (f *forgetful) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := f.next.RoundTrip(req)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil || f.lose == 0 || req.Method != http.MethodPost || !strings.Contains(req.URL.Path, "/repos/") {
		return resp, err
	}
	f.lose--
	_ = resp.Body.Close() // nobody reads it
	return nil, errors.New("the answer was lost")
}

// TestFirstPosts are posts after a reading that saw nothing of the gate's where they go: they
// are made without another look, and yet never twice.
func TestFirstPosts(t *testing.T) {
	type scene struct {
		*team
		clock     time.Time
		transport *forgetful
		posts     []gate.Post
	}
	begin := func(t *testing.T) *scene {
		t.Helper()
		s := &scene{team: newTeam(t, githubtest.Options{}), clock: time.Now()}
		change, _ := s.open(s.ana, "topic")
		s.AddComment(change, s.cy, "Nice")
		s.Merge(change, s.bo, forgetest.MergeCommit)
		client := quick(t, s.Server)
		s.transport = &forgetful{next: client.Transport}
		client.Transport = s.transport
		f, err := github.New(github.Config{
			Forge: adaptertest.ForgeID, URL: s.URL(), APIURL: s.APIURL(), AppID: s.AppID(), PrivateKey: s.AppPrivateKey(),
			WebhookSecret: []byte(secret), Client: client, Now: func() time.Time { return s.clock },
		})
		if err != nil {
			t.Fatal(err)
		}
		s.forge = f
		s.evidence()
		base := gate.Post{
			Request: "r1", Key: "r1", Repository: s.id(), Commit: s.Head(s.repo, mainRef), Context: "countersign/release",
			Thread: gate.Thread{Number: change.Number}, State: gate.PostPending, Title: "waiting", Body: "waiting",
		}
		for _, target := range []gate.PostTarget{gate.PostComment, gate.PostCheck} {
			p := base
			p.Target = target
			s.posts = append(s.posts, p)
		}
		return s
	}
	post := func(s *scene, by *github.Forge) (failed int) {
		s.t.Helper()
		for _, p := range s.posts {
			if _, err := by.Post(s.t.Context(), p); err != nil {
				failed++
			}
		}
		return failed
	}
	holdsOne := func(s *scene) {
		s.t.Helper()
		comments := 0
		for _, c := range s.Comments(forgetest.Change{Repository: s.repo, Number: s.posts[0].Thread.Number}) {
			if strings.Contains(c.Body, "countersign:request") {
				comments++
			}
		}
		checks := 0
		for _, x := range s.AllChecks(s.repo, s.posts[0].Commit) {
			if x == "countersign/release" {
				checks++
			}
		}
		if comments != 1 || checks != 1 {
			s.t.Errorf("got %d comments and %d check runs, want one of each", comments, checks)
		}
	}
	t.Run("are made without another look", func(t *testing.T) {
		s := begin(t)
		before := s.Requests()
		if failed := post(s, s.forge); failed != 0 || s.Requests()-before != 2 {
			t.Errorf("got %d failures in %d calls, want none in two", failed, s.Requests()-before)
		}
		holdsOne(s)
	})
	t.Run("whose answer was lost are found again", func(t *testing.T) {
		s := begin(t)
		s.transport.lose = 2
		if failed := post(s, s.forge); failed != 2 {
			t.Fatalf("got %d failures, want two", failed)
		}
		if failed := post(s, s.forge); failed != 0 {
			t.Errorf("again: got %d failures, want none", failed)
		}
		holdsOne(s)
	})
	t.Run("that another replica made meanwhile are found", func(t *testing.T) {
		s := begin(t)
		if failed := post(s, connect(t, s.Server)); failed != 0 {
			t.Fatalf("got %d failures, want none", failed)
		}
		s.clock = s.clock.Add(5 * time.Second) // no post is tried again before
		if failed := post(s, s.forge); failed != 0 {
			t.Errorf("got %d failures, want none", failed)
		}
		holdsOne(s)
	})
	t.Run("of a release that was posted about before are found", func(t *testing.T) {
		s := begin(t)
		if failed := post(s, connect(t, s.Server)); failed != 0 {
			t.Fatalf("got %d failures, want none", failed)
		}
		s.forge = connect(t, s.Server)
		s.evidence()
		if failed := post(s, s.forge); failed != 0 {
			t.Errorf("got %d failures, want none", failed)
		}
		holdsOne(s)
	})
}
