package verify

import (
	"errors"
	"fmt"

	"github.com/countersign/countersign/gate"
)

// Artifact checks the Sigstore bundle of one artifact against its SHA-256. Of what is
// expected, only the repository's URL and the times can be held against a bundle over an
// artifact alone; the rest is left to the release's statement.
func Artifact(bundle []byte, trust Trust, artifact gate.Digest, want Expect) Result {
	t := &tree{r: Result{Name: "artifact"}}
	p, ok := trust.artifact(t, bundle, artifact)
	if ok {
		want.source(t, trust, p)
		want.when(t, p)
	}
	return t.done()
}

// artifact checks a bundle and nothing that is expected beyond it.
func (t Trust) artifact(s *tree, text []byte, artifact gate.Digest) (proof, bool) {
	b, err := parseBundle(text)
	if err == nil && b.message == nil {
		err = errors.New("expected a signature over an artifact, got one over a statement")
	}
	if !s.check(stepBundle, err, "Sigstore bundle v0.3 with one message signature") {
		return proof{}, false
	}
	same := s.check("digest", same("SHA-256", artifact.String(), b.message.digest.String()), "SHA-256 %s", artifact)
	// The artifact's own digest, not the bundle's word for it.
	p, ok := t.signed(s, b, artifact)
	return p, ok && same
}

// Statement checks the Sigstore bundle of a release's verification summary, and what it
// says against what is expected.
func Statement(bundle []byte, trust Trust, want Expect) Result {
	t := &tree{r: Result{Name: "statement"}}
	if payload, p, ok := trust.statement(t, bundle); ok {
		summary(t, payload, trust, want, p)
	}
	return t.done()
}

// statement checks a bundle over a statement and returns its payload, of which nothing is
// read before its signature counts.
func (t Trust) statement(s *tree, text []byte) ([]byte, proof, bool) {
	b, err := parseBundle(text)
	if err == nil && b.envelope == nil {
		err = errors.New("expected a signature over a statement, got one over an artifact")
	}
	if !s.check(stepBundle, err, "Sigstore bundle v0.3 with one DSSE signature") {
		return nil, proof{}, false
	}
	e := b.envelope
	if !s.check("payload type", same("", gate.InTotoType, e.payloadType), "%s", e.payloadType) {
		return nil, proof{}, false
	}
	digest := gate.SHA256(gate.PAE(e.payloadType, e.payload))
	p, ok := t.signed(s, b, digest)
	// What the envelope calls the key is no evidence, but it must not call it something else.
	if named := e.keyID; ok && named != p.key.Hint() && (named != "" || b.certificate == nil) {
		s.fail("keyid", "the envelope's keyid names key %q, the signature is by %s", named, p.key.Hint())
		ok = false
	}
	return e.payload, p, ok
}

func same(what, want, got string) error {
	switch {
	case want == got:
		return nil
	case what == "": // the step's name says it
		return fmt.Errorf("expected %s, got %q", want, got)
	}
	return fmt.Errorf("%s: expected %s, got %q", what, want, got)
}
