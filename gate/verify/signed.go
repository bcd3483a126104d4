package verify

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
)

// proof is what a bundle's checked parts prove of its signature.
type proof struct {
	key      Key
	at       time.Time // by a timestamp; the zero time where none was checked
	by       string    // who made the timestamp
	identity *Identity // of the certificate, where one was checked
	origin   string    // the log
	index    int64     // in the log
}

// String says in one line what was trusted.
func (p proof) String() string {
	out := "signed by " + p.key.Hint()
	if p.identity != nil {
		out += ", certified for " + p.identity.Repository
	}
	if !p.at.IsZero() {
		out += ", before " + p.at.Format(time.RFC3339)
	}
	if p.origin != "" {
		out += fmt.Sprintf(", entry %d of log %s", p.index, p.origin)
	}
	return out
}

// Names of steps that every bundle has.
const (
	stepBundle      = "bundle"
	stepTimestamp   = "timestamp"
	stepCertificate = "certificate"
	stepKey         = "key"
	stepRevocation  = "revocation"
	stepSignature   = "signature"
	stepEntry       = "log entry"
	stepCheckpoint  = "checkpoint"
	stepWitnesses   = "witnesses"
)

// noRoot is why a step is not checked without a trusted root.
const noRoot = "there is no trusted root to check it by"

// signed checks everything about a bundle's signature over a digest, one step each. It
// reports whether the signature counts; what it proves means nothing otherwise.
func (t Trust) signed(s *tree, b bundle, digest gate.Digest) (proof, bool) {
	failures := s.failures
	var p proof
	t.checkTime(s, b, &p)
	if t.checkKey(s, b, &p) {
		t.checkRevocation(s, &p)
		s.check(stepSignature, p.key.key.Verify(digest, b.signature()), "ECDSA P-256 over SHA-256 %s", digest)
		t.checkEntry(s, b, digest, &p)
	}
	return p, s.failures == failures
}

// checkTime reads the timestamp, which the certificate's validity hangs on.
func (t Trust) checkTime(s *tree, b bundle, p *proof) {
	switch {
	case t.Root == nil:
		s.skip(stepTimestamp, "when it was signed is not proved: "+noRoot)
	case b.stamp == nil && t.AllowUnlogged:
		s.skip(stepTimestamp, "the bundle has none: when it was signed is not proved")
	case b.stamp == nil:
		s.fail(stepTimestamp, "expected a timestamp in the bundle, got none")
	default:
		at, by, err := t.Root.stampedTime(b.stamp, b.signature())
		if s.check(stepTimestamp, err, "signed before %s, says %s", at.Format(time.RFC3339), by) {
			p.at, p.by = at, by
		}
	}
}

// checkKey finds the key that signed and why it counts.
func (t Trust) checkKey(s *tree, b bundle, p *proof) bool {
	if b.certificate == nil {
		key, err := t.knows(b)
		p.key = key
		if errors.Is(err, errUnvouched) {
			s.lacks(stepKey, "take the release's public key from where you trust it, such as the gate's /v1/keys or its repository, and give it: --key FILE", "%v", err)
			return false
		}
		return s.check(stepKey, err, "%s, %s", key.Hint(), t.why(key))
	}
	if t.Root == nil {
		s.lacks(stepCertificate, "give the gate's trusted root (--trusted-root FILE), or the bundle without certificate", "expected a trusted root to check the certificate by, got none")
		return false
	}
	c, err := t.Root.certified(b.certificate, p.at)
	if !s.check(stepCertificate, err, "for %s, by %s, valid then, listed at %s", c.identity.PolicyURI, c.issuer, c.logged.Format(time.RFC3339)) {
		return false
	}
	p.key, p.identity = c.key, &c.identity
	if t.pinned() && !t.admits(c.key) {
		err = fmt.Errorf("expected the trusted key %s, the certificate is over %s", t.named(), c.key.Hint())
	}
	return s.check(stepKey, err, "%s, %s", c.key.Hint(), t.why(c.key))
}

func (t Trust) checkRevocation(s *tree, p *proof) {
	if len(t.Revoked) == 0 {
		return
	}
	r, ok := t.revocation(p.key)
	switch {
	case !ok:
		s.pass(stepRevocation, "the key is none of %d revoked ones", len(t.Revoked))
	case r.At.IsZero():
		s.fail(stepRevocation, "key %s is revoked", p.key.Hint())
	case p.at.IsZero():
		s.fail(stepRevocation, "key %s is revoked since %s: expected a checked timestamp from before that, got none", p.key.Hint(), r.At.Format(time.RFC3339))
	case !p.at.Before(r.At):
		s.fail(stepRevocation, "key %s is revoked since %s: expected a signature from before that, got one of %s",
			p.key.Hint(), r.At.Format(time.RFC3339), p.at.Format(time.RFC3339))
	default:
		s.pass(stepRevocation, "the key is revoked since %s, and signed this before", r.At.Format(time.RFC3339))
	}
}

// checkEntry checks that the signature is in a listed log, and who saw that log.
func (t Trust) checkEntry(s *tree, b bundle, digest gate.Digest, p *proof) {
	switch {
	case t.Root == nil:
		s.skip(stepEntry, "that it is on record is not proved: "+noRoot)
		return
	case b.entry == nil && t.AllowUnlogged && t.MinWitnesses == 0:
		s.skip(stepEntry, "the bundle has none: that it is on record is not proved")
		return
	case b.entry == nil:
		s.fail(stepEntry, "expected a log entry in the bundle, got none")
		return
	}
	record := ledger.Record{Digest: digest, Signature: b.signature(), Key: p.key.key.SPKI()}
	if b.certificate != nil {
		record.Key, record.Certificate = b.certificate, true
	}
	e := b.entry
	s.check(stepEntry, errors.Join(e.says(record), e.included()), "number %d of %d, and it is this very signature", e.index, e.size)
	head, by, err := e.signedBy(t.Root, t.Witnesses)
	if !s.check(stepCheckpoint, err, "log %s signed for %d entries, root %x", head.Origin, head.Size, head.Root[:]) {
		return
	}
	p.origin, p.index = head.Origin, e.index
	t.checkWitnesses(s, by)
}

func (t Trust) checkWitnesses(s *tree, by []ledger.Cosignature) {
	if t.MinWitnesses == 0 && len(t.Witnesses) == 0 {
		return
	}
	seen := map[string]bool{}
	var who []string
	for _, c := range by {
		if !seen[c.Witness] {
			seen[c.Witness] = true
			who = append(who, c.Witness+" at "+c.At.Format(time.RFC3339))
		}
	}
	var err error
	if len(who) < t.MinWitnesses {
		err = fmt.Errorf("expected the log's checkpoint cosigned by %d of the %d witnesses, got %d: %s",
			t.MinWitnesses, len(t.Witnesses), len(who), strings.Join(who, ", "))
	}
	s.check(stepWitnesses, err, "%d of %d witnesses saw the log: %s", len(who), len(t.Witnesses), strings.Join(who, ", "))
}
