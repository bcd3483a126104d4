package gitlab_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
	"github.com/countersign/countersign/forges/gitlab"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/release"
)

var _ release.Watcher = (*gitlab.Forge)(nil)

func number(n int64) string { return strconv.FormatInt(n, 10) }

const policyName = ".countersign.yaml"

// proposal pushes a branch of one commit that makes of the policy file what content says.
func (s *stage) proposal(branch string, files map[string][]byte) forgetest.Change {
	s.t.Helper()
	s.Push(s.repo, s.ana, "refs/heads/"+branch, s.Commit(s.repo, forgetest.CommitSpec{Author: s.ana, Message: branch, Files: files}))
	return s.OpenChange(s.repo, s.ana, forgetest.ChangeSpec{Title: branch, Source: branch})
}

func TestPolicyChange(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	s.Push(s.repo, s.ana, mainRef, s.Commit(s.repo, forgetest.CommitSpec{
		Author: s.ana, Message: "Policy", Files: map[string][]byte{policyName: []byte("version: 1\n")},
	}))
	weaker := map[string][]byte{policyName: []byte("version: 1\nmode: audit\n")}
	wide := map[string][]byte{policyName: []byte("version: 1\nmode: audit\n")}
	for n := range 150 { // more files than one page shows
		wide["a/"+strconv.Itoa(n)] = []byte("x")
	}
	closed := s.proposal("closed", weaker)
	s.CloseChange(closed, s.ana)
	merged := s.proposal("other", map[string][]byte{"x": []byte("x")})
	for name, row := range map[string]struct {
		change  forgetest.Change
		touches bool
		deleted bool
		open    bool
	}{
		"leaves it":           {s.proposal("code", map[string][]byte{"main.go": []byte("x")}), false, false, true},
		"weakens it":          {s.proposal("weaker", weaker), true, false, true},
		"weakens it, widely":  {s.proposal("wide", wide), true, false, true},
		"takes it away":       {s.proposal("gone", map[string][]byte{policyName: nil}), true, true, true},
		"same name elsewhere": {s.proposal("deep", map[string][]byte{"docs/" + policyName: []byte("x")}), false, false, true},
		"closed":              {closed, true, false, false},
		"code alone":          {merged, false, false, true},
	} {
		got, err := s.forge.PolicyChange(t.Context(), s.id(), row.change.Number)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		content := ""
		if row.touches && !row.deleted {
			content = string(weaker[policyName])
		}
		if got.Number != row.change.Number || got.Touches != row.touches || got.Deleted != row.deleted || got.Open != row.open || got.Fork || string(got.Content) != content {
			t.Errorf("%s: %+v: %s", name, got, got.Content)
		}
		if len(got.Head) != 40 {
			t.Errorf("%s: head %q", name, got.Head)
		}
	}
}

func TestPolicyChangeOfAFork(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	fork := s.Fork(s.repo, s.ci, "ci/widget")
	s.SetRole(fork, s.BotUser(), forgetest.RoleNone)
	s.Push(fork, s.ci, "refs/heads/feature", s.Commit(fork, forgetest.CommitSpec{
		Author: s.ci, Message: "Add a policy", Files: map[string][]byte{policyName: []byte("version: 1\n")},
	}))
	c := s.OpenChange(s.repo, s.ci, forgetest.ChangeSpec{Title: "Fork", Source: "feature", From: fork})
	got, err := s.forge.PolicyChange(t.Context(), s.id(), c.Number)
	if err != nil || !got.Fork || !got.Touches || string(got.Content) != "version: 1\n" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestPolicyChangeThatCannotBeRead(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	c := s.proposal("weaker", map[string][]byte{policyName: []byte("version: 1\n")})
	kind := func(what string, err error, want gate.Kind) {
		t.Helper()
		var e *gate.Error
		if !errors.As(err, &e) || e.Kind != want || e.Text == "" {
			t.Errorf("%s: expected kind %v, got %v", what, want, err)
		}
	}
	read := func(r gate.RepositoryID, n int64) error {
		_, err := s.forge.PolicyChange(t.Context(), r, n)
		return err
	}
	kind("no such merge request", read(s.id(), 999), gate.NotFound)
	kind("no such project", read(gate.RepositoryID{Forge: "gl", ID: 9999}, 1), gate.NotFound)
	if read(gate.RepositoryID{Forge: "elsewhere", ID: s.repo.ID}, c.Number) == nil || read(s.id(), 0) == nil {
		t.Error("what cannot be asked for")
	}
	for _, f := range []forgetest.Fault{
		{Path: "/merge_requests/", Status: 500}, {Path: "/repository/files/", Status: 502}, {Path: "/repository/files/", Status: 200, Body: "null"},
		{Path: "/merge_requests/", Status: 200, Body: `{"iid":`}, {Path: "/merge_requests/", Status: 200, Body: `{"iid":1}`}, {Path: "/merge_requests/"},
		{
			Path: "/merge_requests/", Status: 200,
			Body: `{"iid":1,"state":"opened","target_project_id":` + number(s.repo.ID) + `,"sha":"` + strings.Repeat("a", 40) + `","diff_refs":null}`,
		},
	} {
		restore := s.Fail(f)
		kind(f.Path+" "+f.Body, read(s.id(), c.Number), gate.Unavailable)
		restore()
	}
	restore := s.Fail(forgetest.Fault{Path: "/merge_requests/", Status: 403})
	kind("refused", read(s.id(), c.Number), gate.Refused)
	restore()
}
