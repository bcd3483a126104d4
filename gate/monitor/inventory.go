package monitor

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/attest"
)

// ParseFingerprint reads a key's fingerprint, SHA256:… as ssh-keygen -l prints it.
func ParseFingerprint(s string) (string, error) {
	if ok, err := regexp.MatchString(`^SHA256:[A-Za-z0-9+/]{43}$`, s); err != nil || !ok {
		return "", fmt.Errorf("expected a fingerprint such as SHA256:… of ssh-keygen -l, got %.100q", s)
	}
	return s, nil
}

// parseKeys reads what GET /v1/keys answers: who may sign what, by fingerprint.
func parseKeys(b []byte) (map[string]gate.Purpose, error) {
	var keys []api.Key
	if err := json.Unmarshal(b, &keys); err != nil {
		return nil, fmt.Errorf("decode the server's keys: %w", err)
	}
	out := map[string]gate.Purpose{}
	for _, k := range keys {
		if !slices.Contains([]gate.Purpose{"", gate.PurposeRelease, gate.PurposeVerdict}, k.Purpose) {
			continue // it signs no entry, and may be of another kind
		}
		key, err := attest.ParseKeyPEM([]byte(k.PEM))
		if err != nil {
			return nil, fmt.Errorf("key %q version %d of the server: %w", k.Lineage, k.Version, err)
		}
		out[key.Hint()] = cmp.Or(k.Purpose, gate.PurposeRelease)
	}
	if len(out) == 0 {
		return nil, errors.New("the server names no key that signs releases")
	}
	return out, nil
}
