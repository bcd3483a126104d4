package gitlab_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
	"github.com/countersign/countersign/forges/gitlab"
	"github.com/countersign/countersign/gate"
)

func (s *stage) protection() gate.Protection {
	s.t.Helper()
	ev := s.forge.Evidence(s.t.Context(), s.request(mainRef, s.base), s.needs())
	return must(s.t, "protection", must(s.t, "branch", ev.Branch).Protection)
}

func TestApprovalSettingsAreAmongTheRules(t *testing.T) {
	s := newStage(t, gitlabtest.Options{Premium: true})
	s.Protect(s.repo, forgetest.Protection{Ref: mainRef, Reviews: 2})
	s.SetApprovals(s.repo, gitlabtest.ApprovalSettings{Required: 2, AuthorApproval: true})
	s.ProtectEnvironment(s.repo, gitlabtest.ProtectedEnvironment{
		Name: "production", Deploy: []gitlabtest.AccessLevel{{Level: 40}}, Approvals: 1,
	})
	got := s.protection()
	want := []string{
		`approval rule "All Members": 2`, "approval_rule", "approvals: authors may approve", "approvals: committers may approve",
		"approvals: kept after a push", "approvals: rules may be overwritten in a merge request",
		`environment "production": deployed to by maintainers, 1 approvals`, "protected_branch",
	}
	if !slices.Equal(got.Rules, want) {
		t.Errorf("rules:\n%s\nexpected:\n%s", strings.Join(got.Rules, "\n"), strings.Join(want, "\n"))
	}
	if sources := []string{"protected-branch:main", "approval-settings", "protected-environment:production"}; !slices.Equal(got.Sources, sources) {
		t.Errorf("sources: %q", got.Sources)
	}
	if n := must(t, "reviews", got.Reviews); n != 2 {
		t.Errorf("reviews: %d", n)
	}
	s.SetApprovals(s.repo, gitlabtest.ApprovalSettings{
		Required: 2, DisableCommittersApproval: true, ResetOnPush: true, DisableOverriding: true,
	})
	for _, word := range []string{
		"approvals: authors may not approve", "approvals: committers may not approve", "approvals: removed by a push",
		"approvals: rules fixed for all merge requests",
	} {
		if got := s.protection(); !slices.Contains(got.Rules, word) {
			t.Errorf("expected %q among %q", word, got.Rules)
		}
	}
}

// A tier without approval rules is absent, not unknown, and not asked about every time.
func TestTiersWithoutApprovalRules(t *testing.T) {
	for name, f := range map[string]forgetest.Fault{
		"no such endpoint": {},
		"no licence":       {Status: 403, Body: `{"message":"403 Forbidden - This feature is not available with your license"}`},
	} {
		s := newStage(t, gitlabtest.Options{})
		if f.Status != 0 {
			f.Path = "/projects/" + number(s.repo.ID) + "/approvals"
			defer s.Fail(f)()
		}
		got := s.protection()
		if n := must(t, name, got.Reviews); n != 0 || !got.Bypass.IsAbsent() || !slices.Equal(got.Rules, []string{"protected_branch"}) {
			t.Errorf("%s: %+v", name, got)
		}
		before := s.Requests()
		s.protection()
		second := s.Requests() - before
		before = s.Requests()
		s.forge = open(t, s.Server)
		s.protection()
		if third := s.Requests() - before; third <= second {
			t.Errorf("%s: %d requests by a gate that knows, %d by one that does not", name, second, third)
		}
	}
}

// attack 70: a 403 that does not name the licence is a lack of rights
func TestApprovalSettingsThatCannotBeRead(t *testing.T) {
	s := newStage(t, gitlabtest.Options{Premium: true})
	s.Protect(s.repo, forgetest.Protection{Ref: mainRef, Reviews: 2})
	id := "/projects/" + number(s.repo.ID)
	for _, f := range []forgetest.Fault{{Status: 500}, {Status: 403}, {Status: 200, Body: "{}"}, {Status: 200, Body: "null"}, {}} {
		for path, word := range map[string]string{"/approvals": "approvals: settings not read: ", "/protected_environments": "environments: not read: "} {
			if path == "/protected_environments" && f.Body == "{}" {
				continue
			}
			f.Path = id + path
			restore := s.Fail(f)
			got := s.protection()
			restore()
			if !slices.ContainsFunc(got.Rules, func(r string) bool { return strings.HasPrefix(r, word) }) {
				t.Errorf("%s, %d %s: rules %q", path, f.Status, f.Body, got.Rules)
			}
			if path == "/approvals" && !got.Reviews.IsUnknown() {
				t.Errorf("%d %s: reviews %+v", f.Status, f.Body, got.Reviews)
			}
		}
	}
}

// What an instance's GraphQL does not know is read by other ways, to the same result.
func TestReadingsOfOtherEditions(t *testing.T) {
	read := func(o gitlabtest.Options) (gate.Change, int) {
		s := newStage(t, o)
		c := s.change(s.ana, "feature")
		s.Push(s.repo, s.ana, "refs/heads/feature", s.commit(s.ci, "more", s.Head(s.repo, "refs/heads/feature")))
		s.Review(c, s.bo, forgetest.ReviewApprove)
		s.Merge(c, s.bo, forgetest.Squash)
		s.one(s.needs())
		s.AddComment(c, s.bo, "hello")
		before := s.Requests()
		return s.one(s.needs()), s.Requests() - before
	}
	want, least := read(gitlabtest.Options{})
	for name, o := range map[string]gitlabtest.Options{
		"foss": {WithoutEnterpriseCode: true}, "older": {WithoutRepositoryCommit: true}, "both": {WithoutRepositoryCommit: true, WithoutEnterpriseCode: true},
	} {
		got, calls := read(o)
		if calls > least+3 {
			t.Errorf("%s: %d requests warm, expected about %d", name, calls, least)
		}
		reviews, expected := must(t, name, got.Reviews), must(t, name, want.Reviews)
		if len(got.Commits) != len(want.Commits) || len(reviews) != 1 || reviews[0].Approved != expected[0].Approved || (reviews[0].Commit == "") != (expected[0].Commit == "") {
			t.Errorf("%s: %+v, expected %+v", name, got, want)
		}
		if a, b := authors(got), authors(want); !slices.Equal(a, b) {
			t.Errorf("%s: authors %q and %q", name, a, b)
		}
	}
}

// priced looks at what GraphQL answers.
type priced struct{ queries, refused atomic.Int64 }

func (p *priced) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || !strings.HasSuffix(r.URL.Path, "/graphql") {
		return res, err
	}
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	res.Body = io.NopCloser(bytes.NewReader(body))
	p.queries.Add(1)
	if bytes.Contains(body, []byte(`"errors"`)) {
		p.refused.Add(1)
	}
	return res, err
}

// However much there is to ask, no query costs more than GitLab takes.
func TestNoQueryIsTooDear(t *testing.T) {
	s := newStage(t, gitlabtest.Options{Premium: true})
	var c forgetest.Change
	for n := range 14 {
		p := s.AddPerson(fmt.Sprintf("dev%d", n))
		s.SetRole(s.repo, p, forgetest.RoleWrite)
		c = s.change(p, fmt.Sprintf("topic%d", n), s.commit(p, fmt.Sprintf("topic%d", n), s.Head(s.repo, mainRef)))
		s.Review(c, s.bo, forgetest.ReviewApprove)
		s.Merge(c, s.bo, []forgetest.MergeMethod{forgetest.MergeCommit, forgetest.Squash}[n%2])
	}
	needs := s.needs()
	needs.Thread = gate.Thread{Number: c.Number}
	for n := range 6 {
		other := forgetest.Change{Repository: s.repo, Number: int64(n + 1)}
		said := s.AddComment(other, s.bo, "/countersign approve")
		needs.Comments = append(needs.Comments, gate.CommentRef{Repository: s.id(), Thread: gate.Thread{Number: other.Number}, ID: said.ID})
	}
	p := &priced{}
	f, err := gitlab.New(gitlab.Config{
		Forge: "gl", URL: s.URL(), Token: s.BotToken(), WebhookSecret: []byte(secret), Client: &http.Client{Transport: p}, Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		ev := f.Evidence(t.Context(), s.request(mainRef, s.Head(s.repo, mainRef)), needs)
		if all := must(t, "changes", ev.Changes); len(all) != 14 {
			t.Errorf("%d changes", len(all))
		}
		for ref, c := range ev.Comments {
			must(t, fmt.Sprint(ref), c)
		}
		must(t, "thread", ev.Thread)
	}
	if p.refused.Load() > 0 || p.queries.Load() == 0 {
		t.Errorf("%d of %d queries refused", p.refused.Load(), p.queries.Load())
	}
}

// attack 70: a project that was hidden for a moment is not taken for one of a free tier
func TestAHiddenProjectTellsNothingOfItsTier(t *testing.T) {
	s := newStage(t, gitlabtest.Options{Premium: true})
	s.Protect(s.repo, forgetest.Protection{Ref: mainRef, Reviews: 2})
	restore := s.Fail(forgetest.Fault{Status: 404})
	if ev := s.forge.Evidence(t.Context(), s.request(mainRef, s.base), s.needs()); !ev.Repository.IsUnknown() {
		t.Errorf("repository: %+v", ev.Repository)
	}
	restore()
	if n := must(t, "reviews", s.protection().Reviews); n != 2 {
		t.Errorf("reviews: %d", n)
	}
}
