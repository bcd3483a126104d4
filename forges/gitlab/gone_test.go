package gitlab_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
)

// attack 70: one stray 404 does not say that a ref is gone; two answers that agree do
func TestStrayNotFoundOfARef(t *testing.T) {
	const tagRef = "refs/tags/v1.0.0"
	gone := forgetest.Fault{Status: http.StatusNotFound}
	for name, row := range map[string]struct {
		ref     string
		paths   []string // that answer 404
		deleted bool
		absent  bool
	}{
		"a tag's":                        {tagRef, []string{"/repository/tags/"}, false, false},
		"a tag's, and no list of tags":   {tagRef, []string{"/repository/tags"}, false, false},
		"a deleted tag's":                {tagRef, nil, true, true},
		"a deleted tag's, no list":       {tagRef, []string{"/repository/tags"}, true, false},
		"a branch's":                     {"refs/heads/side", []string{"/repository/branches/", "/api/graphql"}, false, false},
		"a deleted branch's":             {"refs/heads/side", nil, true, true},
		"a deleted branch's, no list":    {"refs/heads/side", []string{"/repository/branches"}, true, false},
		"a tag that another's name ends": {"refs/tags/1.0.0", nil, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, gitlabtest.Options{})
			s.tag(s.base)
			s.Push(s.repo, s.ana, "refs/heads/side", s.base)
			if row.deleted {
				s.DeleteRef(s.repo, s.ana, row.ref)
			}
			for _, path := range row.paths {
				gone.Path = path
				s.Fail(gone)
			}
			got := s.forge.Evidence(t.Context(), s.request(row.ref, s.base), s.needs()).Ref
			if got.IsKnown() || got.IsAbsent() != row.absent || got.Why() == "" {
				t.Errorf("expected absent %t, got %+v", row.absent, got)
			}
			if name == "a tag's" && !strings.Contains(got.Why(), "GitLab lists tag v1.0.0, but does not show it") {
				t.Errorf("why: %s", got.Why())
			}
		})
	}
}
