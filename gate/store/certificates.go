package store

import (
	"bytes"
	"context"
	"fmt"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/store/internal/db"
)

type certificateDoc struct {
	V           int              `json:"v"`
	Certificate gate.Certificate `json:"certificate"`
}

// Certificate is the certificate of a name that was kept last; false where there is none.
func (s *Store) Certificate(ctx context.Context, name string) (gate.Certificate, bool, error) {
	c, ok, err := newestCertificate(ctx, s.read(), name)
	return c, ok, fault("read the certificate "+name, err)
}

// KeepCertificate stores a certificate, with a leaf that commits to it, where the newest of
// its name still is replaces (DER; nil for none), and returns the newest. So of two replicas
// that issue one at once, both use the first's.
func (s *Store) KeepCertificate(ctx context.Context, c gate.Certificate, replaces []byte) (gate.Certificate, error) {
	if c.Name == "" || !storable(c.Name) || len(c.DER) == 0 || !c.NotAfter.After(c.NotBefore) {
		return gate.Certificate{}, internal("keep a certificate: expected a name, DER and a span of time, got %q, %d bytes, %s to %s",
			c.Name, len(c.DER), c.NotBefore, c.NotAfter)
	}
	out := c
	err := s.alone(ctx, "keep the certificate "+c.Name, func(ctx context.Context, u *unit) error {
		out = c
		if _, err := u.q.LedgerSizeForUpdate(ctx); err != nil {
			return fmt.Errorf("lock the ledger's head: %w", err)
		}
		newest, ok, err := newestCertificate(ctx, u.q, c.Name)
		switch {
		case err != nil:
			return err
		case ok && !bytes.Equal(newest.DER, replaces):
			out = newest
			return nil
		}
		if err := u.q.InsertCertificate(ctx, db.InsertCertificateParams{
			Name: c.Name, Der: c.DER, NotBefore: micros(c.NotBefore), NotAfter: micros(c.NotAfter), KeptAt: u.at,
		}); err != nil {
			return fmt.Errorf("store the certificate: %w", err)
		}
		u.news = true
		// The leaf is public, and a name may tell a repository: its id tells nothing.
		return u.record(ledger.CertificateIssued, aboutServer, certificateDoc{V: docVersion, Certificate: c})
	})
	return out, err
}

// Certificates lists all that were kept, the oldest first.
func (s *Store) Certificates(ctx context.Context) ([]gate.Certificate, error) {
	rows, err := s.read().Certificates(ctx)
	if err != nil {
		return nil, fault("list the certificates", err)
	}
	out := make([]gate.Certificate, len(rows))
	for i, r := range rows {
		out[i] = certificateOf(db.NewestCertificateRow(r))
	}
	return out, nil
}

func newestCertificate(ctx context.Context, q *db.Queries, name string) (gate.Certificate, bool, error) {
	row, err := q.NewestCertificate(ctx, name)
	ok, err := found(err)
	if err != nil || !ok {
		return gate.Certificate{}, false, err
	}
	return certificateOf(row), true, nil
}

func certificateOf(r db.NewestCertificateRow) gate.Certificate {
	return gate.Certificate{Name: r.Name, DER: r.Der, NotBefore: fromMicros(r.NotBefore), NotAfter: fromMicros(r.NotAfter)}
}
