package github_test

import (
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
