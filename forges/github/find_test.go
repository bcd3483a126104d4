package github_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
	"github.com/countersign/countersign/gate"
)

func TestFind(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	for _, name := range []string{"acme/app", "ACME/App"} {
		if r, err := w.forge.Find(t.Context(), name); err != nil || r.ID != w.id() || r.FullName != "acme/app" || r.DefaultBranch != "main" {
			t.Errorf("%s: got %+v, %v", name, r, err)
		}
	}
	other := w.AddRepository("acme/other")
	w.Uninstall(other)
	w.RenameRepository(w.AddRepository("acme/old"), "new")
	for _, name := range []string{"", "app", "acme/", "acme/app/x", "acme/..", "acme/none", "acme/other", "acme/old", "nobody/app", "acme/app#x"} {
		r, err := w.forge.Find(t.Context(), name)
		if gate.CodeOf(err) != gate.CodeRepositoryUnknown || r != (gate.RepositoryFacts{}) {
			t.Errorf("%q: got %+v, want an error", name, r)
		}
	}
	if _, err := w.forge.Find(t.Context(), "acme/other"); gate.CodeOf(err) != gate.CodeRepositoryUnknown || gate.KindOf(err) != gate.NotFound {
		t.Errorf("acme/other: got %v", err)
	}
	w.Fail(forgetest.Fault{Status: 503})
	if _, err := w.forge.Find(t.Context(), "acme/app"); gate.KindOf(err) != gate.Unavailable {
		t.Errorf("down: got %v", err)
	}
}

func TestRepositories(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	want := []string{"acme/app"}
	for i := range 120 {
		want = append(want, w.AddRepository(fmt.Sprintf("acme/lib%03d", i)).FullName)
	}
	w.AddRepository("umbrella/tool")
	w.Suspend(w.AddRepository("zulu/asleep"), true)
	w.Uninstall(w.AddRepository("acme/without"))
	all, err := w.forge.Repositories(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range all {
		got = append(got, r.FullName)
		if r.ID.ID <= 0 || r.ID.Forge != w.id().Forge || r.Owner.ID <= 0 || r.DefaultBranch != "main" {
			t.Errorf("got %+v", r)
		}
	}
	if want = append(want, "umbrella/tool"); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	defer w.Fail(forgetest.Fault{Path: "/installation/repositories", Status: 200, Body: "null"})()
	if all, err := w.forge.Repositories(t.Context()); err == nil || all != nil {
		t.Errorf("half an answer: got %+v, %v", all, err)
	}
}
