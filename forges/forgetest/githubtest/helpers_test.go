package githubtest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-github/v62/github"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
	"github.com/countersign/countersign/forges/forgetest/githubtest/githubschema"
)

// team is a small forge: ana maintains acme/widget, bo writes, cy reads, dan is nobody.
type team struct {
	*githubtest.Server
	t                *testing.T
	repo             forgetest.Repository
	ana, bo, cy, dan forgetest.Person
	token            string
	client           *github.Client
}

func newTeam(t *testing.T, opts githubtest.Options) *team {
	t.Helper()
	s := githubtest.New(opts)
	t.Cleanup(s.Close)
	githubschema.Validate(t, s)
	w := &team{Server: s, t: t, repo: s.AddRepository("acme/widget")}
	w.ana, w.bo, w.cy, w.dan = s.AddPerson("ana"), s.AddPerson("bo"), s.AddPerson("cy"), s.AddPerson("dan")
	s.SetRole(w.repo, w.ana, forgetest.RoleMaintain)
	s.SetRole(w.repo, w.bo, forgetest.RoleWrite)
	s.SetRole(w.repo, w.cy, forgetest.RoleRead)
	w.token = s.InstallationToken(w.repo)
	w.client = w.as(w.token)
	return w
}

func (w *team) as(token string) *github.Client {
	w.t.Helper()
	client, err := github.NewClient(nil).WithAuthToken(token).WithEnterpriseURLs(w.URL(), w.URL())
	if err != nil {
		w.t.Fatal(err)
	}
	return client
}

// push commits one file by a person on top of parents, and pushes it to a branch.
func (w *team) push(by forgetest.Person, branch, file string, parents ...string) string {
	w.t.Helper()
	sha := w.Commit(w.repo, forgetest.CommitSpec{
		Parents: parents, Author: by, Message: "Change " + file, Files: map[string][]byte{file: []byte(file + by.Login)},
	})
	w.Push(w.repo, by, "refs/heads/"+branch, sha)
	return sha
}

// open makes a branch with one commit and a pull request from it.
func (w *team) open(by forgetest.Person, branch string) (forgetest.Change, string) {
	w.t.Helper()
	sha := w.push(by, branch, branch+".txt")
	return w.OpenChange(w.repo, by, forgetest.ChangeSpec{Title: "Add " + branch, Source: branch}), sha
}

// raw sends one request as it is and returns the answer with its body read.
func (w *team) raw(method, path, body string, header ...string) (*http.Response, string) {
	w.t.Helper()
	url := path
	if !strings.HasPrefix(path, "http") {
		url = w.APIURL() + path
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		if header[i+1] == "" {
			req.Header.Del(header[i])
			continue
		}
		req.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return res, string(got)
}

// get decodes the answer to a GET that must succeed.
func get[T any](w *team, path string) T {
	w.t.Helper()
	res, body := w.raw("GET", path, "")
	var out T
	if res.StatusCode != http.StatusOK {
		w.t.Fatalf("GET %s: got %d %s, want 200", path, res.StatusCode, body)
	}
	if err := json.Unmarshal([]byte(body), &out); err != nil {
		w.t.Fatal(err)
	}
	return out
}

func must[T any](t *testing.T) func(T, *github.Response, error) T {
	return func(v T, _ *github.Response, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
