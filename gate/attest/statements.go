package attest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/countersign/countersign/gate"
)

// checkStatements wants a verification summary, other statements that are each known and
// there once, all of them over the manifest's subjects, and orders them.
func (sigs *signatures) checkStatements(m gate.Manifest) error {
	slices.SortStableFunc(sigs.statements, func(a, b gate.SignedIntent) int {
		return cmp.Compare(statementOrder(a.Intent.Name), statementOrder(b.Intent.Name))
	})
	for i, s := range sigs.statements {
		name := s.Intent.Name
		switch {
		case !IsStatementName(name) || name == StatementRefusal:
			return fmt.Errorf("release files: a release has no statement %q", name)
		case i > 0 && sigs.statements[i-1].Intent.Name == name:
			return fmt.Errorf("release files: expected one statement %s, got two", name)
		}
		if _, err := signedBy(s, gate.IntentStatement); err != nil {
			return err
		}
		head, err := parseHead(s.Intent.Payload)
		if err != nil {
			return fmt.Errorf("release files: statement %s: %w", name, err)
		}
		if !slices.Equal(head.Subject, subjects(m)) {
			return fmt.Errorf("release files: the subjects of statement %s are not those of manifest %s", name, m.Digest())
		}
	}
	if len(sigs.statements) == 0 || sigs.statements[0].Intent.Name != gate.StatementVSA {
		return errors.New("release files: expected a signed verification summary, got none")
	}
	return nil
}

// checkInputs wants the summary to list the decision and the approvals, as they are, and
// nothing else.
func (sigs *signatures) checkInputs() error {
	vsa, err := ParseVSA(sigs.statements[0].Intent.Payload)
	if err != nil {
		return fmt.Errorf("release files: %w", err)
	}
	listed := map[string]gate.Digest{}
	for _, in := range vsa.Predicate.InputAttestations {
		listed[in.URI[strings.LastIndexByte(in.URI, '/')+1:]] = in.Digest.SHA256
	}
	if len(listed) != len(vsa.Predicate.InputAttestations) {
		return errors.New("release files: the verification summary lists an input twice")
	}
	for _, s := range sigs.statements[1:] {
		if s.Intent.Name == gate.StatementRelease {
			continue
		}
		if listed[s.Intent.Name] != gate.SHA256(s.Intent.Payload) {
			return fmt.Errorf("release files: the verification summary does not list statement %s as it is", s.Intent.Name)
		}
		delete(listed, s.Intent.Name)
	}
	for name := range listed {
		return fmt.Errorf("release files: the verification summary lists %q: there is no such statement", name)
	}
	return nil
}

// statementOrder is where a statement's files stand: the summary first, then what it rests
// on.
func statementOrder(name string) int {
	const last = 1 << 20
	switch name {
	case gate.StatementVSA:
		return 0
	case gate.StatementDecision:
		return 1
	case gate.StatementRelease:
		return last
	}
	n, err := strconv.Atoi(strings.TrimPrefix(name, gate.StatementApproval))
	if err != nil {
		return last + 1
	}
	return 1 + n
}

// Head is what every in-toto statement begins with.
type Head struct {
	Type          string    `json:"_type"`
	Subject       []Subject `json:"subject"`
	PredicateType string    `json:"predicateType"`
}

// parseHead reads what a statement of any type says of its subjects.
func parseHead(payload []byte) (Head, error) {
	var h Head
	if err := decodeOne(payload, &h); err != nil {
		return Head{}, err
	}
	switch {
	case h.Type != StatementType:
		return Head{}, fmt.Errorf("read statement: expected _type %s, got %q", StatementType, h.Type)
	case len(h.Subject) == 0:
		return Head{}, errors.New("read statement: expected at least one subject, got none")
	}
	for _, x := range h.Subject {
		if x.Name == "" || x.Digest.SHA256 == (gate.Digest{}) {
			return Head{}, fmt.Errorf("read statement: subject %q: expected a name and its SHA-256", x.Name)
		}
	}
	return h, nil
}

// parseStatement reads a statement of one predicate type into a struct that embeds [Head].
func parseStatement(payload []byte, predicateType string, into any) error {
	head, err := parseHead(payload)
	if err != nil {
		return err
	}
	if head.PredicateType != predicateType {
		return fmt.Errorf("read statement: expected predicateType %s, got %q", predicateType, head.PredicateType)
	}
	return decodeOne(payload, into)
}

// decodeOne reads one JSON object and nothing after it. As in-toto asks, members that are
// not known are left aside.
func decodeOne(payload []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(payload))
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("read statement: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("read statement: expected one JSON object, got more after it")
	}
	return nil
}
