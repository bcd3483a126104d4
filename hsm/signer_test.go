package hsm_test

import (
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/gatetest"
	"github.com/countersign/countersign/hsm"
	"github.com/countersign/countersign/hsm/hsmtest"
)

var (
	_ hsmtest.Signer = (*hsm.Signer)(nil)
	_ hsmtest.Signer = (*hsmtest.Fake)(nil)
)

func TestSignerOnSoftHSM(t *testing.T) {
	t.Parallel()
	tok := hsmtest.NewToken(t)
	var pins []hsm.KeyPin
	for _, l := range hsmtest.ContractLineages() {
		pins = append(pins, tok.Pin(t, l, 1))
	}
	hsmtest.TestSigner(t, func(t *testing.T) hsmtest.Signer {
		c := hsmtest.Config(t, tok, pins...)
		c.Workers = 2
		return hsmtest.Start(t, c)
	})
}

func TestFakeSigner(t *testing.T) {
	t.Parallel()
	hsmtest.TestSigner(t, func(*testing.T) hsmtest.Signer {
		return hsmtest.NewFake(time.Now, hsmtest.ContractLineages()...)
	})
}

func TestPinBySPKIAlone(t *testing.T) {
	t.Parallel()
	tok := hsmtest.NewToken(t)
	k, err := tok.GenerateKey(t.Context(), "release")
	if err != nil {
		t.Fatal(err)
	}
	s := hsmtest.Start(t, hsmtest.Config(t, tok, hsm.KeyPin{
		Lineage: "acme-release", Version: 7, Label: k.Label, ID: k.ID, SPKI: k.SPKI,
	}))
	sign(t, s, 3)
}

// ordersFor are n orders for the signer's first key.
func ordersFor(t testing.TB, s *hsm.Signer, n int, opts ...gatetest.Option) []gate.Order {
	t.Helper()
	return gatetest.Orders(t, gatetest.Grant(t, gatetest.Manifest(n), s.Keys()[0], opts...))
}

// sign signs n orders, and trusts nothing of it.
func sign(t testing.TB, s *hsm.Signer, n int) {
	t.Helper()
	orders := ordersFor(t, s, n)
	sigs, err := s.Sign(t.Context(), orders)
	if err != nil {
		t.Fatal(err)
	}
	hsmtest.Verify(t, orders, sigs)
}

// mustFail signs one order and wants this kind and code.
func mustFail(t *testing.T, s *hsm.Signer, kind gate.Kind, code gate.Code, opts ...gatetest.Option) error {
	t.Helper()
	sigs, err := s.Sign(t.Context(), ordersFor(t, s, 1, opts...))
	if err == nil || sigs != nil {
		t.Fatalf("%d signatures, error %v; expected none and %s", len(sigs), err, code)
	}
	if gate.KindOf(err) != kind || gate.CodeOf(err) != code {
		t.Fatalf("got kind %d, %v; expected kind %d, %s", gate.KindOf(err), err, kind, code)
	}
	return err
}
