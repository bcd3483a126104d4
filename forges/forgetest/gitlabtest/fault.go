package gitlabtest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/countersign/countersign/forges/forgetest"
)

// faults are the ways in which requests fail at present.
type faults struct {
	mu     sync.Mutex
	active []*fault
}

type fault struct {
	forgetest.Fault
	left int // 0: no limit
}

// Fail makes matching requests fail. A fault with an empty path hits the API
// alone; one that names a path may also hit the discovery and key documents.
func (s *Server) Fail(f forgetest.Fault) func() {
	added := &fault{Fault: f, left: f.Times}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.active = append(s.faults.active, added)
	return func() { s.faults.remove(added) }
}

func (f *faults) remove(gone *fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.active = slices.DeleteFunc(f.active, func(other *fault) bool { return other == gone })
}

func (f *faults) take(r *http.Request) *fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, active := range f.active {
		if !active.matches(r) {
			continue
		}
		if active.Times > 0 {
			active.left--
			if active.left == 0 {
				f.active = slices.Delete(f.active, i, i+1)
			}
		}
		return active
	}
	return nil
}

func (f *fault) matches(r *http.Request) bool {
	if f.Method != "" && f.Method != r.Method {
		return false
	}
	if f.Path == "" {
		return strings.HasPrefix(r.URL.Path, "/api/")
	}
	return strings.Contains(r.URL.Path, f.Path) || strings.Contains(r.URL.EscapedPath(), f.Path)
}

// serve answers with the fault: dropping the connection, or with the status and
// GitLab's own error body for it.
func (f *fault) serve(w http.ResponseWriter) {
	if f.Status == 0 {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/json")
	for name, value := range f.Header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(f.Status)
	body := f.Body
	if body == "" {
		body = fmt.Sprintf(`{"message":"%d %s"}`, f.Status, http.StatusText(f.Status))
		if f.Status == http.StatusTooManyRequests {
			body = "Retry later\n" // docs: rate limits, the body is plain text
		}
	}
	_, _ = w.Write([]byte(body))
}
