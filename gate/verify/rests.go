package verify

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest"
)

// rests checks what the summary rests on: the decision and the approvals that it lists by
// digest, that they speak of this very release, and that they cover all of it.
func (r *releasing) rests() {
	inputs, err := r.inputs()
	if err != nil {
		r.t.fail("inputs", "%v", err)
		return
	}
	var decision *attest.Decision
	approvals := map[string]attest.Approval{}
	for _, in := range inputs {
		s := &tree{r: Result{Name: "statement " + in.name}}
		payload, ok := r.listed(s, in)
		switch {
		case !ok:
		case in.name == gate.StatementDecision:
			decision = r.decision(s, payload)
		default:
			if a, ok := r.approval(s, payload); ok {
				approvals[in.name] = a
			}
		}
		r.t.add(s.done())
	}
	if decision != nil {
		r.people(decision.Predicate, approvals)
	}
	if release := r.name + "." + gate.StatementRelease; r.files.has(release+attest.BundleSuffix) || r.files.has(release+attest.CertBundleSuffix) {
		s := &tree{r: Result{Name: "statement " + gate.StatementRelease}}
		if payload, _, ok := r.statement(s, gate.StatementRelease); ok {
			var head attest.Head
			r.subjects(s, decodeOne(payload, &head), head)
			s.tell("%s over %d artifacts", head.PredicateType, len(head.Subject))
		}
		r.t.add(s.done())
	}
}

// input is a statement that the summary lists.
type input struct {
	name   string
	digest gate.Digest
}

// inputs are what the summary lists: one decision and its approvals.
func (r *releasing) inputs() ([]input, error) {
	var out []input
	for _, x := range r.vsa.Predicate.InputAttestations {
		name := x.URI[strings.LastIndexByte(x.URI, '/')+1:]
		known := name == gate.StatementDecision || strings.HasPrefix(name, gate.StatementApproval) && attest.IsStatementName(name)
		if !known || slices.ContainsFunc(out, func(i input) bool { return i.name == name }) {
			return nil, fmt.Errorf("expected the statement to list a decision and approvals, each once, got %q", x.URI)
		}
		out = append(out, input{name, x.Digest.SHA256})
	}
	if !slices.ContainsFunc(out, func(i input) bool { return i.name == gate.StatementDecision }) {
		return nil, fmt.Errorf("expected the statement to list the decision that it rests on, got %d other inputs", len(out))
	}
	return out, nil
}

// listed reads a statement that the summary lists: it has to be there, and be the very one.
func (r *releasing) listed(s *tree, in input) ([]byte, bool) {
	payload, _, ok := r.statement(s, in.name)
	if !ok {
		return nil, false
	}
	err := same("SHA-256 of its payload", in.digest.String(), gate.SHA256(payload).String())
	return payload, s.check("listed", err, "the summary lists it by SHA-256 %s", in.digest)
}

func (r *releasing) subjects(s *tree, err error, head attest.Head) bool {
	if err == nil && !slices.Equal(head.Subject, r.vsa.Subject) {
		err = errors.New("expected the artifacts of the summary, got others")
	}
	return s.check("artifacts", err, "the %d of the summary", len(head.Subject))
}

// decision checks the decision against the summary that lists it.
func (r *releasing) decision(s *tree, payload []byte) *attest.Decision {
	d, err := attest.ParseDecision(payload)
	if !r.subjects(s, err, d.Head) {
		return nil
	}
	p, v := d.Predicate, r.vsa.Predicate
	err = r.about(p.Release)
	for _, x := range [][3]string{
		{"gate", v.Verifier.ID, p.Gate.ID},
		{"repository", v.Release.Repository, p.Repository.ID.String()},
		{"last commit of the range", v.Release.Commit, p.Range.Until},
		{"policy", v.Policy.Digest.SHA256.String(), p.Policy.Digest.SHA256.String()},
		{"protection", v.Protection.Digest.SHA256.String(), p.Protection.Digest.SHA256.String()},
	} {
		if err == nil {
			err = same(x[0], x[1], x[2])
		}
	}
	ok := s.check("release", err, "request %s, commit %s, policy %s", p.Release.Request, p.Release.Commit, v.Policy.Digest.SHA256)
	if err = nil; p.Outcome != gate.Granted {
		err = fmt.Errorf("expected a decision that granted, got one that is %s", p.Outcome)
	}
	for _, c := range p.Checks {
		if err == nil && c.Outcome != gate.Granted {
			err = fmt.Errorf("expected every check granted, got %s %s: %s", c.Name, c.Outcome, c.Reason)
		}
	}
	if !s.check("checks", err, "all %d granted at %s", len(p.Checks), p.DecidedAt) || !ok {
		return nil
	}
	s.tell("all %d checks granted at %s, under policy %s", len(p.Checks), p.DecidedAt, p.Policy.Digest.SHA256)
	return &d
}

// approval checks an approval against the summary that lists it.
func (r *releasing) approval(s *tree, payload []byte) (attest.Approval, bool) {
	a, err := attest.ParseApproval(payload)
	if !r.subjects(s, err, a.Head) {
		return attest.Approval{}, false
	}
	p, v := a.Predicate, r.vsa.Predicate
	err = r.about(p.Release)
	for _, x := range [][3]string{
		{"gate", v.Verifier.ID, p.Gate.ID},
		{"approved manifest", v.Release.Manifest.SHA256.String(), p.Bound.Manifest.SHA256.String()},
		{"approved commit", v.Release.Commit, p.Bound.Commit},
		{"policy that was approved under", v.Policy.Digest.SHA256.String(), p.Bound.Policy.SHA256.String()},
		{"approved tag object", v.Release.TagObject, p.Bound.TagObject},
	} {
		if err == nil {
			err = same(x[0], x[1], x[2])
		}
	}
	ok := s.check("release", err, "by @%s (%s), %s at %s, over manifest %s",
		p.Approver.Login, p.Approver.ID, p.Source.Kind, p.SaidAt, p.Bound.Manifest.SHA256)
	s.tell("by @%s (%s), %s at %s", p.Approver.Login, p.Approver.ID, p.Source.Kind, p.SaidAt)
	return a, ok
}

// about wants a statement to be of the summary's release, in everything that names it.
func (r *releasing) about(got attest.Released) error {
	if want := r.vsa.Predicate.Release; got != want {
		return fmt.Errorf("expected a statement on request %s, commit %s, manifest %s of %s, got one on request %s, commit %s, manifest %s of %s",
			want.Request, want.Commit, want.Manifest.SHA256, want.Repository, got.Request, got.Commit, got.Manifest.SHA256, got.Repository)
	}
	return nil
}
