package workload

import (
	"encoding/json"
	"fmt"

	"github.com/countersign/countersign/gate"
)

// token is an ID token taken apart; nothing in it is proved yet.
type token struct {
	jws
	issuer string
	claims *claims
	all    map[string]any
}

func malformed(why string) error {
	return refuse(gate.CodeTokenMalformed, "the ID token does not read: "+why,
		"a JWS in compact form with a JSON claim set", why, "send the ID token exactly as the CI gave it")
}

func parse(raw string) (token, error) {
	if raw == "" {
		return token{}, refuse(gate.CodeTokenMissing, "no ID token came", "an ID token in the header Authorization: Bearer …",
			"none", "grant the job id-token: write (GitHub) or declare id_tokens (GitLab)")
	}
	s, err := compact(raw)
	if err != nil {
		return token{}, err
	}
	payload, err := members("claim set", s.payload)
	if err != nil {
		return token{}, err
	}
	t := token{jws: s}
	if t.all, err = plain(payload); err != nil {
		return token{}, malformed("the claim set is no JSON object")
	}
	t.claims = &claims{members: payload}
	if json.Unmarshal(payload["iss"], &t.issuer) != nil || t.issuer == "" {
		return token{}, refuse(gate.CodeTokenClaims, "the ID token does not say who issued it", "a text as claim iss", "none",
			"send the ID token exactly as the CI gave it")
	}
	return t, nil
}

// members reads a JSON object. A member that stands twice could be read differently by
// whoever else looks at it.
func members(what string, doc []byte) (map[string]json.RawMessage, error) {
	if err := unique(doc); err != nil {
		return nil, malformed(fmt.Sprintf("its %s: %v", what, err))
	}
	var out map[string]json.RawMessage
	if err := json.Unmarshal(doc, &out); err != nil || out == nil {
		return nil, malformed("its " + what + " is no JSON object")
	}
	return out, nil
}

func plain(members map[string]json.RawMessage) (map[string]any, error) {
	out := make(map[string]any, len(members))
	for name, raw := range members {
		var v any
		if err := json.Unmarshal(raw, &v); err != nil {
			return nil, fmt.Errorf("claim %q: %w", name, err)
		}
		out[name] = v
	}
	return out, nil
}
