package githubtest

import (
	"net/http"
	"slices"
	"strings"

	"github.com/countersign/countersign/forges/forgetest"
)

// fault is one forgetest.Fault in force; used counts its firings.
type fault struct {
	forgetest.Fault
	used int
}

// Fail makes matching requests fail until the returned function is called. A fault
// without a path means the API only; one with a path reaches the issuer too.
func (s *Server) Fail(f forgetest.Fault) (restore func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	entry := &fault{Fault: f}
	s.faults = append(s.faults, entry)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.faults = slices.DeleteFunc(s.faults, func(x *fault) bool { return x == entry })
	}
}

// fault returns the fault that this request runs into, or nil, and counts it.
func (s *Server) fault(r *http.Request) *fault {
	for _, f := range s.faults {
		switch {
		case f.Times > 0 && f.used >= f.Times,
			f.Method != "" && f.Method != r.Method,
			!strings.Contains(r.URL.EscapedPath(), f.Path),
			f.Path == "" && !isAPI(r.URL.Path):
			continue
		}
		f.used++
		return f
	}
	return nil
}

// write answers with the fault; status 0 drops the connection without an answer.
func (f *fault) write(w http.ResponseWriter) {
	if f.Status == 0 {
		panic(http.ErrAbortHandler)
	}
	rep := problem(f.Status, http.StatusText(f.Status))
	if f.Body != "" {
		rep.raw = []byte(f.Body)
	}
	rep.header = http.Header{}
	for name, value := range f.Header {
		rep.header.Set(name, value)
	}
	rep.write(w)
}
