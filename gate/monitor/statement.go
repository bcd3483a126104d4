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

// refusal checks that what a verdict key signed is a refusal. Nothing commits to the statement
// that the server shows, but what was signed is its digest.
func refusal(payload []byte, digest gate.Digest) error {
	if len(payload) == 0 || gate.StatementDigest(payload) != digest {
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
