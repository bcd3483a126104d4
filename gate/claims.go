package gate

import "errors"

// ClaimCheck is one claim of an ID token, held against what is expected of it. It is
// shown to whoever sent the token, and only once the issuer's signature is verified:
// Expected and Got are one line each, bounded, and safe to print.
type ClaimCheck struct {
	Claim    string `json:"claim"` // as the forge calls it, such as repository_id
	Expected string `json:"expected"`
	Got      string `json:"got"` // "nothing" where the claim is not there
	OK       bool   `json:"ok"`
}

// ClaimsOf is what err says of the ID token's claims; nil where it says nothing of them.
func ClaimsOf(err error) []ClaimCheck {
	var e *Error
	if errors.As(err, &e) {
		return e.Claims
	}
	return nil
}
