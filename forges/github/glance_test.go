package github_test

import (
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
	"github.com/countersign/countersign/forges/github"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/release"
)

var _ release.Glancer = (*github.Forge)(nil)

func TestGlance(t *testing.T) {
	now := time.Now().Add(-time.Minute)
	w := newTeam(t, githubtest.Options{Now: func() time.Time { return now }})
	change, _ := w.open(w.ana, "topic")
	other, _ := w.open(w.cy, "other")
	say := func() forgetest.Comment { return w.AddComment(change, w.bo, "/countersign approve") }
	plain, edited, deleted, hidden := say(), say(), say(), say()
	byApp := w.AddCommentByApp(change, w.bo, "/countersign approve")
	now = time.Now()
	w.EditComment(edited, w.bo, "/countersign deny no")
	w.DeleteComment(deleted, w.bo)
	w.MinimizeComment(hidden, "SPAM")
	elsewhere := w.ref(plain)
	elsewhere.Thread.Number = other.Number
	for _, row := range []struct {
		name                            string
		ref                             gate.CommentRef
		absent, edited, machine, hidden bool
		body                            string
	}{
		{name: "as it was written", ref: w.ref(plain), body: "/countersign approve"},
		{name: "changed since (attack 45)", ref: w.ref(edited), edited: true, body: "/countersign deny no"},
		{name: "written by an App for its user", ref: w.ref(byApp), machine: true, body: "/countersign approve"},
		{name: "hidden", ref: w.ref(hidden), hidden: true, body: "/countersign approve"},
		{name: "deleted (attack 46)", ref: w.ref(deleted), absent: true},
		{name: "of another thread", ref: elsewhere, absent: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := w.forge.Glance(t.Context(), row.ref)
			if row.absent {
				if !f.IsAbsent() {
					t.Errorf("expected it absent, got known=%t: %s", f.IsKnown(), f.Why())
				}
				return
			}
			c := known(t, "comment", f)
			if c.Ref != row.ref || c.Author.ID != account(w.bo) || !c.Author.Human || c.Created.IsZero() || c.Body != row.body {
				t.Errorf("got %+v, want what @bo wrote", c)
			}
			if c.Edited != row.edited || c.ByMachine != row.machine || c.Hidden != row.hidden {
				t.Errorf("got edited=%t machine=%t hidden=%t, want %+v", c.Edited, c.ByMachine, c.Hidden, row)
			}
			full := known(t, "in full", w.forge.Comment(t.Context(), row.ref))
			if !full.Created.Equal(c.Created) || full.Body != c.Body || full.Author != c.Author || full.Edited != c.Edited || full.Hidden != c.Hidden || full.ByMachine != c.ByMachine {
				t.Errorf("in full: got %+v, at a glance %+v", full, c)
			}
		})
	}
}

// What cannot be told is unknown, and never absent (attack 72).
func TestGlanceThatTellsNothing(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	change, _ := w.open(w.ana, "topic")
	ref := w.ref(w.AddComment(change, w.bo, "/countersign approve"))
	foreign := ref
	foreign.Repository.ID += 1000
	if f := w.forge.Glance(t.Context(), foreign); !f.IsUnknown() {
		t.Errorf("another repository: expected it unknown, got known=%t absent=%t", f.IsKnown(), f.IsAbsent())
	}
	const path = "/issues/comments/"
	for name, fault := range map[string]forgetest.Fault{
		"GitHub is down":        {Path: path, Status: 500},
		"no answer":             {Path: path, Status: 0},
		"an empty answer":       {Path: path, Status: 200, Body: ""},
		"null":                  {Path: path, Status: 200, Body: "null"},
		"another comment":       {Path: path, Status: 200, Body: `{"id":1,"body":"x","created_at":"2026-11-22T20:00:00Z","updated_at":"2026-11-22T20:00:00Z"}`},
		"the repository hidden": {Status: 404},
	} {
		restore := w.Fail(fault)
		if f := w.forge.Glance(t.Context(), ref); !f.IsUnknown() {
			t.Errorf("%s: expected it unknown, got known=%t absent=%t: %s", name, f.IsKnown(), f.IsAbsent(), f.Why())
		}
		restore()
	}
	for _, part := range []string{`"updated_at"`, `"created_at"`, `"body"`} {
		w.rewrite(part, `"left_out"`)
		if f := w.forge.Glance(t.Context(), ref); !f.IsUnknown() {
			t.Errorf("without %s: expected it unknown, got known=%t absent=%t", part, f.IsKnown(), f.IsAbsent())
		}
	}
}

// A glance is one call, and what it told spares the later full reading the listing of
// REST that says which app wrote a comment.
func TestGlanceIsOneCall(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	change, _ := w.open(w.ana, "topic")
	w.Merge(change, w.cy, forgetest.MergeCommit)
	_ = w.evidence()
	said := w.ref(w.AddComment(change, w.bo, "/countersign approve"))
	before, points := w.Requests(), w.Points()
	known(t, "comment", w.forge.Glance(t.Context(), said))
	if calls, cost := w.Requests()-before, w.Points()-points; calls != 1 || cost != 0 {
		t.Errorf("glance: got %d calls and %d points, want one call of REST", calls, cost)
	}
	listed := w.asks(func(path string) bool {
		return strings.HasSuffix(path, "/comments") || strings.Contains(path, "/issues/comments/")
	})
	e := w.forge.Evidence(t.Context(), w.request(mainRef), gate.Needs{
		Branches: []gate.Matcher{only("main")}, Since: []string{w.root}, Comments: []gate.CommentRef{said},
		Thread: said.Thread, ThreadSince: time.Now().Add(-time.Hour),
	})
	if c := known(t, "comment", e.Comments[said]); c.Author.ID != account(w.bo) || c.Edited || c.ByMachine {
		t.Errorf("comment: got %+v", c)
	}
	if listed.Load() {
		t.Error("full reading: expected no call of REST for comments")
	}
}
