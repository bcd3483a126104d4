package github_test

import (
	"testing"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/adaptertest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
	"github.com/countersign/countersign/gate"
)

func TestRights(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	right := func(p forgetest.Person) gate.Fact[gate.Member] {
		t.Helper()
		return w.forge.Right(t.Context(), w.id(), account(p))
	}
	role := func(name string, p forgetest.Person, want gate.Role) {
		t.Helper()
		m := known(t, name, right(p))
		if m.Role != want || m.Account.ID != account(p) || !m.Active || !m.Account.Human {
			t.Errorf("%s: got %+v, want role %v", name, m, want)
		}
	}
	role("ana maintains", w.ana, gate.RoleMaintain)
	role("bo writes", w.bo, gate.RoleWrite)
	if f := right(w.dan); f.IsKnown() {
		t.Errorf("dan: got %+v, want no right", f)
	}
	w.SetRole(w.repo, w.bo, forgetest.RoleRead)
	role("bo lost it", w.bo, gate.RoleRead)
	w.SetRole(w.repo, w.bo, forgetest.RoleNone)
	if f := right(w.bo); f.IsKnown() {
		t.Errorf("bo: got %+v, want no right", f)
	}
	t.Run("a suspended account has none", func(t *testing.T) {
		eve := w.AddPerson("eve")
		w.SetRole(w.repo, eve, forgetest.RoleAdmin)
		w.SuspendPerson(eve)
		if m := known(t, "eve", right(eve)); m.Role != gate.RoleNone || m.Active {
			t.Errorf("eve: got %+v, want no right", m)
		}
	})
	t.Run("a login that was given to another gives it no right (attack 48)", func(t *testing.T) {
		w.RenamePerson(w.cy, "cy-of-old")
		mallory := w.AddPerson("cy")
		role("cy under another login", w.cy, gate.RoleWrite)
		if f := right(mallory); f.IsKnown() {
			t.Errorf("mallory: got %+v, want no right", f)
		}
	})
	t.Run("a repository's name that was given to another gives nobody its rights (attack 73)", func(t *testing.T) {
		id := w.id()
		w.RenameRepository(w.repo, "renamed")
		other := w.AddRepository("acme/app")
		w.Publish(other)
		w.SetRole(other, w.dan, forgetest.RoleAdmin)
		if f := w.forge.Right(t.Context(), id, account(w.dan)); f.IsKnown() {
			t.Errorf("dan: got %+v, want no right", f)
		}
		if m := known(t, "ana", w.forge.Right(t.Context(), id, account(w.ana))); m.Role != gate.RoleMaintain {
			t.Errorf("ana: got %+v", m)
		}
	})
}

func TestRightsThatCannotBeRead(t *testing.T) {
	for name, spoil := range map[string]func(w *team){
		"GitHub is down":          func(w *team) { w.Fail(forgetest.Fault{Status: 503}) },
		"the permission is down":  func(w *team) { w.Fail(forgetest.Fault{Path: "/permission", Status: 500}) },
		"the permission is empty": func(w *team) { w.Fail(forgetest.Fault{Path: "/permission", Status: 200, Body: "{}"}) },
		"the permission is another's": func(w *team) {
			w.Fail(forgetest.Fault{Path: "/permission", Status: 200, Body: `{"permission":"admin","role_name":"admin","user":{"id":4,"login":"ana","type":"User"}}`})
		},
		"the account is another": func(w *team) {
			w.Fail(forgetest.Fault{Path: "/user/", Status: 200, Body: `{"id":4,"login":"ana","type":"User"}`})
		},
		"the App is suspended":   func(w *team) { w.Suspend(w.repo, true) },
		"the App is uninstalled": func(w *team) { w.Uninstall(w.repo) },
		"the repository is gone": func(w *team) { w.DeleteRepository(w.repo) },
	} {
		w := newTeam(t, githubtest.Options{})
		id := w.id()
		spoil(w)
		if f := w.forge.Right(t.Context(), id, account(w.ana)); !f.IsUnknown() || f.Why() == "" {
			t.Errorf("%s: got %+v, want unknown with a reason", name, f)
		}
	}
	w := newTeam(t, githubtest.Options{})
	other := gate.AccountID{Forge: "another", ID: w.ana.ID}
	if f := w.forge.Right(t.Context(), w.id(), other); !f.IsUnknown() {
		t.Errorf("an account of another forge: got %+v", f)
	}
	if f := w.forge.Right(t.Context(), gate.RepositoryID{Forge: "another", ID: w.repo.ID}, gate.AccountID{Forge: adaptertest.ForgeID, ID: w.ana.ID}); !f.IsUnknown() {
		t.Errorf("a repository of another forge: got %+v", f)
	}
}
