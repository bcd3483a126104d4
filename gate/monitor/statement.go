package monitor

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/countersign/countersign/gate"
)

// failedResult is a VSA's word for a refusal (SLSA VSA v1).
const failedResult = "FAILED"

// statement is an in-toto statement (Attestation Framework v1), as far as it matters here.
type statement struct {
	Subject []struct {
		Digest struct {
			SHA256 gate.Digest `json:"sha256"`
		} `json:"digest"`
	} `json:"subject"`
	Predicate struct {
		Result string `json:"verificationResult"`
	} `json:"predicate"`
}

func parseStatement(payload []byte) (statement, error) {
	var s statement
	if err := json.Unmarshal(payload, &s); err != nil {
		return s, fmt.Errorf("its statement does not read: %w", err)
	}
	if len(s.Subject) == 0 {
		return s, errors.New("its statement speaks of no file")
	}
	return s, nil
}

func statementSubjects(payload []byte) ([]gate.Digest, error) {
	s, err := parseStatement(payload)
	out := make([]gate.Digest, 0, len(s.Subject))
	for _, x := range s.Subject {
		out = append(out, x.Digest.SHA256)
	}
	return out, err
}

// refusal checks that what a verdict key signed is a refusal. Nothing commits to the document
// that says so, but the digest does: it is the statement's own.
func refusal(document []byte, digest gate.Digest) error {
	var doc struct {
		Statement []byte `json:"statement"`
		Verdict   struct {
			Statement []byte `json:"statement"`
		} `json:"verdict"`
	}
	if err := json.Unmarshal(document, &doc); err != nil {
		return brokenError{fmt.Errorf("the document of its entry does not read: %w", err)}
	}
	payload := doc.Statement
	if payload == nil {
		payload = doc.Verdict.Statement
	}
	if gate.StatementDigest(payload) != digest {
		return brokenError{errors.New("the statement that the server shows for it has another digest")}
	}
	s, err := parseStatement(payload)
	if err != nil {
		return brokenError{err}
	}
	if s.Predicate.Result != failedResult {
		return brokenError{fmt.Errorf("the verdict key signed a statement that says %.40q: it may only refuse", s.Predicate.Result)}
	}
	return nil
}
