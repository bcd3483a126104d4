package monitor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/canonical"
	"github.com/countersign/countersign/gate/ledger"
)

// attempt is one signing that was granted and intended before it was done.
type attempt struct {
	index   int64 // of the intents' entry
	request string
	spki    []byte
	digests map[gate.Digest]struct{}
}

// has reports whether it intended a signature over the digest by the key.
func (a attempt) has(digest gate.Digest, spki []byte) bool {
	_, ok := a.digests[digest]
	return ok && bytes.Equal(a.spki, spki)
}

// attempt opens the intents and the decision of a signing and holds them against each other.
func (m *Monitor) attempt(ctx context.Context, t *tree, intents, decision int64) (attempt, error) {
	var i intentsDoc
	leaf, err := m.opened(ctx, t, intents, ledger.Intents, &i)
	if err != nil {
		return attempt{}, err
	}
	out := attempt{index: intents, request: i.Request, digests: map[gate.Digest]struct{}{}}
	broken := func(format string, args ...any) error {
		return brokenError{fmt.Errorf("entry %d: %w", intents, fmt.Errorf(format, args...))}
	}
	switch {
	case i.V != docVersion || i.Request == "" || leaf.ID != i.Request || len(i.Intents) == 0:
		return out, broken("expected intents of request %s, got %d of request %q", leaf.ID, len(i.Intents), i.Request)
	case decision < 0 || decision >= intents:
		return out, broken("its decision is entry %d, which came after it", decision)
	}
	out.spki = i.Intents[0].Key.SPKI
	for _, x := range i.Intents {
		if x.Request != i.Request || !bytes.Equal(x.Key.SPKI, out.spki) {
			return out, broken("intent %s is of another request or key", x.ID)
		}
		out.digests[x.Digest] = struct{}{}
	}
	manifest, err := manifestOf(i.Intents)
	if err != nil {
		return out, broken("%w", err)
	}
	return out, m.granted(ctx, t, decision, i.Request, manifest)
}

// granted checks that a decision granted the request, and that what people approved of it is
// what gets signed.
func (m *Monitor) granted(ctx context.Context, t *tree, index int64, request string, manifest gate.Manifest) error {
	var d decisionDoc
	leaf, err := m.opened(ctx, t, index, ledger.Decision, &d)
	if err != nil {
		return err
	}
	broken := func(format string, args ...any) error {
		return brokenError{fmt.Errorf("entry %d: %w", index, fmt.Errorf(format, args...))}
	}
	switch {
	case d.V != docVersion || leaf.ID != request || d.Request != request || d.Decision.Request != request:
		return broken("expected a decision on request %s, got one on %q", request, d.Decision.Request)
	case d.Decision.Outcome != gate.Granted || d.Decision.Audit || len(d.Decision.Checks) == 0:
		return broken("the decision on request %s did not grant it: %s", request, d.Decision.Outcome)
	}
	for _, c := range d.Decision.Checks {
		if c.Outcome != gate.Granted {
			return broken("the decision on request %s granted it against its own check %s", request, c.Name)
		}
	}
	for _, a := range d.Decision.Counted {
		if a.Verb == gate.VerbApprove && (a.Request != request || a.ManifestDigest != manifest.Digest()) {
			return broken("@%.100s approved other files than were signed", a.By.Login)
		}
	}
	return nil
}

// manifestOf is the release that intents sign. Every other intent has to be over it: a
// statement about these files alone, or their SHA256SUMS in some format.
func manifestOf(intents []gate.Intent) (gate.Manifest, error) {
	var subjects []gate.Subject
	for _, i := range intents {
		if i.Kind == gate.IntentSubject {
			subjects = append(subjects, gate.Subject{Name: i.Name, SHA256: i.Digest})
		}
	}
	m, err := canonical.NewManifest(subjects)
	if err != nil {
		return m, fmt.Errorf("the intended files are no release: %w", err)
	}
	for _, i := range intents {
		if err := about(m, i); err != nil {
			return m, fmt.Errorf("intent %s over %q: %w", i.ID, i.Name, err)
		}
	}
	return m, nil
}

func about(m gate.Manifest, i gate.Intent) error {
	switch i.Kind {
	case gate.IntentSubject:
		return nil
	case gate.IntentStatement:
		return aboutStatement(m, i)
	case gate.IntentSums:
		want, err := gate.SumsDigest(gate.Format(i.Name), m, i.Payload)
		switch {
		case err != nil:
			return err
		case want != i.Digest:
			return fmt.Errorf("its digest is not that of SHA256SUMS as %s", i.Name)
		case gate.Format(i.Name) == gate.FormatOpenPGPKey && !certifies(i):
			return errors.New("it certifies another key than its own")
		}
		return nil
	}
	return fmt.Errorf("unknown kind %q", i.Kind)
}

// certifies reports whether an OpenPGP certification is over the key that makes it.
func certifies(i gate.Intent) bool {
	const point = 65 // an uncompressed P-256 point ends the key's SPKI
	spki := i.Key.SPKI
	return len(spki) > point && bytes.Contains(i.Payload, spki[len(spki)-point:])
}

func aboutStatement(m gate.Manifest, i gate.Intent) error {
	if gate.StatementDigest(i.Payload) != i.Digest {
		return errors.New("its digest is not that of its statement")
	}
	subjects, err := statementSubjects(i.Payload)
	if err != nil {
		return err
	}
	for _, d := range subjects {
		if !slices.ContainsFunc(m.Subjects, func(s gate.Subject) bool { return s.SHA256 == d }) {
			return fmt.Errorf("it speaks of a file with digest %s, which is not of the release", d)
		}
	}
	return nil
}
