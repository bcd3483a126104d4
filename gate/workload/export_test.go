package workload

import "context"

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
