package gitlab_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/countersign/countersign/forges"
	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
	"github.com/countersign/countersign/gate"
)

// attack 70: an answer that would take all the memory there is, decoded, is unread
func TestAnswersThatHoldTooMuch(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	s.tag(s.base)
	long := "[" + strings.Repeat("0,", 4*forges.MaxValues) + "0]"
	for name, body := range map[string]string{
		"a list": long, "a list in a field": `{"data":{"x":` + long + `}}`, "objects": "[" + strings.Repeat("{},", forges.MaxValues) + "{}]",
		"depth": strings.Repeat(`{"data":`, forges.MaxDepth+1) + "0" + strings.Repeat("}", forges.MaxDepth+1),
	} {
		t.Run(name, func(t *testing.T) {
			restore := s.Fail(forgetest.Fault{Status: http.StatusOK, Body: body})
			ev := s.forge.Evidence(t.Context(), s.request("refs/tags/v1.0.0", s.base), s.needs())
			_, err := s.forge.PolicyFile(t.Context(), s.id())
			restore()
			for what, f := range map[string]gate.Fact[bool]{
				"repository": state(ev.Repository), "ref": state(ev.Ref), "changes": state(ev.Changes), "candidates": state(ev.Candidates),
			} {
				if !f.IsUnknown() || !strings.Contains(f.Why(), "holds too much: expected at most") {
					t.Errorf("%s: %+v", what, f)
				}
			}
			if gate.KindOf(err) != gate.Unavailable {
				t.Errorf("policy file: %v", err)
			}
		})
	}
	if !s.forge.Evidence(t.Context(), s.request("refs/tags/v1.0.0", s.base), s.needs()).Ref.IsKnown() {
		t.Error("without the fault the ref is not known")
	}
}

// The owner is a person's account or a group, in REST as in GraphQL.
func TestKindOfOwner(t *testing.T) {
	for _, path := range []string{"", "/api/graphql"} {
		s := newStage(t, gitlabtest.Options{})
		if path != "" {
			s.Fail(forgetest.Fault{Path: path, Status: http.StatusInternalServerError})
		}
		for name, person := range map[string]bool{"acme/other": false, "ana/own": true} {
			s.repo = s.AddRepository(name)
			head := s.Head(s.repo, mainRef)
			ev := s.forge.Evidence(t.Context(), s.request(mainRef, head), gate.Needs{Branches: []gate.Matcher{main{}}, Since: []string{head}})
			if r := must(t, "repository", ev.Repository); r.OwnerIsUser != person || r.Owner.ID <= 0 {
				t.Errorf("%s, fault at %q: got %+v", name, path, r)
			}
			file, err := s.forge.PolicyFile(t.Context(), s.id())
			if gate.CodeOf(err) != gate.CodePolicyMissing {
				t.Errorf("policy file: %+v, %v", file, err)
			}
		}
	}
}
