package attacks_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/canonical"
)

// asking is one ask on its way; edits change what an honest job would send.
type asking struct {
	ask    api.Ask
	claims map[string]any // overrides of the ID token's
	token  string         // the whole ID token, where set
	// audience is the ID token's; that of the very ask where empty.
	audience string
}

// built are the subjects of one file with the given content.
func built(content string) []gate.Subject {
	return []gate.Subject{{Name: "widget.tgz", SHA256: gate.SHA256([]byte(content))}}
}

// askOf is what an honest job asks for.
func (s *stage) askOf(j forgetest.Job) api.Ask {
	return api.Ask{
		Repository: s.repositoryID().String(), Ref: j.Spec.Ref, Commit: s.commitOf(j), Subjects: built("what was built"),
	}
}

// ask sends what a job asks for, with its ID token.
func (s *stage) ask(j forgetest.Job, edits ...func(*asking)) answer {
	s.Helper()
	a := asking{ask: s.askOf(j)}
	for _, edit := range edits {
		edit(&a)
	}
	if a.token == "" {
		a.token = s.tokenFor(j, a)
	}
	body, err := json.Marshal(a.ask)
	s.must(err)
	out := s.send(http.MethodPost, "/v1/releases", a.token, body)
	out.job = j
	return out
}

func (s *stage) commitOf(j forgetest.Job) string {
	if j.Spec.SHA != "" {
		return j.Spec.SHA
	}
	return s.Head(s.repo, j.Spec.Ref)
}

// tokenFor mints the ID token with which a job asks.
func (s *stage) tokenFor(j forgetest.Job, a asking) string {
	s.Helper()
	return s.IDToken(j, s.audienceFor(a), a.claims)
}

// audienceFor is what the job of an ask makes its ID token for.
func (s *stage) audienceFor(a asking) string {
	switch {
	case a.audience != "":
		return a.audience
	case s.gh != nil:
		return s.askAudience(a.ask)
	}
	return s.server.URL
}

// askAudience is the audience that names the very ask. What is no ask has some other.
func (s *stage) askAudience(a api.Ask) string {
	host := strings.TrimPrefix(s.server.URL, "http://")
	m, err := canonical.NewManifest(a.Subjects)
	if err != nil {
		return "countersign:" + host + ":ask:none"
	}
	repository, err := gate.ParseRepositoryID(a.Repository)
	if err != nil {
		return "countersign:" + host + ":ask:none"
	}
	hash, err := canonical.AskHash(gate.Ask{
		Server: host, Repository: repository, Ref: a.Ref, Commit: a.Commit, Stream: a.Stream, Manifest: m,
	})
	if err != nil {
		return "countersign:" + host + ":ask:none"
	}
	return canonical.AskAudience(host, hash)
}

// requestToken mints the ID token with which a job looks after a request.
func (s *stage) requestToken(j forgetest.Job, id string) string {
	if s.gl != nil {
		return s.IDToken(j, s.server.URL, nil)
	}
	return s.IDToken(j, canonical.RequestAudience(strings.TrimPrefix(s.server.URL, "http://"), id), nil)
}

// send makes one call with an ID token.
func (s *stage) send(method, path, token string, body []byte) answer {
	s.Helper()
	req, err := http.NewRequestWithContext(s.Context(), method, s.server.URL+path, bytes.NewReader(body))
	s.must(err)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return s.answer(req)
}

func (s *stage) answer(req *http.Request) answer {
	s.Helper()
	resp, err := s.server.Client().Do(req)
	s.must(err)
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	s.must(err)
	return answer{stage: s, status: resp.StatusCode, raw: raw}
}

// answer is what the gate answered.
type answer struct {
	*stage

	status int
	raw    []byte
	job    forgetest.Job
}

// refused expects a problem of a code whose words hold all of says.
func (a answer) refused(code gate.Code, says ...string) {
	a.Helper()
	var p api.Problem
	if err := json.Unmarshal(a.raw, &p); err != nil || a.status < 400 || p.Code != code.String() {
		a.Fatalf("expected refusal %s, got %d %s", code, a.status, a.raw)
	}
	if p.Status != a.status || p.Title == "" || p.Fix == "" {
		a.Errorf("expected a problem that says what to do, got %d %s", a.status, a.raw)
	}
	words := p.Title + "\n" + p.Expected + "\n" + p.Got + "\n" + p.Fix
	for _, want := range says {
		if !strings.Contains(words, want) {
			a.Errorf("expected the refusal to say %q, got:\n%s", want, words)
		}
	}
}

// opened expects the request that the ask opened or joined, judged once.
func (a answer) opened() *request {
	a.Helper()
	var r api.Release
	if err := json.Unmarshal(a.raw, &r); err != nil || a.status != http.StatusAccepted {
		a.Fatalf("expected an open request, got %d %s", a.status, a.raw)
	}
	a.settle()
	return &request{stage: a.stage, id: r.ID, code: r.Code, joined: r.Joined, job: a.job}
}
