package workload

import (
	"context"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/countersign/countersign/gate"
)

// maxToken bounds an ID token: GitHub's are about 2 KiB, GitLab's with many groups
// about 6.
const maxToken = 16 << 10

// jws is a JWS in compact form taken apart (RFC 7515, section 7.1); nothing in it is
// proved yet.
type jws struct {
	raw     string
	kid     string
	payload []byte
}

// compact takes a JWS apart. It is strict, so that no two texts are one JWS: what was
// signed once comes in one spelling only.
func compact(raw string) (jws, error) {
	parts := strings.Split(raw, ".")
	if len(raw) > maxToken || len(parts) != 3 || parts[2] == "" {
		return jws{}, malformed(fmt.Sprintf("%d bytes in %d parts", len(raw), len(parts)))
	}
	// encoding/base64 skips line ends.
	if strings.ContainsAny(raw, "\r\n") {
		return jws{}, malformed("it holds a line end")
	}
	if _, err := segment("signature", parts[2]); err != nil {
		return jws{}, err
	}
	s := jws{raw: raw}
	doc, err := segment("header", parts[0])
	if err != nil {
		return jws{}, err
	}
	header, err := members("header", doc)
	if err != nil {
		return jws{}, err
	}
	if s.kid, err = keyID(header); err != nil {
		return jws{}, err
	}
	s.payload, err = segment("claim set", parts[1])
	return s, err
}

func segment(what, part string) ([]byte, error) {
	doc, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return nil, malformed("its " + what + " is not base64url")
	}
	return doc, nil
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

// pinned are the keys that one JWS may be signed with. It is the key set that go-oidc
// verifies with: its own would accept every algorithm.
type pinned []*rsa.PublicKey

// VerifySignature returns the payload that one of the keys signed with RS256.
func (p pinned) VerifySignature(_ context.Context, raw string) ([]byte, error) {
	s, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return nil, fmt.Errorf("read JWS: %w", err)
	}
	for _, key := range p {
		if payload, err := s.Verify(key); err == nil {
			return payload, nil
		}
	}
	return nil, errors.New("no key of the issuer verifies the JWS")
}
