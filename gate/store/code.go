package store

import (
	"crypto/rand"
	"fmt"
	"strings"
)

const (
	// codeAlphabet has nothing that a person could take for something else (0 o, 1 i l, u v).
	codeAlphabet = "23456789abcdefghjkmnpqrstvwxyz"
	codeDigits   = "23456789"
	codeLength   = 4
	// codeTries is how many codes are tried before giving up: with a thousand requests
	// open in a repository, one in eight hundred is taken.
	codeTries = 32
)

// newCode is four random characters with a digit among them, so that no code is a
// word that somebody types.
func newCode() (string, error) {
	for {
		b := make([]byte, 4*codeLength)
		if _, err := rand.Read(b); err != nil {
			return "", fmt.Errorf("draw a request code: %w", err)
		}
		var code strings.Builder
		for _, x := range b {
			// 240 is the largest multiple of 30 in a byte: what is above would favour the
			// alphabet's beginning.
			if x < 240 && code.Len() < codeLength {
				code.WriteByte(codeAlphabet[int(x)%len(codeAlphabet)])
			}
		}
		if code.Len() == codeLength && strings.ContainsAny(code.String(), codeDigits) {
			return code.String(), nil
		}
	}
}
