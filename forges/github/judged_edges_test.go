package github_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
	"github.com/countersign/countersign/gate"
)

// TestNewestRunOfAName is a commit with several suites of one app: GitHub lists the latest
// run of each.
func TestNewestRunOfAName(t *testing.T) {
	run := func(id int, status, conclusion, started string) string {
		return fmt.Sprintf(`{"id":%d,"name":"unit","head_sha":"SHA","status":%q,"conclusion":%s,"started_at":%s,"app":{"id":5,"slug":"ci"}}`,
			id, status, conclusion, started)
	}
	const early, late, failure, success = `"2026-01-01T00:00:00Z"`, `"2026-01-01T00:00:01Z"`, `"failure"`, `"success"`
	for _, row := range []struct {
		name         string
		runs         []string
		done, passed bool
	}{
		{"the later start counts", []string{run(2, "completed", failure, early), run(1, "completed", success, late)}, true, true},
		{"in whatever order", []string{run(1, "completed", success, late), run(2, "completed", failure, early)}, true, true},
		{"of one second the higher number", []string{run(1, "completed", success, early), run(2, "completed", failure, early)}, true, false},
		{"what has not started is the newest", []string{run(1, "queued", "null", "null"), run(2, "completed", success, late)}, false, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newTeam(t, githubtest.Options{})
			body := fmt.Sprintf(`{"total_count":%d,"check_runs":[%s]}`, len(row.runs), strings.Join(row.runs, ","))
			defer w.Fail(forgetest.Fault{Path: "/check-runs", Status: http.StatusOK, Body: strings.ReplaceAll(body, "SHA", w.root)})()
			all := known(t, "checks", w.read(func(n *gate.Needs) { n.Checks = []string{"unit"} }).Checks)
			if len(all) != 1 || all[0].Done != row.done || all[0].Passed != row.passed {
				t.Errorf("checks: got %+v, want done=%t passed=%t", all, row.done, row.passed)
			}
		})
	}
}

func TestOwnersThatAreNoText(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	w.root = w.put(w.ana, "main", "CODEOWNERS", "* @bo \xff\n")
	owners := func() gate.Fact[gate.OwnersFile] { return w.read(func(n *gate.Needs) { n.Owners = true }).Owners }
	restore := w.Fail(forgetest.Fault{Path: "/contents/", Status: http.StatusBadGateway})
	if f := owners(); !f.IsUnknown() || f.Why() == "" {
		t.Errorf("owners: got %+v, want unknown with a reason", f)
	}
	restore()
	if o := known(t, "owners", owners()); string(o.Content) != "* @bo \xff\n" {
		t.Errorf("owners: got %q, want the very bytes", o.Content)
	}
}

// TestRuleThatGraphQLShowsInPart is a classic rule of which GraphQL hides something: REST
// is asked.
func TestRuleThatGraphQLShowsInPart(t *testing.T) {
	for name, edit := range map[string]struct {
		value any
		path  []any
	}{
		"an actor that is hidden":           {nil, []any{"bypass", "nodes", 0, "actor"}},
		"an actor of a kind not known here": {"Robot", []any{"bypass", "nodes", 0, "actor", "__typename"}},
		"more actors than it lists":         {120, []any{"bypass", "totalCount"}},
		"no number of reviews":              {nil, []any{"requiredApprovingReviewCount"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTeam(t, githubtest.Options{})
			w.AddTeam(w.repo, "ops")
			w.ProtectClassic(w.repo, githubtest.ClassicRule{
				Protection: forgetest.Protection{Ref: mainRef, Reviews: 2},
				Bypass:     githubtest.Allowed{People: []forgetest.Person{w.ana}, Teams: []string{"ops"}, Apps: []string{"gate"}},
			})
			asked := w.asks(func(path string) bool { return strings.HasSuffix(path, "/protection") })
			whole := w.protection()
			if asked.Load() {
				t.Fatal("protection: expected GraphQL to tell all of it")
			}
			w.edited(func(_ string, body map[string]any) {
				for _, ref := range []string{"defaultBranchRef", "ref"} {
					set(body, edit.value, append([]any{"data", "repository", ref, "branchProtectionRule"}, edit.path...)...)
				}
			})
			inPart := w.protection()
			if !asked.Load() {
				t.Error("protection: expected REST to be asked")
			}
			if got, want := fmt.Sprint(inPart), fmt.Sprint(whole); got != want || known(t, "reviews", whole.Reviews) != 2 {
				t.Errorf("protection: got %s by REST and %s by GraphQL", got, want)
			}
		})
	}
}

// TestRightInAWordThatNobodyKnows is attack 74 by GraphQL: REST is asked, which calls it
// what it is.
func TestRightInAWordThatNobodyKnows(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	w.edited(func(_ string, body map[string]any) {
		if edges, is := get(body, "data", "repository", "people", "edges").([]any); is {
			for _, e := range edges {
				set(e, "SUPERUSER", "permission")
			}
		}
	})
	if m := known(t, "bo", w.role(w.bo)); m.Role != gate.RoleWrite {
		t.Errorf("bo: got %s, want what REST says", m.Role)
	}
	body := fmt.Sprintf(`{"permission":"superuser","role_name":"superuser","user":{"id":%d,"login":"bo","type":"User"}}`, w.bo.ID)
	defer w.Fail(forgetest.Fault{Path: "/collaborators/bo/permission", Status: http.StatusOK, Body: body})()
	if f := w.role(w.bo); f.IsKnown() {
		t.Errorf("bo: got %+v, want no right that is known", f)
	}
}
