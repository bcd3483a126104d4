package attacks_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/release"
	"github.com/countersign/countersign/gate/store"
)

// replica is another process over the same database, under the same public URL.
func (s *stage) replica() *stage {
	s.Helper()
	other := *s
	var err error
	other.store, err = store.Open(s.Context(), s.config)
	s.must(err)
	s.Cleanup(func() { _ = other.store.Close() }) // closed before the stage's own
	origin, err := url.Parse(s.server.URL)
	s.must(err)
	other.server = httptest.NewUnstartedServer(nil)
	kind := gate.GitHub
	if s.gl != nil {
		kind = gate.GitLab
	}
	other.open(origin, kind)
	at := other.server.URL
	other.server.URL = s.server.URL // what it is called; the client goes where it is
	other.server.Client().Transport = aimed{at: at}
	return &other
}

// aimed sends every call to one server, whatever its URL.
type aimed struct{ at string }

func (a aimed) RoundTrip(r *http.Request) (*http.Response, error) {
	to, err := url.Parse(a.at)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.URL.Host = to.Host
	return http.DefaultTransport.RoundTrip(r)
}

// adopted is what came of an administrator's adopting a policy.
type adopted struct {
	*stage

	err error
}

// adopts has somebody put a policy file on main, and the administrator adopt it.
func (s *stage) adopts(file string) adopted {
	s.Helper()
	s.policy("eve", file)
	_, err := s.gate.Adopt(s.Context(), release.Adoption{Repository: s.repositoryID(), Baseline: s.Head(s.repo, mainRef), By: "root"})
	return adopted{stage: s, err: err}
}

// policy puts a policy file on main.
func (s *stage) policy(by, file string) {
	s.Helper()
	s.pushed(by, mainRef, s.Commit(s.repo, forgetest.CommitSpec{
		Parents: []string{s.Head(s.repo, mainRef)}, Author: s.who(by), Message: "Change the policy",
		Files: map[string][]byte{".countersign.yaml": []byte(file)},
	}))
}

// refused expects an error of a code whose words hold all of says.
func (a adopted) refused(code gate.Code, says ...string) {
	a.Helper()
	var e *gate.Error
	if !errors.As(a.err, &e) || e.Code != code {
		a.Fatalf("expected %s, got %v", code, a.err)
	}
	words := e.Text + "\n" + e.Expected + "\n" + e.Got + "\n" + e.Fix
	for _, want := range says {
		if !strings.Contains(words, want) {
			a.Errorf("expected the refusal to say %q, got:\n%s", want, words)
		}
	}
}

func (s *stage) repositoryClaim() string {
	if s.gl != nil {
		return "project_id"
	}
	return "repository_id"
}

func (s *stage) deleteRepository() {
	if s.gl != nil {
		s.gl.DeleteRepository(s.repo)
		return
	}
	s.gh.DeleteRepository(s.repo)
}

// rerun is the job run once more, by somebody else.
func (s *stage) rerun(j forgetest.Job, by string) forgetest.Job {
	s.Helper()
	if s.gh != nil {
		return s.gh.Rerun(j, s.who(by))
	}
	return s.job(by, j.Spec.Ref)
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }
