package verify

import (
	"fmt"
	"slices"

	"github.com/countersign/countersign/gate/attest"
)

// summary checks a verification summary whose signature counts.
func summary(t *tree, payload []byte, trust Trust, want Expect, p proof) (attest.VSA, bool) {
	failures := t.failures
	vsa, err := attest.ParseVSA(payload)
	if !t.check("statement", err, "in-toto Statement v1 with a SLSA verification summary v1") {
		return attest.VSA{}, false
	}
	verdict(t, vsa, p.key)
	named(t, vsa, p)
	want.said(t, vsa, trust)
	want.when(t, p)
	return vsa, t.failures == failures
}

// verdict checks what every statement of a gate says.
func verdict(t *tree, vsa attest.VSA, key Key) {
	s := vsa.Predicate
	t.check("result", same("verificationResult", attest.Passed, s.VerificationResult), "%s at %s", s.VerificationResult, s.TimeVerified)
	var err error
	if !slices.Contains(s.VerifiedLevels, attest.Level) {
		err = fmt.Errorf("expected level %s, got %q", attest.Level, s.VerifiedLevels)
	}
	t.check("level", err, "%s", attest.Level)
	t.check("key storage", keyNote(s.Key, key), "key %s version %d lives in %s", s.Key.Lineage, s.Key.Version, s.Key.Storage)
}

func keyNote(n attest.KeyNote, key Key) error {
	if n.Storage != attest.Software && n.Storage != attest.Hardware {
		return fmt.Errorf("expected the statement to say software or hardware, got %q", n.Storage)
	}
	return same("the statement's key", key.Hint(), n.Hint)
}

// named holds the statement against whom the certificate names: one gate, one repository.
func named(t *tree, vsa attest.VSA, p proof) {
	if p.identity == nil {
		return
	}
	s := vsa.Predicate
	err := same("gate", p.identity.Issuer, s.Verifier.ID)
	if err == nil {
		err = same("repository", p.identity.Repository, repositoryURL(s))
	}
	t.check("identity", err, "the certificate is for %s at gate %s", p.identity.Repository, p.identity.Issuer)
}
