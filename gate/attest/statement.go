package attest

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/canonical"
)

// policyFile is where every repository keeps its policy.
const policyFile = ".countersign.yaml"

// Verdict is a decision with what it takes to say so in public.
type Verdict struct {
	// Server is the gate's public URL: the verifier's identity.
	Server string
	// Repository is the repository's web page. It is for people to follow: what binds is the
	// numeric repository.
	Repository string
	// Request is what a refusal is about. A grant carries its own.
	Request gate.Request
	// Sources are the files that the policy was made of, the repository's own last. What binds
	// is the policy digest.
	Sources []gate.PolicySource
	// Evidence is what was judged; the decision statement names its parts by digest.
	Evidence gate.Evidence
	// Decision must be the live one, straight from [gate.Decide], for [Statements]: a decision
	// that was read from a store carries no grant and yields none.
	Decision gate.Decision
}

// Statement is one unsigned statement of a release.
type Statement struct {
	Name    string // as in a statement's intent: [gate.StatementVSA] and its like
	Payload []byte // in-toto Statement v1, RFC 8785
}

// Statements are the unsigned statements of a granted verdict: the decision, one approval
// per approver that counted, the in-toto release, and last the verification summary (SLSA
// VSA v1) that lists decision and approvals by digest. All are over all subjects, and the
// same verdict gives the same bytes.
//
// The summary's resource URI is the SPDX download location of what was released,
// `git+https://forge/owner/name@refs/tags/v1`, as SLSA names sources; the policy's
// is `git+https://forge/owner/name@commit#.countersign.yaml`. An input's URI is where the
// gate shows the release, with the statement's name; its digest is that of the statement's
// payload, since no signature is there yet.
func Statements(v Verdict) ([]Statement, error) {
	grant, ok := v.Decision.Grant()
	if !ok {
		return nil, errors.New("build statements: expected a granted decision, got one that grants nothing")
	}
	v.Request = grant.Request()
	w, err := newWriter(v)
	if err != nil {
		return nil, err
	}
	if w.key, err = keyNote(grant.Key()); err != nil {
		return nil, fmt.Errorf("build statements: %w", err)
	}
	approvals := make([]Statement, 0, len(v.Decision.Counted))
	for i, a := range v.Decision.Counted {
		s, err := w.statement(gate.StatementApproval+strconv.Itoa(i+1), ApprovalType, w.approval(a))
		if err != nil {
			return nil, err
		}
		approvals = append(approvals, s)
	}
	predicate, err := w.decision(approvals)
	if err != nil {
		return nil, err
	}
	decision, err := w.statement(gate.StatementDecision, DecisionType, predicate)
	if err != nil {
		return nil, err
	}
	inputs := append([]Statement{decision}, approvals...)
	release, err := w.statement(gate.StatementRelease, ReleaseType, w.release())
	if err != nil {
		return nil, err
	}
	summary, err := w.statement(gate.StatementVSA, PredicateType, w.passed(inputs))
	if err != nil {
		return nil, err
	}
	return readable(append(inputs, release, summary))
}

// readable holds statements to their own readers: what nobody could verify is not signed.
func readable(all []Statement) ([]Statement, error) {
	for _, s := range all {
		var err error
		switch {
		case s.Name == gate.StatementVSA:
			_, err = ParseVSA(s.Payload)
		case s.Name == gate.StatementDecision:
			_, err = ParseDecision(s.Payload)
		case strings.HasPrefix(s.Name, gate.StatementApproval):
			_, err = ParseApproval(s.Payload)
		}
		if err != nil {
			return nil, fmt.Errorf("build statement %s: what came does not read: %w", s.Name, err)
		}
	}
	return all, nil
}

// Refusal is the unsigned verification summary of a decision that denied, of a store or
// live: its result is FAILED, and so is its one level, as SLSA 1.2 has it. It is to be
// signed by a verdict key, never by a release key: who looks at signatures alone would take
// it for a grant.
func Refusal(v Verdict) ([]byte, error) {
	if v.Decision.Outcome != gate.Denied || len(v.Decision.Checks) == 0 {
		return nil, fmt.Errorf("build refusal: expected a decision that denied, got one that is %s with %d checks",
			v.Decision.Outcome, len(v.Decision.Checks))
	}
	if v.Request.ID == "" || v.Request.ID != v.Decision.Request {
		return nil, fmt.Errorf("build refusal: the decision is on request %q, not on %q", v.Decision.Request, v.Request.ID)
	}
	w, err := newWriter(v)
	if err != nil {
		return nil, err
	}
	s, err := w.statement(StatementRefusal, PredicateType, w.failed())
	return s.Payload, err
}

// writer writes the statements of one verdict.
type writer struct {
	Verdict

	server, repository string
	key                KeyNote
	snapshot           []byte // RFC 8785, of the protection
}

func newWriter(v Verdict) (*writer, error) {
	w := &writer{Verdict: v}
	var err error
	if w.server, err = webURL("server", v.Server); err != nil {
		return nil, err
	}
	if w.repository, err = webURL("repository", v.Repository); err != nil {
		return nil, err
	}
	if len(v.Request.Manifest.Subjects) == 0 {
		return nil, fmt.Errorf("build statements: request %q has no subjects", v.Request.ID)
	}
	if w.snapshot, err = canonical.ProtectionSnapshot(v.Decision.Protection); err != nil {
		return nil, fmt.Errorf("build statements: protection snapshot: %w", err)
	}
	return w, nil
}

// statement puts a predicate under the release's subjects.
func (w *writer) statement(name, predicateType string, predicate any) (Statement, error) {
	payload, err := plain(struct {
		Head

		Predicate any `json:"predicate"`
	}{Head{Type: StatementType, Subject: subjects(w.Request.Manifest), PredicateType: predicateType}, predicate})
	if err != nil {
		return Statement{}, fmt.Errorf("build statement %s: %w", name, err)
	}
	return Statement{Name: name, Payload: payload}, nil
}

// passed is the summary of a granted release.
func (w *writer) passed(inputs []Statement) Summary {
	s := w.summary()
	s.VerificationResult, s.VerifiedLevels = Passed, []string{Level}
	for _, in := range inputs {
		s.InputAttestations = append(s.InputAttestations, Resource{
			URI: w.page() + "/" + in.Name, Digest: DigestSet{gate.SHA256(in.Payload)},
		})
	}
	return s
}

// failed is the summary of a denied one, with the checks that denied it.
func (w *writer) failed() Summary {
	s := w.summary()
	s.VerificationResult, s.VerifiedLevels = Failed, []string{Failed}
	for _, c := range w.Decision.Checks {
		if c.Outcome == gate.Denied {
			s.Refused = append(s.Refused, Refused{Check: c.Name, Reason: c.Reason})
		}
	}
	return s
}

func (w *writer) summary() Summary {
	return Summary{
		Verifier:     Verifier{ID: w.server},
		TimeVerified: moment(w.Decision.At),
		ResourceURI:  "git+" + w.repository + "@" + w.Request.Ref,
		Policy:       Resource{URI: policyURI(w.repository, w.Sources), Digest: DigestSet{w.Decision.PolicyDigest}},
		SLSAVersion:  slsaVersion,
		Protection:   Protection{Digest: DigestSet{gate.SHA256(w.snapshot)}},
		Release:      w.released(),
		Key:          w.key,
	}
}

// page is where the gate shows the release.
func (w *writer) page() string { return w.server + "/releases/" + w.Request.ID }

func (w *writer) released() Released {
	r := w.Request
	return Released{
		Request: r.ID, Repository: r.Repository.String(), Ref: r.Ref, Commit: r.Commit,
		TagObject: w.Decision.TagObject, Stream: r.Stream, Manifest: DigestSet{r.Manifest.Digest()},
	}
}

func subjects(m gate.Manifest) []Subject {
	out := make([]Subject, 0, len(m.Subjects))
	for _, s := range m.Subjects {
		out = append(out, Subject{Name: s.Name, Digest: DigestSet{s.SHA256}})
	}
	return out
}

func keyNote(v gate.KeyVersion) (KeyNote, error) {
	key, err := ParseKey(v.SPKI)
	if err != nil {
		return KeyNote{}, fmt.Errorf("key %s version %d: %w", v.Lineage, v.Version, err)
	}
	storage := Hardware
	if v.Software {
		storage = Software
	}
	return KeyNote{Lineage: v.Lineage, Version: v.Version, Hint: key.Hint(), Storage: storage}, nil
}

// policyURI follows the SPDX download location: rev after @, path after #. The repository's
// own file comes last, after the floors.
func policyURI(repository string, sources []gate.PolicySource) string {
	uri := "git+" + repository
	if n := len(sources); n > 0 && sources[n-1].Commit != "" {
		uri += "@" + sources[n-1].Commit
	}
	return uri + "#" + policyFile
}

// moment is a time as statements spell it: RFC 3339, UTC, whole seconds; "" for none.
func moment(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Truncate(time.Second).Format(time.RFC3339)
}

// webURL accepts a plain http(s) URL and drops its trailing slash, so that one
// server has one name in everything it signs.
func webURL(what, raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") ||
		u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Contains(raw, "#") {
		return "", fmt.Errorf("build statement: %s URL: expected https://host/path and nothing more", what)
	}
	return strings.TrimRight(raw, "/"), nil
}
