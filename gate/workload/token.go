package workload

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/countersign/countersign/gate"
)

// maxToken bounds an ID token: GitHub's are about 2 KiB, GitLab's with many groups
// about 6.
const maxToken = 16 << 10

// token is an ID token taken apart; nothing in it is proved yet.
type token struct {
	raw    string
	kid    string
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
	parts := strings.Split(raw, ".")
	if len(raw) > maxToken || len(parts) != 3 || parts[2] == "" {
		return token{}, malformed(fmt.Sprintf("%d bytes in %d parts", len(raw), len(parts)))
	}
	// encoding/base64 skips line ends: only one spelling of a token is a token.
	if strings.ContainsAny(raw, "\r\n") {
		return token{}, malformed("it holds a line end")
	}
	if _, err := base64.RawURLEncoding.Strict().DecodeString(parts[2]); err != nil {
		return token{}, malformed("its signature is not base64url")
	}
	header, err := segment("header", parts[0])
	if err != nil {
		return token{}, err
	}
	t := token{raw: raw}
	if t.kid, err = keyID(header); err != nil {
		return token{}, err
	}
	payload, err := segment("claim set", parts[1])
	if err != nil {
		return token{}, err
	}
	if t.all, err = plain(payload); err != nil {
		return token{}, malformed("the claim set is no JSON object")
	}
	t.claims = &claims{members: payload}
	t.issuer = t.claims.text("iss")
	return t, t.claims.err
}

// segment decodes one part into its members. A member that stands twice could be read
// differently by whoever else looks at it.
func segment(what, part string) (map[string]json.RawMessage, error) {
	doc, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return nil, malformed("its " + what + " is not base64url")
	}
	if err := unique(doc); err != nil {
		return nil, malformed(fmt.Sprintf("its %s: %v", what, err))
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(doc, &members); err != nil || members == nil {
		return nil, malformed("its " + what + " is no JSON object")
	}
	return members, nil
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

// keyID reads the header. Only RS256 is accepted, and a key that comes along
// with the token, or the way to one, proves nothing (attack 8).
func keyID(header map[string]json.RawMessage) (string, error) {
	const fix = "send the ID token exactly as the CI gave it"
	for _, name := range []string{"jwk", "jku", "x5u", "x5c", "crit", "b64", "zip"} {
		if _, there := header[name]; there {
			return "", refuse(gate.CodeTokenSignature, "the ID token's header brings what is not accepted",
				"a header with alg and kid", "member "+name, fix)
		}
	}
	h := claims{members: header}
	alg, kid := h.text("alg"), h.text("kid")
	if h.err != nil || alg != "RS256" {
		return "", refuse(gate.CodeTokenSignature, "the ID token is not signed as it must be", "alg RS256 and a kid",
			fmt.Sprintf("alg %s, kid %s", quoted(alg), quoted(kid)), fix)
	}
	return kid, nil
}
