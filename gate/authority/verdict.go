package authority

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/countersign/countersign/gate"
)

// failed is the only result that a verdict key signs (SLSA VSA v1, verificationResult).
const failed = "FAILED"

// MaxVerdict bounds a statement about a request that ended denied, in bytes.
const MaxVerdict = 1 << 20

// Verdict signs a statement about a request that ended denied. It refuses one that says
// anything but FAILED: this key never says that something may be used. Its
// time-stamp is for the caller to ask for.
func (a *Authority) Verdict(ctx context.Context, request string, statement []byte) (gate.SignedVerdict, error) {
	if len(statement) > MaxVerdict {
		return gate.SignedVerdict{}, fmt.Errorf("sign verdict on %s: expected at most %d bytes, got %d", request, MaxVerdict, len(statement))
	}
	var said struct {
		Predicate struct {
			Result string `json:"verificationResult"`
		} `json:"predicate"`
	}
	if err := json.Unmarshal(statement, &said); err != nil {
		return gate.SignedVerdict{}, fmt.Errorf("sign verdict on %s: expected a statement in JSON: %w", request, err)
	}
	if request == "" || said.Predicate.Result != failed {
		return gate.SignedVerdict{}, errors.New("sign verdict: expected a request and a statement that says " + failed)
	}
	key, signature, err := a.sealDigest(ctx, gate.PurposeVerdict, gate.StatementDigest(statement))
	if err != nil {
		return gate.SignedVerdict{}, fmt.Errorf("sign verdict on %s: %w", request, err)
	}
	return gate.SignedVerdict{Request: request, Statement: statement, Key: key.KeyVersion, Signature: signature, At: a.now()}, nil
}
