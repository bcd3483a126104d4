package gate

import (
	"bytes"
	"errors"
	"fmt"
	"time"
)

// GrantLifetime is how long after its decision a grant may be used.
const GrantLifetime = MaxEvidenceAge

// Grant is the single-use permission of one granted decision: these subjects,
// this key, for seconds. Only [Decide] makes one.
type Grant struct {
	request  Request
	key      KeyVersion
	decided  time.Time
	deadline time.Time
}

// Grant returns the permission that d carries, if all its checks granted.
func (d Decision) Grant() (Grant, bool) {
	if d.grant == nil || d.Outcome != Granted {
		return Grant{}, false
	}
	return *d.grant, true
}

// Request is what was granted.
func (g Grant) Request() Request { return g.request }

// Key is the key version it may be signed with.
func (g Grant) Key() KeyVersion { return g.key }

// Deadline is when the grant ends.
func (g Grant) Deadline() time.Time { return g.deadline }

// Intent is the durable promise to make one signature, written before the HSM is
// asked (I4).
type Intent struct {
	ID      string     `json:"id"` // UUIDv7
	Request string     `json:"request"`
	Attempt int        `json:"attempt"` // of signing, from 1
	Kind    IntentKind `json:"kind"`
	// Name is the subject's name, the statement's (such as [StatementVSA]), or the format of
	// SHA256SUMS.
	Name string `json:"name"`
	// Digest is the SHA-256 that gets signed: the subject's, that of the DSSE PAE, or
	// [SumsDigest].
	Digest Digest `json:"digest"`
	// Payload is the unsigned statement's bytes, or what a format puts around SHA256SUMS; nil
	// for a subject.
	Payload []byte     `json:"payload,omitempty"`
	Key     KeyVersion `json:"key"`
}

// IntentKind is what a signature is over.
type IntentKind string

// Kinds.
const (
	IntentSubject   IntentKind = "subject"   // message signature over one artifact
	IntentStatement IntentKind = "statement" // DSSE over an in-toto statement
	IntentSums      IntentKind = "sums"      // over the release's SHA256SUMS, in one format
)

// Names of a release's statements. Approvals are "approval-1" and so on, in the order in
// which they were counted.
const (
	StatementVSA      = "vsa"
	StatementDecision = "decision"
	StatementRelease  = "release"
	StatementApproval = "approval-" // and a number from 1
)

// Mechanism is how the HSM signs.
type Mechanism string

// ECDSAP256SHA256 is a P-256 signature over a SHA-256 digest, made with CKM_ECDSA
// and returned in DER (RFC 3279).
const ECDSAP256SHA256 Mechanism = "ecdsa-p256-sha256"

// Order is one signing operation. Outside this package only [Grant.Order] makes
// one, so no signature can be asked for without a grant and an intent.
type Order struct {
	intent   Intent
	deadline time.Time
}

// Order turns an intent under g into an order. It refuses what g does not cover.
func (g Grant) Order(i Intent) (Order, error) {
	switch {
	case g.deadline.IsZero():
		return Order{}, errors.New("order: expected a grant from Decide, got the zero grant")
	case i.ID == "" || i.Attempt < 1:
		return Order{}, errors.New("order: expected a durable intent, got one without id or attempt")
	case i.Request != g.request.ID:
		return Order{}, fmt.Errorf("order: grant is for request %s, intent for %s", g.request.ID, i.Request)
	case i.Key.Lineage != g.key.Lineage || i.Key.Version != g.key.Version || string(i.Key.SPKI) != string(g.key.SPKI):
		return Order{}, fmt.Errorf("order: grant is for key %s version %d, intent for %s version %d",
			g.key.Lineage, g.key.Version, i.Key.Lineage, i.Key.Version)
	case i.Kind == IntentSubject && !g.covers(i.Name, i.Digest):
		return Order{}, fmt.Errorf("order: %q with digest %s is no subject of request %s", i.Name, i.Digest, i.Request)
	case i.Kind == IntentStatement && (i.Name == "" || len(i.Payload) == 0 || i.Digest != StatementDigest(i.Payload)):
		return Order{}, fmt.Errorf("order: digest %s of %q is not that of its statement", i.Digest, i.Name)
	case i.Kind == IntentSums && !g.coversSums(i):
		return Order{}, fmt.Errorf("order: digest %s is not that of SHA256SUMS of request %s as %s", i.Digest, i.Request, i.Name)
	case i.Kind != IntentSubject && i.Kind != IntentStatement && i.Kind != IntentSums:
		return Order{}, fmt.Errorf("order: unknown kind %q", i.Kind)
	}
	return Order{intent: i, deadline: g.deadline}, nil
}

func (g Grant) covers(name string, d Digest) bool {
	for _, s := range g.request.Manifest.Subjects {
		if s.Name == name && s.SHA256 == d {
			return true
		}
	}
	return false
}

// coversSums recomputes what a format signs from the granted manifest itself. A key's own
// OpenPGP certification has to be over that very key.
func (g Grant) coversSums(i Intent) bool {
	digest, err := SumsDigest(Format(i.Name), g.request.Manifest, i.Payload)
	if err != nil || digest != i.Digest {
		return false
	}
	const point = 65 // an uncompressed P-256 point ends the key's SPKI
	spki := g.key.SPKI
	return Format(i.Name) != FormatOpenPGPKey || len(spki) > point && bytes.Contains(i.Payload, spki[len(spki)-point:])
}

// Intent is the order's intent.
func (o Order) Intent() Intent { return o.intent }

// Digest is what gets signed.
func (o Order) Digest() Digest { return o.intent.Digest }

// Key is the key version to sign with.
func (o Order) Key() KeyVersion { return o.intent.Key }

// Mechanism is how to sign.
func (o Order) Mechanism() Mechanism { return ECDSAP256SHA256 }

// Deadline is when the signer must have given up.
func (o Order) Deadline() time.Time { return o.deadline }

// Signature is a signature that was verified under its key's public half.
type Signature struct {
	Intent string    `json:"intent"`
	Bytes  []byte    `json:"bytes"` // DER ECDSA-Sig-Value
	At     time.Time `json:"at"`
}
