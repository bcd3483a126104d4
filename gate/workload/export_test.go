package workload

import (
	"context"
	"time"

	"github.com/countersign/countersign/gate"
)

// VerifyJWS is the way of an ID token's signature: taken apart, the key found by its id
// in a key set (RFC 7517), verified. It returns the payload.
func VerifyJWS(ctx context.Context, keySet []byte, raw string) ([]byte, error) {
	s, err := compact(raw)
	if err != nil {
		return nil, err
	}
	keys, err := usable(keySet)
	if err != nil {
		return nil, err
	}
	return keys[s.kid].VerifySignature(ctx, raw)
}

// ReadClaims reads an ID token's claims as they are read once its signature is verified.
func ReadClaims(i Issuer, audience string, now time.Time, raw string) (gate.Workload, error) {
	t, err := parse(raw)
	if err != nil {
		return gate.Workload{}, err
	}
	w := reading{issuer: i, audiences: []string{audience}, now: now}.workload(t.claims)
	w.Claims = t.all
	if t.claims.err != nil {
		return gate.Workload{}, t.claims.told(t.claims.err)
	}
	return w, nil
}
