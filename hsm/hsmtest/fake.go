package hsmtest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"sync"
	"time"

	"github.com/countersign/countersign/gate"
)

// Fake signs in memory as [hsm.Signer] signs in a token, and fails when it is told to.
// It is safe for concurrent use.
type Fake struct {
	now func() time.Time

	mu     sync.Mutex
	keys   []fakeKey
	faults []error
	always error
	before func(ctx context.Context, orders []gate.Order)
	signed []gate.Order
	closed bool
}

type fakeKey struct {
	version gate.KeyVersion
	private *ecdsa.PrivateKey
}

// NewFake makes a signer with version 1 of each lineage.
func NewFake(now func() time.Time, lineages ...string) *Fake {
	f := &Fake{now: now}
	for _, l := range lineages {
		f.AddKey(l)
	}
	return f
}

// AddKey makes the next version of a lineage.
func (f *Fake) AddKey(lineage string) gate.KeyVersion {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err) // the system's random source is gone
	}
	spki, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		panic(err) // a P-256 key always has an encoding
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	v := gate.KeyVersion{Lineage: lineage, Version: 1, SPKI: spki, Software: true}
	for _, k := range f.keys {
		if k.version.Lineage == lineage {
			v.Version = k.version.Version + 1
		}
	}
	f.keys = append(f.keys, fakeKey{version: v, private: private})
	return v
}

// Unavailable is the error that a hung or crashed HSM leads to.
func Unavailable() error {
	return &gate.Error{
		Kind: gate.Unavailable, Code: gate.CodeKeyUnavailable, Text: "the HSM does not answer", Fix: "nothing to do: it is tried again",
	}
}

// FailNext makes the next calls of Sign fail, one by each error.
func (f *Fake) FailNext(errs ...error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = append(f.faults, errs...)
}

// FailAlways makes every call of Sign fail, until it is called with nil.
func (f *Fake) FailAlways(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.always = err
}

// Before has hook called at the start of every Sign: to cancel, to wait, to look at what
// is durable by then.
func (f *Fake) Before(hook func(ctx context.Context, orders []gate.Order)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before = hook
}

// Signed lists the orders that were signed, in order.
func (f *Fake) Signed() []gate.Order {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]gate.Order(nil), f.signed...)
}

// Keys are the key versions, oldest first.
func (f *Fake) Keys() []gate.KeyVersion {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []gate.KeyVersion
	for _, k := range f.keys {
		out = append(out, k.version)
	}
	return out
}

// Close ends it: orders that come later are refused.
func (f *Fake) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
}

// Sign is as [hsm.Signer.Sign].
func (f *Fake) Sign(ctx context.Context, orders []gate.Order) ([]gate.Signature, error) {
	f.mu.Lock()
	hook := f.before
	f.mu.Unlock()
	if hook != nil {
		hook(ctx, orders)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.fault(ctx, orders); err != nil {
		return nil, err
	}
	var out []gate.Signature
	for _, o := range orders {
		k, err := f.key(o)
		if err != nil {
			return nil, err
		}
		digest := o.Digest()
		sig, err := ecdsa.SignASN1(rand.Reader, k.private, digest[:])
		if err != nil {
			return nil, fmt.Errorf("sign %s: %w", o.Intent().ID, err)
		}
		out = append(out, gate.Signature{Intent: o.Intent().ID, Bytes: sig, At: f.now()})
	}
	f.signed = append(f.signed, orders...)
	return out, nil
}

// fault is why nothing is signed at all.
func (f *Fake) fault(ctx context.Context, orders []gate.Order) error {
	if len(orders) == 0 {
		return nil
	}
	if f.closed || ctx.Err() != nil {
		return Unavailable()
	}
	if len(f.faults) > 0 {
		err := f.faults[0]
		f.faults = f.faults[1:]
		if err != nil {
			return err
		}
	}
	return f.always
}

func (f *Fake) key(o gate.Order) (fakeKey, error) {
	if o.Deadline().IsZero() {
		return fakeKey{}, &gate.Error{Kind: gate.Refused, Code: gate.CodeOrderRefused, Text: "the order was made without a grant"}
	}
	for _, k := range f.keys {
		switch {
		case string(k.version.SPKI) != string(o.Key().SPKI):
		case k.version.Lineage != o.Key().Lineage || k.version.Version != o.Key().Version:
			return fakeKey{}, &gate.Error{Kind: gate.Refused, Code: gate.CodeKeyMismatch, Text: "the order's key is pinned under another name"}
		case !f.now().Before(o.Deadline()):
			return fakeKey{}, Unavailable()
		default:
			return k, nil
		}
	}
	return fakeKey{}, &gate.Error{Kind: gate.Refused, Code: gate.CodeKeyUnknown, Text: "key " + o.Key().Lineage + " is not held here"}
}
