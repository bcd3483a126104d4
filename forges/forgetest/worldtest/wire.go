package worldtest

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/countersign/countersign/forges/forgetest"
)

// inbox receives webhooks.
type inbox struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	bodies []string
}

func newInbox(t *testing.T) *inbox {
	t.Helper()
	in := &inbox{status: http.StatusAccepted}
	in.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		in.mu.Lock()
		defer in.mu.Unlock()
		if err == nil {
			in.bodies = append(in.bodies, string(body))
		}
		w.WriteHeader(in.status)
	}))
	t.Cleanup(in.Close)
	return in
}

// take returns what came since the last call.
func (in *inbox) take() []string {
	in.mu.Lock()
	defer in.mu.Unlock()
	out := in.bodies
	in.bodies = nil
	return out
}

func (in *inbox) answer(status int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.status = status
}

func webhooks(t *testing.T, s *stage) {
	in := newInbox(t)
	s.push(s.ana, "before", "a")
	s.DeliverTo(in.URL, "a secret of the hook")
	s.Settle()
	if got := in.take(); len(got) != 0 {
		t.Errorf("before a webhook was configured: got %d deliveries, want none", len(got))
	}
	var change forgetest.Change
	var comment forgetest.Comment
	for _, row := range []struct {
		name string
		do   func()
		want string // is somewhere in a payload
	}{
		{"a push", func() { s.push(s.ana, "topic", "b") }, "refs/heads/topic"},
		{"a tag", func() { s.Push(s.repo, s.ana, "refs/tags/v1", s.Head(s.repo, "refs/heads/topic")) }, "v1"},
		{"a change", func() {
			change = s.OpenChange(s.repo, s.ana, forgetest.ChangeSpec{Title: "A fine change", Source: "topic"})
		}, "A fine change"},
		{"a comment", func() { comment = s.AddComment(change, s.bo, "A fine comment") }, "A fine comment"},
		{"an edit", func() { s.EditComment(comment, s.bo, "Another comment") }, "Another comment"},
		{"a merge", func() { s.Merge(change, s.bo, forgetest.MergeCommit) }, "refs/heads/main"},
	} {
		row.do()
		s.Settle()
		if got := in.take(); !strings.Contains(strings.Join(got, "\n"), row.want) {
			t.Errorf("%s: got %d deliveries without %q", row.name, len(got), row.want)
		}
	}
}

func redelivery(t *testing.T, s *stage) {
	in := newInbox(t)
	s.DeliverTo(in.URL, "a secret of the hook")
	in.answer(http.StatusInternalServerError)
	change := s.open(s.ana, "topic")
	s.Settle()
	in.take()
	s.AddComment(change, s.bo, "lost")
	s.Settle()
	first := in.take()
	in.answer(http.StatusAccepted)
	s.Redeliver(1)
	s.Settle()
	again := in.take()
	if len(first) == 0 || len(again) != 1 || again[0] != first[len(first)-1] {
		t.Errorf("redelivery: got %d deliveries, want the newest once more, unchanged", len(again))
	}
}

// answer is what the API said; status -1 where nothing came.
type answer struct {
	status int
	header http.Header
	body   string
}

// ask asks for a path of the API without a credential.
func (s *stage) ask(method, path string) answer {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.APIURL()+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return answer{status: -1}
	}
	body, err := io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		return answer{status: -1}
	}
	return answer{res.StatusCode, res.Header, string(body)}
}

func (s *stage) status(method, path string) int {
	s.t.Helper()
	return s.ask(method, path).status
}

func faults(t *testing.T, s *stage) {
	normal := s.status("GET", "/user")
	restore := s.Fail(forgetest.Fault{Status: 503})
	if got := s.status("GET", "/user"); got != 503 {
		t.Errorf("every path: got %d, want 503", got)
	}
	restore()
	if got := s.status("GET", "/user"); got != normal {
		t.Errorf("restored: got %d, want %d", got, normal)
	}
	defer s.Fail(forgetest.Fault{
		Path: "/user", Method: "GET", Status: 429, Body: `{"half":`, Header: map[string]string{"Retry-After": "7"},
	})()
	if got := s.ask("GET", "/user"); got.status != 429 || got.body != `{"half":` || got.header.Get("Retry-After") != "7" {
		t.Errorf("fault with a body and a header: got %+v", got)
	}
	if got := s.status("POST", "/user"); got == 429 {
		t.Error("another method: expected the forge's own answer")
	}
	if got := s.status("GET", "/projects"); got == 429 {
		t.Error("another path: expected the forge's own answer")
	}
}

func countedFaults(t *testing.T, s *stage) {
	normal, before := s.status("GET", "/user"), s.Requests()
	restore := s.Fail(forgetest.Fault{Path: "/user", Status: 500, Times: 2})
	got := []int{s.status("GET", "/user"), s.status("GET", "/user"), s.status("GET", "/user")}
	if got[0] != 500 || got[1] != 500 || got[2] != normal {
		t.Errorf("two failures: got %v, then want %d", got, normal)
	}
	if counted := s.Requests() - before; counted != 3 {
		t.Errorf("requests: got %d, want 3", counted)
	}
	restore()
}

func dropped(t *testing.T, s *stage) {
	restore := s.Fail(forgetest.Fault{Path: "/user", Status: 0})
	if got := s.status("POST", "/user"); got != -1 {
		t.Errorf("dropped connection: got %d, want no answer", got)
	}
	restore()
	if got := s.status("GET", "/user"); got == -1 {
		t.Error("restored: expected an answer")
	}
}
