package web_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/gatetest"
)

// What may be seen is what the forge said at most a minute ago, and nothing where it does
// not say.
func TestWhoMayRead(t *testing.T) {
	w := newTown(t)
	w.put(private(t))
	w.github.set(gatetest.Bo().ID, gate.RoleRead)
	c := w.signedIn(t, gatetest.Bo())
	sees := func(want bool, when string) {
		t.Helper()
		if got := c.open(page).Code; (got == http.StatusOK) != want {
			t.Errorf("%s: answered %d", when, got)
		}
	}
	sees(true, "with read")
	reads := w.github.reads
	sees(true, "again")
	if w.github.reads != reads {
		t.Errorf("the forge was asked %d times within a minute", w.github.reads)
	}
	w.github.set(gatetest.Bo().ID, gate.RoleNone)
	w.clock.forward(time.Minute)
	sees(false, "a minute after the right was taken")
	w.github.set(gatetest.Bo().ID, gate.RoleWrite)
	sees(false, "at once after it was given back")
	w.clock.forward(time.Minute)
	sees(true, "a minute later")
	w.github.silent = true
	w.clock.forward(time.Minute)
	sees(false, "while the forge is silent")
	w.github.silent = false
	w.clock.forward(5 * time.Second)
	sees(true, "soon after it answers again")
}

// Nobody's number at one forge is anybody's at another.
func TestRightsAreOfOneForge(t *testing.T) {
	w := newTown(t)
	w.put(private(t))
	twin := gate.Account{ID: gate.AccountID{Forge: "gitlab", ID: gatetest.Bo().ID.ID}, Login: "bo", Human: true}
	w.github.set(gatetest.Bo().ID, gate.RoleAdmin)
	w.github.set(twin.ID, gate.RoleAdmin)
	w.gitlab.set(twin.ID, gate.RoleAdmin)
	if got := w.signedIn(t, twin).open(page); got.Code != http.StatusNotFound {
		t.Errorf("answered %d", got.Code)
	}
}
