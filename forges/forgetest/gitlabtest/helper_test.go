package gitlabtest_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/xanzy/go-gitlab"
	"go.uber.org/goleak"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
)

// key is made once: it is what takes longest to start a GitLab.
var key = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// team is a GitLab with one project and three people in it.
type team struct {
	*gitlabtest.Server
	repo           forgetest.Repository
	ana, ben, root forgetest.Person
	api            *gitlab.Client //nolint:staticcheck // the library that the gate uses
}

func newTeam(t *testing.T, opts gitlabtest.Options) *team {
	t.Helper()
	opts.Key = key()
	s := gitlabtest.New(opts)
	t.Cleanup(s.Close)
	team := &team{Server: s, ana: s.AddPerson("ana"), ben: s.AddPerson("ben"), root: s.AddPerson("root")}
	team.repo = s.AddRepository("acme/app")
	s.SetRole(team.repo, team.ana, forgetest.RoleWrite)
	s.SetRole(team.repo, team.ben, forgetest.RoleMaintain)
	s.SetRole(team.repo, team.root, forgetest.RoleAdmin)
	team.api = client(t, s, s.BotToken())
	return team
}

// client is go-gitlab as the gate configures it: no retries, no kept connections.
func client(t *testing.T, s *gitlabtest.Server, token string) *gitlab.Client { //nolint:staticcheck // as above
	t.Helper()
	c, err := gitlab.NewClient(token, gitlab.WithBaseURL(s.APIURL()), gitlab.WithCustomRetryMax(0), //nolint:staticcheck // as above
		gitlab.WithHTTPClient(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}))
	must(t, err)
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// call makes a raw request with the bot's token.
func (team *team) call(t *testing.T, method, path, body string) (*http.Response, []byte) {
	t.Helper()
	return team.callAs(t, team.BotToken(), method, path, body)
}

func (team *team) callAs(t *testing.T, token, method, path, body string) (*http.Response, []byte) {
	t.Helper()
	base := team.APIURL()
	if strings.HasPrefix(path, "/api/") {
		base = team.URL()
	}
	req, err := http.NewRequestWithContext(t.Context(), method, base+path, strings.NewReader(body))
	must(t, err)
	req.Header.Set("PRIVATE-TOKEN", token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	hc := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	res, err := hc.Do(req)
	must(t, err)
	defer func() { _ = res.Body.Close() }()
	content, err := io.ReadAll(res.Body)
	must(t, err)
	return res, content
}

// branch pushes a new branch with one commit per author.
func (team *team) branch(name string, by forgetest.Person, authors ...forgetest.Person) string {
	sha := team.Head(team.repo, "refs/heads/main")
	for i, author := range authors {
		sha = team.Commit(team.repo, forgetest.CommitSpec{
			Parents: []string{sha}, Author: author, Message: name + " by " + author.Login,
			Files: map[string][]byte{name + ".txt": {byte('0' + i)}},
		})
	}
	team.Push(team.repo, by, "refs/heads/"+name, sha)
	return sha
}

// example is an answer or payload from go-gitlab's own test data.
func example(t *testing.T, name string) map[string]any {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/xanzy/go-gitlab").Output()
	must(t, err)
	content, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "testdata", name))
	must(t, err)
	var out map[string]any
	must(t, json.Unmarshal(content, &out))
	return out
}

// covers reports members of the example that ours lacks, but for those named.
func covers(t *testing.T, path string, ours, theirs any, except ...string) {
	t.Helper()
	want, ok := theirs.(map[string]any)
	if !ok {
		return
	}
	have, ok := ours.(map[string]any)
	if !ok {
		return // null, where the example has a value
	}
	skip := map[string]bool{}
	for _, name := range except {
		skip[name] = true
	}
	for name, value := range want {
		at := path + "." + name
		if skip[at] {
			continue
		}
		if _, ok := have[name]; !ok {
			t.Errorf("%s: expected the member that GitLab has", at)
			continue
		}
		covers(t, at, have[name], value, except...)
	}
}

func object(t *testing.T, content []byte) map[string]any {
	t.Helper()
	var out map[string]any
	if err := json.Unmarshal(content, &out); err != nil {
		t.Fatalf("%v in %s", err, content)
	}
	return out
}

// received is one webhook as a gate would read it.
type received struct {
	header http.Header
	body   []byte
}

// inbox is a webhook receiver.
type inbox struct {
	url string

	mu     sync.Mutex
	status int
	got    []received
}

func newInbox(t *testing.T) *inbox {
	t.Helper()
	in := &inbox{status: http.StatusAccepted}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		in.mu.Lock()
		defer in.mu.Unlock()
		in.got = append(in.got, received{header: r.Header.Clone(), body: body})
		w.WriteHeader(in.status)
	}))
	t.Cleanup(server.Close)
	in.url = server.URL
	return in
}

func (in *inbox) answer(status int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.status = status
}

func (in *inbox) all() []received {
	in.mu.Lock()
	defer in.mu.Unlock()
	return append([]received{}, in.got...)
}

// events are the X-Gitlab-Event headers so far.
func (in *inbox) events() string {
	var out []string
	for _, r := range in.all() {
		out = append(out, r.header.Get("X-Gitlab-Event"))
	}
	return strings.Join(out, ", ")
}
