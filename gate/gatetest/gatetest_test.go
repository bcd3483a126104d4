package gatetest_test

import (
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/gatetest"
)

func TestGrantedCaseIsGranted(t *testing.T) {
	c, at := gatetest.GrantedCase()
	d := gate.Decide(c, at)
	for _, check := range d.Checks {
		if check.Outcome != gate.Granted {
			t.Errorf("%s is %s: %s", check.Name, check.Outcome, check.Reason)
		}
	}
	if len(d.Counted) != 1 || d.Counted[0].By.ID != gatetest.Bo().ID {
		t.Errorf("counted %v, expected Bo's approval alone", d.Counted)
	}
}

func TestGrantedCaseDoesNotGrantByAccident(t *testing.T) {
	deny := map[string]func(*gate.Case){
		"nobody approved":      func(c *gate.Case) { c.Approvals = nil },
		"Ana approves herself": func(c *gate.Case) { c.Approvals[0].By = gatetest.Ana() },
		"nothing was read":     func(c *gate.Case) { c.Evidence = gate.Evidence{ReadAt: c.Evidence.ReadAt} },
		"no key":               func(c *gate.Case) { c.Key = gate.KeyFacts{} },
		"other subjects":       func(c *gate.Case) { c.Request.Manifest = gatetest.Manifest(2) },
		"job of another event": func(c *gate.Case) { c.Request.Workload.Event = "pull_request" },
	}
	for name, edit := range deny {
		c, at := gatetest.GrantedCase(gatetest.Edit(edit))
		if _, ok := gate.Decide(c, at).Grant(); ok {
			t.Errorf("%s: granted", name)
		}
	}
}

func TestOrdersFollowTheManifest(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	key := gate.KeyVersion{Lineage: "acme-release", Version: 3, SPKI: []byte{1}}
	g := gatetest.Grant(t, gatetest.Manifest(3), key, gatetest.At(at), gatetest.Age(20*time.Second))
	orders := gatetest.Orders(t, g)
	for i, s := range gatetest.Manifest(3).Subjects {
		if orders[i].Digest() != s.SHA256 || orders[i].Key().Version != 3 {
			t.Errorf("order %d is %v, expected %s", i, orders[i].Intent(), s.Name)
		}
	}
	if want := at.Add(10 * time.Second); !g.Deadline().Equal(want) {
		t.Errorf("deadline %s, expected %s", g.Deadline(), want)
	}
}
