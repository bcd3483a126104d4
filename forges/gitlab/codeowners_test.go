package gitlab_test

import (
	"testing"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
	"github.com/countersign/countersign/gate"
)

func (s *stage) ownersAt(since ...string) gate.Fact[gate.OwnersFile] {
	s.t.Helper()
	needs := s.needs()
	needs.Owners, needs.Since, needs.Candidates = true, since, false
	return s.forge.Evidence(s.t.Context(), s.request(mainRef, s.Head(s.repo, mainRef)), needs).Owners
}

// attack 77: the file counts as of the last release, whatever the range makes of it
func TestCodeOwners(t *testing.T) {
	for want, files := range map[string]map[string]string{
		"":                   {"src/CODEOWNERS": "* @cy"},
		"CODEOWNERS":         {"CODEOWNERS": "* @ana", "docs/CODEOWNERS": "* @bo", ".gitlab/CODEOWNERS": "* @cy"},
		"docs/CODEOWNERS":    {"docs/CODEOWNERS": "* @bo", ".gitlab/CODEOWNERS": "* @cy"},
		".gitlab/CODEOWNERS": {".gitlab/CODEOWNERS": "* @cy"},
	} {
		s := newStage(t, gitlabtest.Options{})
		all := map[string][]byte{}
		for path, content := range files {
			all[path] = []byte(content)
		}
		base := s.Commit(s.repo, forgetest.CommitSpec{Author: s.ana, Message: "Name owners", Files: all})
		s.Push(s.repo, s.ana, mainRef, base)
		s.Push(s.repo, s.ana, mainRef, s.Commit(s.repo, forgetest.CommitSpec{
			Author: s.ana, Message: "Own it all", Parents: []string{base}, Files: map[string][]byte{"CODEOWNERS": []byte("* @ana @mallory")},
		}))
		got := s.ownersAt(base)
		if want == "" {
			if !got.IsAbsent() {
				t.Errorf("no file: %+v", got)
			}
			continue
		}
		f := must(t, want, got)
		if f.Path != want || f.Commit != base || string(f.Content) != files[want] {
			t.Errorf("expected %s as of the base, got %+v: %s", want, f, f.Content)
		}
		before := s.Requests()
		must(t, want, s.ownersAt(base))
		first := s.Requests() - before
		restore := s.Fail(forgetest.Fault{Path: "/repository/files/", Status: 500})
		must(t, "what a commit holds never changes", s.ownersAt(base))
		restore()
		if first > 8 {
			t.Errorf("%d requests", first)
		}
	}
}

func TestCodeOwnersThatCannotBeRead(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	for _, f := range []forgetest.Fault{{Status: 500}, {Status: 403}, {Status: 200, Body: "null"}, {Status: 200, Body: `{"encoding":"text"}`}, {}} {
		f.Path = "/repository/files/"
		restore := s.Fail(f)
		if got := s.ownersAt(s.base); !got.IsUnknown() || got.Why() == "" {
			t.Errorf("%d %s: %+v", f.Status, f.Body, got)
		}
		restore()
	}
	for name, since := range map[string][]string{
		"no baseline": nil, "a baseline that is not there": {"0123456789012345678901234567890123456789"}, "no commit": {"main"},
	} {
		if got := s.ownersAt(since...); !got.IsUnknown() {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
