package monitor

import (
	"context"
	"crypto/x509"
	"fmt"
	"runtime"
	"sync"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest"
	"github.com/countersign/countersign/gate/ledger"
)

// examined is an entry with what it says by itself.
type examined struct {
	entry ledger.Entry
	key   attest.Key // a record's
	// fault is what does not hold, whatever else is on the log.
	fault *Alert
}

// examine reads entries and verifies signatures, which takes most of a monitor's time, on all
// processors.
func (m *Monitor) examine(entries [][]byte) []examined {
	out := make([]examined, len(entries))
	workers := min(runtime.GOMAXPROCS(0), len(entries))
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			for i := w; i < len(entries); i += workers {
				out[i] = m.examineOne(entries[i])
			}
		})
	}
	group.Wait()
	return out
}

func (m *Monitor) examineOne(entry []byte) examined {
	var x examined
	fail := func(a Alert) examined {
		if r := x.entry.Record; r != nil {
			a.Digest = &r.Digest
		}
		x.fault = &a
		return x
	}
	var err error
	if x.entry, err = ledger.ParseEntry(entry); err != nil {
		return fail(alert(KindMalformed, "an entry is neither a commitment nor a signature's record", err.Error(),
			"ask the operator what wrote it: this gate does not"))
	}
	r := x.entry.Record
	if r == nil {
		return x
	}
	const wrote = "ask the operator what wrote it: a gate verifies what it records"
	if x.key, err = m.keyOf(*r); err != nil {
		return fail(alert(KindSignature, "a signature on record names a key that does not hold", err.Error(), wrote))
	}
	if err = x.key.Verify(r.Digest, r.Signature); err != nil {
		a := alert(KindSignature, "a signature on record does not verify", err.Error(), wrote)
		a.Key = x.key.Hint()
		return fail(a)
	}
	return x
}

// judge says what is to be told about one entry of the tree.
func (m *Monitor) judge(ctx context.Context, place Place, t *tree, index int64, x examined) ([]Alert, error) {
	switch {
	case x.fault != nil:
		return []Alert{*x.fault}, nil
	case x.entry.Record == nil:
		return leafNotices(*x.entry.Leaf), nil
	}
	return m.judgeRecord(ctx, place, t, index, *x.entry.Record, x.key)
}

// leafNotices are what a commitment tells by its kind alone.
func leafNotices(l ledger.Leaf) []Alert {
	switch l.Kind { //nolint:exhaustive // the others are a gate's daily work
	case ledger.Orphaned:
		return []Alert{notice(KindOrphaned, "the HSM may have signed something that nobody has", "intent "+l.ID)}
	case ledger.LateSignatureDiscarded:
		return []Alert{notice(KindLate, "signatures came too late and were thrown away", "request "+l.ID)}
	case ledger.TrustedRoot:
		return []Alert{notice(KindTrust, "the gate names a new trusted root", "")}
	case ledger.EpochBegun:
		return []Alert{notice(KindEpoch, "an epoch of the ledger began", "")}
	}
	return nil
}

// judgeRecord holds a signature that verifies against the inventory and what was approved.
func (m *Monitor) judgeRecord(ctx context.Context, place Place, t *tree, index int64, r ledger.Record, key attest.Key) ([]Alert, error) {
	hint := key.Hint()
	about := func(a Alert) []Alert {
		a.Digest, a.Key = &r.Digest, hint
		return []Alert{a}
	}
	purpose, known := m.purposeOf(place, hint)
	if !known {
		return about(alert(KindKey, "a key outside of the inventory signed", "",
			"ask the operator whose key it is; where it is one of theirs, add it to the inventory")), nil
	}
	if m.Published.has(r.Digest) {
		return nil, nil
	}
	f, err := m.account(ctx, t, index, r, key, purpose)
	switch {
	case err != nil:
		return nil, err
	case f.hidden:
		a := alert(KindUnreadable, "the server does not show what a signature is for", f.why,
			"for private repositories give the published releases with --releases, or allow it with --allow-unreadable")
		if m.AllowUnreadable {
			a.Level = LevelNotice
		}
		return about(a), nil
	case f.why != "":
		a := alert(KindUnmatched, "nothing that was approved accounts for a signature", f.why,
			"find out who made it and why: stop using the key until that is known")
		a.Request = f.request
		return about(a), nil
	}
	return nil, nil
}

// keyOf is the key that a record names, by a certificate that holds where it names one.
func (m *Monitor) keyOf(r ledger.Record) (attest.Key, error) {
	if !r.Certificate {
		return attest.ParseKey(r.Key)
	}
	c, err := x509.ParseCertificate(r.Key)
	if err != nil {
		return attest.Key{}, fmt.Errorf("its certificate does not read: %w", err)
	}
	if len(m.CAs) > 0 {
		roots := x509.NewCertPool()
		for _, ca := range m.CAs {
			roots.AddCert(ca)
		}
		// At its own beginning: whether it held when it was used is for the timestamp to say.
		if _, err := c.Verify(x509.VerifyOptions{
			Roots: roots, CurrentTime: c.NotBefore, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
		}); err != nil {
			return attest.Key{}, fmt.Errorf("its certificate is by no authority of the trusted root: %w", err)
		}
	}
	return attest.ParseKey(c.RawSubjectPublicKeyInfo)
}

// purposeOf is what a key may sign; false where nothing.
func (m *Monitor) purposeOf(place Place, hint string) (gate.Purpose, bool) {
	if p, ok := m.Keys[hint]; ok {
		return p, true
	}
	if !m.Pin {
		return "", false
	}
	p, ok := place.Pinned[hint]
	return p, ok
}
