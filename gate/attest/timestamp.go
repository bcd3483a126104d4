package attest

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"

	"github.com/digitorus/timestamp"

	"github.com/countersign/countersign/gate"
)

// MaxTimestamp bounds a TimeStampResp, in bytes: a token with its chain.
const MaxTimestamp = 64 << 10

// checkTimestamp wants a whole TimeStampResp (RFC 3161) over the SHA-256 of a signature's
// bytes, whose own signature holds. Whether its maker is trusted is for verifiers to say.
func checkTimestamp(response, signature []byte) error {
	switch {
	case len(response) == 0:
		return errors.New("expected a time-stamp over it, got none")
	case len(response) > MaxTimestamp:
		return fmt.Errorf("time-stamp: expected at most %d bytes, got %d", MaxTimestamp, len(response))
	}
	ts, err := timestamp.ParseResponse(response)
	if err != nil {
		return fmt.Errorf("time-stamp: %w", err)
	}
	want := gate.SHA256(signature)
	if ts.HashAlgorithm != crypto.SHA256 || !bytes.Equal(ts.HashedMessage, want[:]) {
		return fmt.Errorf("time-stamp: it is not over SHA-256 %s of the signature", want)
	}
	return nil
}
