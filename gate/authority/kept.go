package authority

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"math/big"
	"time"

	"github.com/countersign/countersign/gate"
)

// skew is how much earlier than now a certificate begins to be valid: whoever makes the
// time-stamp that it is judged by may have a slower clock.
const skew = 5 * time.Minute

// form is what a kept certificate has to be like, and how a new one is made.
type form struct {
	name  string
	fits  func(*x509.Certificate) bool
	issue func() ([]byte, error)
}

// kept is a certificate of that form: the kept one while it fits, else a new one. Replicas
// that make one at the same time all use the one that was kept first.
func (a *Authority) kept(ctx context.Context, f form) (*x509.Certificate, error) {
	old, ok, err := a.cabinet.Certificate(ctx, f.name)
	if err != nil {
		return nil, fmt.Errorf("look up certificate %s: %w", f.name, err)
	}
	var replaces []byte
	if ok {
		c, err := x509.ParseCertificate(old.DER)
		if err != nil {
			return nil, fmt.Errorf("read kept certificate %s: %w", f.name, err)
		}
		if f.fits(c) {
			return c, nil
		}
		replaces = old.DER
	}
	der, err := f.issue()
	if err != nil {
		return nil, fmt.Errorf("issue certificate %s: %w", f.name, err)
	}
	issued, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read issued certificate %s: %w", f.name, err)
	}
	newest, err := a.cabinet.KeepCertificate(ctx, gate.Certificate{Name: f.name, DER: der, NotBefore: issued.NotBefore, NotAfter: issued.NotAfter}, replaces)
	if err != nil {
		return nil, fmt.Errorf("keep certificate %s: %w", f.name, err)
	}
	if bytes.Equal(newest.DER, der) {
		return issued, nil
	}
	c, err := x509.ParseCertificate(newest.DER)
	if err != nil {
		return nil, fmt.Errorf("read kept certificate %s: %w", f.name, err)
	}
	if !f.fits(c) {
		return nil, &gate.Error{
			Kind: gate.Unavailable, Code: gate.CodeSealing, Text: "the certificate " + f.name + " is being replaced",
			Expected: "one that may be used", Got: "another replica's that may not", Fix: "try again; if it stays, give all replicas the same keys",
		}
	}
	return c, nil
}

// own is kept for the certificates of this authority's own keys, which every time-stamp needs:
// they are read once.
func (a *Authority) own(ctx context.Context, f form) (*x509.Certificate, error) {
	a.mu.Lock()
	c := a.known[f.name]
	a.mu.Unlock()
	if c != nil && f.fits(c) {
		return c, nil
	}
	c, err := a.kept(ctx, f)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.known[f.name] = c
	return c, nil
}

// left reports whether a certificate is valid now and for that much longer.
func (a *Authority) left(c *x509.Certificate, least time.Duration) bool {
	now := a.now()
	return !now.Before(c.NotBefore) && now.Add(least).Before(c.NotAfter)
}

// span is a certificate's validity from now on, within its issuer's.
func (a *Authority) span(lasts time.Duration, issuer *x509.Certificate) (from, until time.Time) {
	from = a.now().UTC().Truncate(time.Second).Add(-skew)
	until = from.Add(lasts)
	if issuer != nil && issuer.NotBefore.After(from) {
		from = issuer.NotBefore
	}
	if issuer != nil && issuer.NotAfter.Before(until) {
		until = issuer.NotAfter
	}
	return from, until
}

// serial is a random certificate serial number of 127 bits (RFC 5280, 4.1.2.2).
func serial() (*big.Int, error) {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("choose a serial number: %w", err)
	}
	return n.Add(n, big.NewInt(1)), nil
}
