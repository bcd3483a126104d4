package monitor

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

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
		key, err := attest.ParseKeyPEM([]byte(k.PEM))
		if err != nil {
			return nil, fmt.Errorf("key %q version %d of the server: %w", k.Lineage, k.Version, err)
		}
		switch k.Purpose {
		case "", gate.PurposeRelease:
			out[key.Hint()] = gate.PurposeRelease
		case gate.PurposeVerdict:
			out[key.Hint()] = gate.PurposeVerdict
		case gate.PurposeLog, gate.PurposeTimestamp, gate.PurposeCA, gate.PurposeCT: // sign no entry
		}
	}
	if len(out) == 0 {
		return nil, errors.New("the server names no key that signs releases")
	}
	return out, nil
}
