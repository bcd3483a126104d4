package hsmtest

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/gatetest"
)

// Signer is what the contract is about.
type Signer interface {
	Sign(ctx context.Context, orders []gate.Order) ([]gate.Signature, error)
	Keys() []gate.KeyVersion
	Close()
}

// ContractLineages are the lineages that a signer under test holds version 1 of.
func ContractLineages() []string { return []string{"acme-release", "acme-nightly"} }

// TestSigner holds a signer to what gate/release is promised. open makes a fresh one with
// [ContractLineages].
func TestSigner(t *testing.T, open func(t *testing.T) Signer) {
	for name, f := range map[string]func(t *testing.T, s Signer){
		"its keys are those configured":         keysAreConfigured,
		"each signature is that of its order":   signsInOrder,
		"every lineage signs with its own key":  signsWithEach,
		"no orders, no signatures":              signsNothing,
		"callers do not meet":                   signsConcurrently,
		"refuses an order without a grant":      refusesZeroOrder,
		"refuses a key that it does not hold":   refusesUnknownKey,
		"refuses a key under another version":   refusesRenumberedKey,
		"refuses an order past its deadline":    refusesLateOrder,
		"signs all or none":                     signsAllOrNone,
		"gives up with its caller":              givesUp,
		"refuses everything once it is closed":  refusesWhenClosed,
		"two signatures over one digest differ": signsAfresh,
	} {
		t.Run(name, func(t *testing.T) { f(t, open(t)) })
	}
}

// orders are n orders of a grant that was made just now.
func orders(t *testing.T, k gate.KeyVersion, n int, opts ...gatetest.Option) []gate.Order {
	t.Helper()
	return gatetest.Orders(t, gatetest.Grant(t, gatetest.Manifest(n), k, opts...))
}

// Verify fails the test unless sigs are those of orders.
func Verify(t testing.TB, orders []gate.Order, sigs []gate.Signature) {
	t.Helper()
	if len(sigs) != len(orders) {
		t.Fatalf("%d signatures for %d orders", len(sigs), len(orders))
	}
	for i, o := range orders {
		key, err := x509.ParsePKIXPublicKey(o.Key().SPKI)
		if err != nil {
			t.Fatal(err)
		}
		public, ok := key.(*ecdsa.PublicKey)
		digest := o.Digest()
		switch {
		case !ok || !ecdsa.VerifyASN1(public, digest[:], sigs[i].Bytes):
			t.Errorf("signature %d does not verify", i)
		case sigs[i].Intent != o.Intent().ID:
			t.Errorf("signature %d is for intent %s, expected %s", i, sigs[i].Intent, o.Intent().ID)
		case sigs[i].At.IsZero():
			t.Errorf("signature %d has no time", i)
		}
	}
}

func mustSign(t *testing.T, s Signer, os []gate.Order) []gate.Signature {
	t.Helper()
	sigs, err := s.Sign(t.Context(), os)
	if err != nil {
		t.Fatal(err)
	}
	Verify(t, os, sigs)
	return sigs
}

// mustFail signs os and wants an error of this kind and code, and nothing else.
func mustFail(ctx context.Context, t *testing.T, s Signer, os []gate.Order, kind gate.Kind, code gate.Code) {
	t.Helper()
	sigs, err := s.Sign(ctx, os)
	if err == nil || len(sigs) > 0 {
		t.Fatalf("%d signatures, error %v; expected none and %s", len(sigs), err, code)
	}
	if gate.KindOf(err) != kind || gate.CodeOf(err) != code {
		t.Fatalf("got kind %d, %v; expected kind %d, %s", gate.KindOf(err), err, kind, code)
	}
}

func keysAreConfigured(t *testing.T, s Signer) {
	keys := s.Keys()
	if len(keys) != len(ContractLineages()) {
		t.Fatalf("%d keys, expected %d", len(keys), len(ContractLineages()))
	}
	for i, l := range ContractLineages() {
		if k := keys[i]; k.Lineage != l || k.Version != 1 || !k.Software || len(k.SPKI) == 0 {
			t.Errorf("key %d is %+v, expected version 1 of %s in software", i, k, l)
		}
	}
}

func signsInOrder(t *testing.T, s Signer) {
	for _, n := range []int{1, 2, 64, 65, 200} {
		mustSign(t, s, orders(t, s.Keys()[0], n))
	}
}

func signsWithEach(t *testing.T, s Signer) {
	var both []gate.Order
	for _, k := range s.Keys() {
		both = append(both, orders(t, k, 2)...)
	}
	mustSign(t, s, both)
}

func signsNothing(t *testing.T, s Signer) { mustSign(t, s, nil) }

func signsAfresh(t *testing.T, s Signer) {
	os := orders(t, s.Keys()[0], 1)
	if a, b := mustSign(t, s, os), mustSign(t, s, os); string(a[0].Bytes) == string(b[0].Bytes) {
		t.Error("the second signature is the first")
	}
}

func signsConcurrently(t *testing.T, s Signer) {
	var callers sync.WaitGroup
	for i := range 8 {
		os := orders(t, s.Keys()[i%2], 1+10*i)
		callers.Go(func() {
			sigs, err := s.Sign(t.Context(), os)
			if err != nil {
				t.Error(err)
				return
			}
			for j, o := range os {
				if sigs[j].Intent != o.Intent().ID {
					t.Errorf("caller %d: signature %d is another's", i, j)
				}
			}
		})
	}
	callers.Wait()
}

func refusesZeroOrder(t *testing.T, s Signer) {
	mustFail(t.Context(), t, s, []gate.Order{{}}, gate.Refused, gate.CodeOrderRefused)
}

func refusesUnknownKey(t *testing.T, s Signer) {
	other := NewFake(time.Now, "acme-release").Keys()[0]
	mustFail(t.Context(), t, s, orders(t, other, 1), gate.Refused, gate.CodeKeyUnknown)
}

func refusesRenumberedKey(t *testing.T, s Signer) {
	k := s.Keys()[0]
	k.Version = 2
	mustFail(t.Context(), t, s, orders(t, k, 1), gate.Refused, gate.CodeKeyMismatch)
}

func refusesLateOrder(t *testing.T, s Signer) {
	late := orders(t, s.Keys()[0], 1, gatetest.At(time.Now().Add(-time.Minute)))
	mustFail(t.Context(), t, s, late, gate.Unavailable, gate.CodeKeyUnavailable)
}

func signsAllOrNone(t *testing.T, s Signer) {
	good := orders(t, s.Keys()[0], 100)
	late := orders(t, s.Keys()[0], 1, gatetest.At(time.Now().Add(-time.Minute)))
	for _, at := range []int{0, 50, 100} {
		mixed := append(append(append([]gate.Order{}, good[:at]...), late...), good[at:]...)
		t.Run(fmt.Sprintf("late order at %d", at), func(t *testing.T) {
			mustFail(t.Context(), t, s, mixed, gate.Unavailable, gate.CodeKeyUnavailable)
		})
	}
	mustSign(t, s, good)
}

func givesUp(t *testing.T, s Signer) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	mustFail(ctx, t, s, orders(t, s.Keys()[0], 1), gate.Unavailable, gate.CodeKeyUnavailable)
}

func refusesWhenClosed(t *testing.T, s Signer) {
	os := orders(t, s.Keys()[0], 1)
	s.Close()
	s.Close()
	mustFail(t.Context(), t, s, os, gate.Unavailable, gate.CodeKeyUnavailable)
}
