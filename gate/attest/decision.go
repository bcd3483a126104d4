package attest

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/countersign/countersign/gate"
)

// DecisionType is the predicate type of a decision (docs/predicates/decision-v1.md).
const DecisionType = "https://countersign.example/decision/v1"

// Decision is the statement of one decision.
type Decision struct {
	Head

	Predicate DecisionPredicate `json:"predicate"`
}

// DecisionPredicate is everything that a release was granted on.
type DecisionPredicate struct {
	Gate       Verifier       `json:"gate"`
	DecidedAt  string         `json:"decidedAt"`
	Outcome    gate.Outcome   `json:"outcome"`
	Release    Released       `json:"release"`
	Repository RepositoryNote `json:"repository"`
	Asked      Asked          `json:"asked"`
	Workload   Workload       `json:"workload"`
	Range      Range          `json:"range"`
	Changes    []Change       `json:"changes"`
	Checks     []Check        `json:"checks"`
	Statements Said           `json:"statements"`
	Protection Snapshot       `json:"protection"`
	Policy     PolicyNote     `json:"policy"`
	Key        KeyNote        `json:"key"`
}

// RepositoryNote is the repository: by number, and as it was called.
type RepositoryNote struct {
	ID    gate.RepositoryID `json:"id"`
	Owner gate.AccountID    `json:"owner"`
	Name  string            `json:"name"`
	URI   string            `json:"uri"`
}

// Asked is who asked, and when.
type Asked struct {
	At string `json:"at"`
	// By are the accounts on whose behalf runs asked, in order, each once.
	By []gate.Account `json:"by"`
	// Attempt counts the requests for the very same files, from 1.
	Attempt int `json:"attempt"`
}

// Workload is the CI job that asked, as its ID token says. The token's own id is not in it,
// nor are claims that no check reads: some forges put e-mail addresses there.
type Workload struct {
	Forge             gate.ForgeKind `json:"forge"`
	Issuer            string         `json:"issuer"`
	Workflow          string         `json:"workflow"`
	WorkflowRef       string         `json:"workflowRef"`
	WorkflowCommit    string         `json:"workflowCommit"`
	JobWorkflow       string         `json:"jobWorkflow,omitempty"`
	JobWorkflowCommit string         `json:"jobWorkflowCommit,omitempty"`
	Job               string         `json:"job,omitempty"` // as the forge's API called it
	Event             string         `json:"event"`
	Environment       string         `json:"environment,omitempty"`
	Runner            string         `json:"runner"`
	RunID             int64          `json:"runId"`
	RunAttempt        int64          `json:"runAttempt"`
	JobID             int64          `json:"jobId,omitempty"`
	Actor             gate.Account   `json:"actor"`
}

// Range is what was released: everything reachable from Until and not from Since.
type Range struct {
	Since string `json:"since,omitempty"` // the last signed release, or the baseline
	Until string `json:"until"`
}

// Change is one change of the range, with everyone who had a hand in it and everyone who
// covers it. Nobody covers a change of their own.
type Change struct {
	ChangeNote

	Title     string            `json:"title"`
	URI       string            `json:"uri,omitempty"`
	Authors   []gate.Authorship `json:"authors"`
	Unlinked  []string          `json:"unlinked,omitempty"` // names that belong to no account
	Covered   bool              `json:"covered"`
	CoveredBy []gate.CoveredBy  `json:"coveredBy"`
}

// Check is one condition. Evidence is the SHA-256 of what it judged; none where that stands
// in the statement itself.
type Check struct {
	Name     gate.CheckName `json:"name"`
	Outcome  gate.Outcome   `json:"outcome"`
	Reason   string         `json:"reason"`
	Evidence DigestSet      `json:"evidence,omitzero"`
}

// Said is what people said of the release.
type Said struct {
	Counted []Counted `json:"counted"` // approvals, in the order in which they are numbered
	Heeded  []Word    `json:"heeded"`  // holds and what lifted them
	Ignored []Word    `json:"ignored"` // with why
}

// Counted is an approval that counts, by the digest of its own statement's payload.
type Counted struct {
	Statement string       `json:"statement"` // "approval-1"
	Digest    DigestSet    `json:"digest"`
	By        gate.Account `json:"by"`
}

// Word is anything else that somebody said.
type Word struct {
	Verb   gate.Verb    `json:"verb"`
	By     gate.Account `json:"by"`
	SaidAt string       `json:"saidAt"`
	Source Source       `json:"source"`
	Why    string       `json:"why,omitempty"` // it does not count
}

// Snapshot is the protection snapshot of gate/canonical, whole. Its digest is over its RFC
// 8785 form, as which it stands in the statement.
type Snapshot struct {
	Digest   DigestSet       `json:"digest"`
	Snapshot json.RawMessage `json:"snapshot"`
}

// PolicyNote is the policy in force: its digest, and what it was made of.
type PolicyNote struct {
	Digest  DigestSet      `json:"digest"`
	Sources []PolicySource `json:"sources"`
}

// PolicySource is one file that a policy was made of.
type PolicySource struct {
	Name   string    `json:"name"` // "floor:server", or "github:1296269/.countersign.yaml"
	Commit string    `json:"commit,omitempty"`
	Digest DigestSet `json:"digest"`
}

// decision says everything that the grant rests on. Approvals are the statements of the
// counted ones, in order.
func (w *writer) decision(approvals []Statement) (DecisionPredicate, error) {
	d, r := w.Decision, w.Request
	checks, err := w.checks()
	if err != nil {
		return DecisionPredicate{}, err
	}
	return DecisionPredicate{
		Gate: Verifier{ID: w.server}, DecidedAt: moment(d.At), Outcome: d.Outcome, Release: w.released(),
		Repository: RepositoryNote{ID: r.Repository, Owner: r.Owner, Name: r.RepositoryName, URI: w.repository},
		Asked:      Asked{At: moment(r.Created), By: listed(r.Actors), Attempt: r.Attempt},
		Workload:   workload(r), Range: Range{Since: d.Since, Until: r.Commit},
		Changes: changesOf(d.Coverage), Checks: checks, Statements: w.said(approvals),
		Protection: Snapshot{Digest: DigestSet{gate.SHA256(w.snapshot)}, Snapshot: w.snapshot},
		Policy:     policyNote(d.PolicyDigest, w.Sources), Key: w.key,
	}, nil
}

func workload(r gate.Request) Workload {
	w := r.Workload
	return Workload{
		Forge: w.Kind, Issuer: w.Issuer, Workflow: w.Workflow, WorkflowRef: w.WorkflowRef, WorkflowCommit: w.WorkflowCommit,
		JobWorkflow: w.JobWorkflow, JobWorkflowCommit: w.JobWorkflowCommit, Job: r.Run.Job, Event: w.Event,
		Environment: w.Environment, Runner: w.Runner, RunID: w.RunID, RunAttempt: w.RunAttempt, JobID: w.JobID, Actor: w.Actor,
	}
}

func changesOf(all []gate.Coverage) []Change {
	out := make([]Change, 0, len(all))
	for _, c := range all {
		out = append(out, Change{
			ChangeNote: ChangeNote{Called: c.Called, Number: c.Number, Head: c.Head},
			Title:      c.Title, URI: c.URL, Authors: listed(c.Authors), Unlinked: c.Unlinked, Covered: c.Covered, CoveredBy: listed(c.By),
		})
	}
	return out
}

// listed is a list that JSON shows as one, whoever made it.
func listed[T any](list []T) []T { return append([]T{}, list...) }

func policyNote(digest gate.Digest, sources []gate.PolicySource) PolicyNote {
	out := PolicyNote{Digest: DigestSet{digest}, Sources: []PolicySource{}}
	for _, s := range sources {
		out.Sources = append(out.Sources, PolicySource{Name: s.Source, Commit: s.Commit, Digest: DigestSet{s.SHA256}})
	}
	return out
}

// said is what people said. What they wrote beside their command is not repeated: it is
// theirs, and may not be meant for everybody who downloads the release.
func (w *writer) said(approvals []Statement) Said {
	out := Said{Counted: []Counted{}, Heeded: []Word{}, Ignored: []Word{}}
	for i, a := range w.Decision.Counted {
		s := approvals[i]
		out.Counted = append(out.Counted, Counted{Statement: s.Name, Digest: DigestSet{gate.SHA256(s.Payload)}, By: a.By})
	}
	word := func(a gate.Approval, why string) Word {
		return Word{Verb: a.Verb, By: a.By, SaidAt: moment(a.Created), Source: w.source(a), Why: why}
	}
	for _, a := range w.Decision.Heeded {
		out.Heeded = append(out.Heeded, word(a, ""))
	}
	for _, i := range w.Decision.Ignored {
		out.Ignored = append(out.Ignored, word(i.Approval, i.Why))
	}
	return out
}

// ParseDecision reads a decision statement's payload. As in-toto asks, it ignores members
// that it does not know; everything that binds must be there and whole.
func ParseDecision(payload []byte) (Decision, error) {
	var s Decision
	if err := parseStatement(payload, DecisionType, &s); err != nil {
		return Decision{}, err
	}
	p := s.Predicate
	if _, err := time.Parse(time.RFC3339, p.DecidedAt); err != nil {
		return Decision{}, fmt.Errorf("read decision: decidedAt: %w", err)
	}
	switch {
	case p.Gate.ID == "":
		return Decision{}, fmt.Errorf("read decision: expected the gate that decided, got none")
	case p.Release.Request == "" || p.Release.Manifest.SHA256 == (gate.Digest{}) || p.Release.Commit == "":
		return Decision{}, fmt.Errorf("read decision: expected what it is about: request, manifest and commit")
	case len(p.Checks) == 0:
		return Decision{}, fmt.Errorf("read decision: expected checks, got none")
	case gate.SHA256(p.Protection.Snapshot) != p.Protection.Digest.SHA256:
		return Decision{}, fmt.Errorf("read decision: the protection snapshot's digest is not %s", p.Protection.Digest.SHA256)
	}
	for _, c := range p.Changes {
		if err := c.check(); err != nil {
			return Decision{}, err
		}
	}
	for i, c := range p.Statements.Counted {
		if c.Statement != fmt.Sprintf("%s%d", gate.StatementApproval, i+1) || c.Digest.SHA256 == (gate.Digest{}) || c.By.ID.ID <= 0 {
			return Decision{}, fmt.Errorf("read decision: counted approval %d: expected its statement, digest and approver by number", i+1)
		}
	}
	return s, nil
}

// check wants people by number, for names are recycled, and a change that can be found.
func (c Change) check() error {
	numbered := func(a gate.Account) bool { return a.ID.ID > 0 && a.ID.Forge != "" }
	if c.Head == "" && c.Number == 0 || slices.ContainsFunc(c.Authors, func(a gate.Authorship) bool { return !numbered(a.Account) }) ||
		slices.ContainsFunc(c.CoveredBy, func(b gate.CoveredBy) bool { return !numbered(b.Account) }) {
		return fmt.Errorf("read decision: change %q: expected its head or number, and people by number", c.Called)
	}
	return nil
}
