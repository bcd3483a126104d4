package authority

import (
	"context"
	"crypto"
	"crypto/x509"
	"fmt"

	"github.com/countersign/countersign/gate"
)

// Timestamp is a whole DER TimeStampResp over a signature's bytes (RFC 3161, SHA-256), by the
// configured authority outside, or else by the gate's own key. It was verified. Errors:
// CodeTimestamp, kind Unavailable.
func (a *Authority) Timestamp(ctx context.Context, signature []byte) ([]byte, error) {
	imprint := gate.SHA256(signature)
	if a.outside != nil {
		response, err := a.outside.stamp(ctx, imprint, a.now)
		if err != nil {
			return nil, noTimestamp(err)
		}
		return response, nil
	}
	return a.stamp(ctx, imprint)
}

func noTimestamp(err error) *gate.Error {
	return &gate.Error{
		Kind: gate.Unavailable, Code: gate.CodeTimestamp, Text: "the time-stamping authority does not answer as it should",
		Expected: "a time-stamp that verifies under its configured chain", Got: "none",
		Fix: "try again; if it stays, the operator compares the authority's URL and certificate chain with the log", Err: err,
	}
}

// stamp makes a time-stamp with the gate's own key.
func (a *Authority) stamp(ctx context.Context, imprint gate.Digest) ([]byte, error) {
	leaf, chain, err := a.ownStamper(ctx)
	if err != nil {
		return nil, err
	}
	signer, err := a.handle(ctx, gate.PurposeTimestamp)
	if err != nil {
		return nil, err
	}
	now := a.now().UTC()
	ts := ownToken(imprint, now)
	response, err := ts.CreateResponseWithOpts(leaf, signer, crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("make time-stamp: %w", err)
	}
	if err := checkToken(response, asked{imprint: imprint, now: now}, [][]*x509.Certificate{chain}); err != nil {
		return nil, fmt.Errorf("make time-stamp: what came does not verify: %w", err)
	}
	return response, nil
}
