package attest_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest"
)

// readers are the parsers by the statement that each reads.
func readers() map[string]func([]byte) error {
	return map[string]func([]byte) error{
		gate.StatementVSA:            func(b []byte) error { _, err := attest.ParseVSA(b); return err },
		gate.StatementDecision:       func(b []byte) error { _, err := attest.ParseDecision(b); return err },
		gate.StatementApproval + "1": func(b []byte) error { _, err := attest.ParseApproval(b); return err },
	}
}

func TestParsersRefuseWhatIsNotWhole(t *testing.T) {
	all := statements(t, verdict(t))
	for name, parse := range readers() {
		good := string(all[name])
		if err := parse(all[name]); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		bad := map[string]string{
			"empty":               "",
			"not JSON":            "statement",
			"truncated":           good[:len(good)-1],
			"two":                 good + good,
			"another type":        strings.Replace(good, "Statement/v1", "Statement/v0.1", 1),
			"another predicate":   strings.Replace(good, `"predicateType":"https://`, `"predicateType":"http://`, 1),
			"no subjects":         `{"_type":"https://in-toto.io/Statement/v1","predicateType":"https://slsa.dev/verification_summary/v1","subject":[]}`,
			"subject with no sum": strings.ReplaceAll(good, `"digest":{"sha256"`, `"digest":{"sha1"`),
			"upper-case digest":   strings.ReplaceAll(good, `{"sha256":"`, `{"sha256":"A`),
			"time":                strings.ReplaceAll(good, "T20:0", ""),
			"an array":            "[" + good + "]",
		}
		maps.Copy(bad, parts(name, good))
		for what, text := range bad {
			if parse([]byte(text)) == nil {
				t.Errorf("%s: %s: expected a refusal", name, what)
			}
		}
		// in-toto: consumers must ignore what they do not know.
		if err := parse([]byte(strings.Replace(good, `{"_type"`, `{"_later":{"x":1},"_type"`, 1))); err != nil {
			t.Errorf("%s: a member of a later version: %v", name, err)
		}
		for other := range readers() {
			if other != name && parse(all[other]) == nil {
				t.Errorf("the reader of %s took %s", name, other)
			}
		}
	}
}

// parts are what a statement of one kind cannot lack.
func parts(name, good string) map[string]string {
	switch name {
	case gate.StatementDecision:
		return map[string]string{
			"no gate":            strings.Replace(good, `"gate":`, `"gatf":`, 1),
			"no request":         strings.Replace(good, `"request":`, `"requesu":`, 1),
			"no checks":          strings.Replace(good, `"checks":`, `"chfcks":`, 1),
			"another snapshot":   strings.Replace(good, `"deletion":{"known":false}`, `"deletion":{"known":true}`, 1),
			"an author by name":  strings.ReplaceAll(good, `"id":"github:101"`, `"id":"ana"`),
			"no head nor number": strings.NewReplacer(`"head":`, `"hfad":`, `"number":`, `"numbfr":`).Replace(good),
			"unnumbered counted": strings.Replace(good, `"statement":"approval-1"`, `"statement":"approval-2"`, 1),
			"an unknown outcome": strings.Replace(good, `"outcome":"granted"`, `"outcome":7`, 1),
		}
	case gate.StatementVSA:
		return nil
	}
	return map[string]string{
		"no gate":             strings.Replace(good, `"gate":`, `"gatf":`, 1),
		"an approver by name": strings.Replace(good, `"id":"github:102"`, `"id":"bo"`, 1),
		"no approver":         strings.Replace(good, `"approver":`, `"apprower":`, 1),
		"nothing bound":       strings.Replace(good, `"bound":`, `"bounf":`, 1),
	}
}

// FuzzStatements: whatever comes, the parsers answer, and what they take is over subjects
// with digests.
func FuzzStatements(f *testing.F) {
	for _, payload := range statements(f, verdict(f)) {
		f.Add(payload)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if v, err := attest.ParseVSA(b); err == nil && len(v.Subject) == 0 {
			t.Errorf("a summary over nothing: %q", b)
		}
		if d, err := attest.ParseDecision(b); err == nil && (len(d.Subject) == 0 || len(d.Predicate.Checks) == 0) {
			t.Errorf("a decision over nothing: %q", b)
		}
		if a, err := attest.ParseApproval(b); err == nil && a.Predicate.Approver.ID.ID <= 0 {
			t.Errorf("an approval by nobody: %q", b)
		}
	})
}
