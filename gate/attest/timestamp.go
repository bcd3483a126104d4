package attest

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"time"

	"github.com/digitorus/timestamp"

	"github.com/countersign/countersign/gate"
)

// MaxTimestamp bounds a TimeStampResp, in bytes: a token with its chain.
const MaxTimestamp = 64 << 10

// checkTimestamp wants a whole TimeStampResp (RFC 3161) over the SHA-256 of a signature's
// bytes, whose own signature holds, and returns its time. Whether its maker is trusted is
// for verifiers to say.
func checkTimestamp(response, signature []byte) (time.Time, error) {
	switch {
	case len(response) == 0:
		return time.Time{}, errors.New("expected a time-stamp over it, got none")
	case len(response) > MaxTimestamp:
		return time.Time{}, fmt.Errorf("time-stamp: expected at most %d bytes, got %d", MaxTimestamp, len(response))
	}
	ts, err := timestamp.ParseResponse(response)
	if err != nil {
		return time.Time{}, fmt.Errorf("time-stamp: %w", err)
	}
	want := gate.SHA256(signature)
	if ts.HashAlgorithm != crypto.SHA256 || !bytes.Equal(ts.HashedMessage, want[:]) {
		return time.Time{}, fmt.Errorf("time-stamp: it is not over SHA-256 %s of the signature", want)
	}
	return ts.Time, nil
}
