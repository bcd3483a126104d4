package gatetest

import (
	"fmt"
	"testing"

	"github.com/countersign/countersign/gate"
)

// Grant is the grant of [GrantedCase] for the manifest and key. It ends the test where
// the case is not granted.
func Grant(t testing.TB, m gate.Manifest, k gate.KeyVersion, opts ...Option) gate.Grant {
	t.Helper()
	c, at := GrantedCase(append([]Option{For(m), With(k)}, opts...)...)
	d := gate.Decide(c, at)
	g, ok := d.Grant()
	if !ok {
		for _, check := range d.Checks {
			t.Logf("%s %s: %s", check.Outcome, check.Name, check.Reason)
		}
		t.Fatalf("the case is %s, expected granted", d.Outcome)
	}
	return g
}

// Intents are the first attempt's intents of a grant: one per subject, in order.
func Intents(g gate.Grant) []gate.Intent {
	var out []gate.Intent
	for i, s := range g.Request().Manifest.Subjects {
		out = append(out, gate.Intent{
			ID: fmt.Sprintf("0197f3a0-0000-7000-9000-%012d", i+1), Request: g.Request().ID, Attempt: 1,
			Kind: gate.IntentSubject, Name: s.Name, Digest: s.SHA256, Key: g.Key(),
		})
	}
	return out
}

// Orders are the orders of [Intents].
func Orders(t testing.TB, g gate.Grant) []gate.Order {
	t.Helper()
	var out []gate.Order
	for _, i := range Intents(g) {
		o, err := g.Order(i)
		if err != nil {
			t.Fatalf("order for %s: %v", i.Name, err)
		}
		out = append(out, o)
	}
	return out
}
