package gitlab_test

import (
	"errors"
	"net"
	"net/http"
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

// together is how many calls one reading has under way at most.
const together = 4

// hush lets some calls through; from then on nobody answers.
type hush struct {
	mu           sync.Mutex
	left, unsaid int
	refuse       bool // at once, instead of never
}

func (h *hush) RoundTrip(r *http.Request) (*http.Response, error) {
	h.mu.Lock()
	h.left--
	silent := h.left < 0
	if silent {
		h.unsaid++
	}
	h.mu.Unlock()
	switch {
	case !silent:
		return http.DefaultTransport.RoundTrip(r)
	case h.refuse:
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	}
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// attack 70: whoever never answers is asked once, not for every fact anew
func TestSilentForge(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	c := s.change(s.ana, "feature")
	said := s.AddComment(c, s.bo, "/countersign approve")
	sha := s.Merge(c, s.bo, forgetest.MergeCommit)
	s.tag(sha)
	ref := gate.CommentRef{Repository: s.id(), Thread: gate.Thread{Number: c.Number}, ID: said.ID}
	needs := s.needs()
	needs.Comments, needs.Thread = []gate.CommentRef{ref}, ref.Thread
	for _, row := range []struct {
		name     string
		answered int
		refuse   bool
		timeout  time.Duration
		why      string // of everything, where nothing was answered
	}{
		{"never a word", 0, false, 50 * time.Millisecond, "GitLab did not answer in time"},
		{"silent in the middle", 4, false, 200 * time.Millisecond, ""},
		{"silent near the end", 9, false, 200 * time.Millisecond, ""},
		{"no connection", 0, true, time.Minute, "GitLab could not be reached"},
		{"no connection after one", 1, true, time.Minute, ""},
		{"no connection in the middle", 5, true, time.Minute, ""},
		{"no connection near the end", 11, true, time.Minute, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := &hush{left: row.answered, refuse: row.refuse}
			f := through(t, s, forges.Options{Tries: 1, Timeout: row.timeout, Transport: h})
			ev := f.Evidence(t.Context(), s.request("refs/tags/v1.0.0", sha), needs)
			certain := row.refuse || row.answered == 0 // else a slow machine may be silent before
			if h.unsaid > together || (certain && h.unsaid == 0) {
				t.Errorf("%d calls without an answer, expected 1 to %d", h.unsaid, together)
			}
			if ev.Changes.IsKnown() && ev.Candidates.IsKnown() && ev.Thread.IsKnown() && ev.Ref.IsKnown() && ev.TagProtection.IsKnown() {
				t.Error("everything is known")
			}
			for what, why := range map[string]string{
				"repository": ev.Repository.Why(), "ref": ev.Ref.Why(), "changes": ev.Changes.Why(), "comment": ev.Comments[ref].Why(),
			} {
				if !strings.Contains(why, row.why) {
					t.Errorf("%s: got %q, want %q", what, why, row.why)
				}
			}
		})
	}
}

// through opens the adapter with a client of its own.
func through(t *testing.T, s *stage, o forges.Options) *gitlab.Forge {
	t.Helper()
	o.Bases = []string{s.URL()}
	client, err := forges.NewClient(o)
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

// A connection that broke off says nothing about the next call.
func TestBrokenConnectionIsNoSilence(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	s.tag(s.base)
	restore := s.Fail(forgetest.Fault{Path: "/repository/tags/"})
	ev := s.forge.Evidence(t.Context(), s.request("refs/tags/v1.0.0", s.base), s.needs())
	if !ev.Ref.IsUnknown() || !ev.Repository.IsKnown() || !ev.TagProtection.IsKnown() && !ev.TagProtection.IsAbsent() {
		t.Errorf("ref %+v, repository %+v, tag protection %+v", ev.Ref, ev.Repository, ev.TagProtection)
	}
	restore()
	after := s.forge.Evidence(t.Context(), s.request("refs/tags/v1.0.0", s.base), s.needs())
	must(t, "ref", after.Ref)
}
