package gitlab_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
	"github.com/countersign/countersign/gate"
)

// threaded asks for a whole thread since a time.
func (s *stage) threaded(t gate.Thread, since time.Time, refs ...gate.CommentRef) gate.Evidence {
	s.t.Helper()
	needs := gate.Needs{Branches: []gate.Matcher{main{}}, Since: []string{s.base}, Thread: t, ThreadSince: since, Comments: refs}
	return s.forge.Evidence(s.t.Context(), s.request(mainRef, s.base), needs)
}

func bodies(all []gate.Comment) []string {
	var out []string
	for _, c := range all {
		out = append(out, c.Body)
	}
	return out
}

// attack 60: GitLab tells nobody of a deleted note, and a hook may be lost: the thread is
// read again, whole.
func TestThread(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	c := s.change(s.ana, "feature")
	thread := gate.Thread{Number: c.Number}
	old := s.AddComment(c, s.bo, "before")
	approved := s.AddComment(c, s.bo, "/countersign approve")
	s.AddInternalNote(c, s.bo, "/countersign deny internal")
	edited := s.AddComment(c, s.ana, "nice")
	s.EditComment(edited, s.ana, "/countersign approve")
	s.AddComment(c, s.AddBot("robot"), "/countersign approve")
	s.AddSystemNote(c, s.bo, "/countersign deny system")
	ref := gate.CommentRef{Repository: s.id(), Thread: thread, ID: approved.ID}

	ev := s.threaded(thread, approved.Created, ref)
	all := must(t, "thread", ev.Thread)
	var seen []string
	for _, c := range all {
		seen = append(seen, fmt.Sprintf("%s hidden=%t edited=%t machine=%t", c.Body, c.Hidden, c.Edited, c.ByMachine))
	}
	want := []string{
		"/countersign approve hidden=false edited=false machine=false",
		"/countersign deny internal hidden=true edited=false machine=false",
		"/countersign approve hidden=false edited=true machine=false",
		"/countersign approve hidden=false edited=false machine=true",
		"/countersign deny system hidden=true edited=false machine=false",
	}
	if !slices.Equal(seen, want) {
		t.Errorf("thread:\n%s\nexpected:\n%s", strings.Join(seen, "\n"), strings.Join(want, "\n"))
	}
	if got := must(t, "the approval's comment", ev.Comments[ref]); got.Ref != ref || got.Author.ID.ID != s.bo.ID || !got.Author.Human {
		t.Errorf("the approval's comment: %+v", got)
	}
	if must(t, "role", ev.Roles[gate.AccountID{Forge: "gl", ID: s.bo.ID}]).Role != gate.RoleMaintain {
		t.Error("the role of who approved")
	}
	s.DeleteComment(approved, s.bo)
	ev = s.threaded(thread, time.Time{}, ref)
	if got := bodies(must(t, "thread", ev.Thread)); got[0] != old.Body || slices.Contains(got[:1], approved.Body) {
		t.Errorf("after a deletion: %q", got)
	}
	if !ev.Comments[ref].IsAbsent() {
		t.Errorf("a deleted comment: %+v", ev.Comments[ref])
	}
}

// A comment older than the thread is read since is still read.
func TestThreadHoldsNotEveryComment(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	c := s.change(s.ana, "feature")
	said := s.AddComment(c, s.bo, "/countersign approve")
	ref := gate.CommentRef{Repository: s.id(), Thread: gate.Thread{Number: c.Number}, ID: said.ID}
	ev := s.threaded(ref.Thread, said.Created.Add(time.Hour), ref)
	if got := must(t, "thread", ev.Thread); len(got) != 0 {
		t.Errorf("thread: %+v", got)
	}
	must(t, "comment", ev.Comments[ref])
}

func TestThreadOfManyPages(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	issue := s.OpenIssue(s.repo, s.ana, "Release", "…")
	thread := gate.Thread{Number: issue.Number, Issue: true}
	var want []string
	var middle time.Time
	for n := range 250 {
		said := s.AddComment(issue, s.bo, fmt.Sprint(n))
		want = append(want, said.Body)
		if n == 130 {
			middle = said.Created
		}
	}
	if got := bodies(must(t, "thread", s.threaded(thread, time.Time{}).Thread)); !slices.Equal(got, want) {
		t.Errorf("%d of %d comments: %q", len(got), len(want), got)
	}
	before := s.Requests()
	if got := bodies(must(t, "thread", s.threaded(thread, middle).Thread)); !slices.Equal(got, want[130:]) {
		t.Errorf("%d of %d comments: %q", len(got), len(want)-130, got)
	}
	if all := s.Requests() - before; all > 10 {
		t.Errorf("%d requests: the first pages need not be read", all)
	}
}

func TestThreadIsWholeOrUnknown(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	c := s.change(s.ana, "feature")
	for range 150 {
		s.AddComment(c, s.bo, "x")
	}
	thread := gate.Thread{Number: c.Number}
	for _, f := range []forgetest.Fault{
		{Status: 500}, {Status: 403}, {Status: 200, Body: `{"data":null}`}, {Status: 200, Body: `{"data":{"projects":{"nodes":[]}}}`}, {},
	} {
		f.Path = "/api/graphql"
		restore := s.Fail(f)
		if got := s.threaded(thread, time.Time{}).Thread; !got.IsUnknown() || got.Why() == "" {
			t.Errorf("%d %s: %+v", f.Status, f.Body, got)
		}
		restore()
	}
	for _, none := range []gate.Thread{{Number: 999}, {Number: c.Number, Issue: true}, {Number: -1}} {
		if got := s.threaded(none, time.Time{}).Thread; !got.IsUnknown() {
			t.Errorf("thread %+v: %+v", none, got)
		}
	}
	if got := s.threaded(gate.Thread{}, time.Time{}).Thread; !got.IsUnknown() || got.Why() != "nobody asked for it" {
		t.Errorf("no thread: %+v", got)
	}
	if got := must(t, "with the faults gone", s.threaded(thread, time.Time{}).Thread); len(got) != 150 {
		t.Errorf("%d comments of 150", len(got))
	}
}

// attack 60: pages in an order that the gate does not know could hide a denial
func TestThreadInAnotherOrderIsUnknown(t *testing.T) {
	s := newStage(t, gitlabtest.Options{})
	c := s.change(s.ana, "feature")
	row := func(id int, at string) string {
		return fmt.Sprintf(`{"id":"gid://gitlab/Note/%d","body":"x","system":false,"internal":false,"createdAt":%q,"updatedAt":%q,"lastEditedBy":null,"author":{"id":"gid://gitlab/User/%d","username":"bo","bot":false}}`,
			id, at, at, s.bo.ID)
	}
	one, two := row(1, "2026-01-01T00:00:00Z"), row(2, "2026-01-02T00:00:00Z")
	since := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for name, row := range map[string]struct {
		nodes string
		older bool
		known bool
	}{
		"oldest first":                {one + "," + two, true, true},
		"newest first":                {two + "," + one, true, false},
		"newest first, and all":       {two + "," + one, false, true},
		"one that may not be seen":    {one + ",null", false, false},
		"one without an author":       {one + "," + strings.Replace(two, `"author"`, `"owner"`, 1), false, false},
		"one that tells of no kind":   {one + "," + strings.Replace(two, `"system"`, `"sys"`, 1), false, false},
		"one whose body is lost":      {one + "," + strings.Replace(two, `"body":"x"`, `"body":null`, 1), false, false},
		"one that tells of no edit":   {one + "," + strings.Replace(two, `"lastEditedBy":null,`, "", 1), false, false},
		"one that tells of no secret": {one + "," + strings.Replace(two, `"internal":false`, `"internal":null`, 1), false, false},
		"one of another kind of id":   {one + "," + strings.Replace(two, "Note/2", "Epic/2", 1), false, false},
		"a diff note":                 {one + "," + strings.Replace(two, "Note/2", "DiffNote/2", 1), false, true},
		"what GitLab noted of labels": {one + "," + strings.NewReplacer("Note/2", "ResourceLabelEvent/2", `"system":false`, `"system":true`).Replace(two), false, true},
	} {
		restore := s.Fail(forgetest.Fault{Path: "/api/graphql", Status: 200, Body: fmt.Sprintf(
			`{"data":{"projects":{"nodes":[{"id":"gid://gitlab/Project/%d","thread":{"iid":"%d","notes":{"nodes":[%s],"pageInfo":{"hasPreviousPage":%t,"startCursor":"x"}}}}]}}}`,
			s.repo.ID, c.Number, row.nodes, row.older)})
		got := s.threaded(gate.Thread{Number: c.Number}, since).Thread
		restore()
		if got.IsKnown() != row.known || got.IsAbsent() {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
