package authority

import (
	"context"
	"fmt"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
)

// LogKey is the ledger's key under its origin, as checkpoints of the current epoch are signed.
func (a *Authority) LogKey() *ledger.LogKey { return a.log }

// Checkpoint signs a head of the ledger: a signed note (C2SP tlog-checkpoint) without
// cosignatures. That it goes on from what was published before is for the caller to see to:
// this key signs whatever head it is given.
func (a *Authority) Checkpoint(ctx context.Context, h ledger.Head) ([]byte, error) {
	key, _ := a.keys.newest(gate.PurposeLog)
	note, err := ledger.Sign(h, a.log, func(text []byte) ([]byte, error) {
		signature, err := a.sealer.Seal(ctx, key, text)
		if err != nil {
			return nil, fmt.Errorf("seal with %s: %w", called(key), err)
		}
		if !a.log.Verify(text, signature) {
			return nil, badSignature(key)
		}
		return signature, nil
	})
	if err != nil {
		return nil, fmt.Errorf("sign checkpoint of %s at %d: %w", h.Origin, h.Size, err)
	}
	return note, nil
}
