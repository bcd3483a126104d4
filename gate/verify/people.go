package verify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest"
)

// People is the step of [Release] that says who stands for it.
const People = "people"

// people checks who stands for the release, by number and never by name: that the approvals
// which the decision counted are those which are there, that somebody who had no hand in it
// covers each change, and that enough people approved.
//
// It judges again what the gate judged: a gate that was wrong, or was made to say so, does
// not get past it.
func (r *releasing) people(d attest.DecisionPredicate, approvals map[string]attest.Approval) {
	s := &tree{r: Result{Name: People}}
	s.check("approvals", r.counted(d, approvals), "%d counted, each with a statement of its own", len(approvals))
	for _, c := range d.Changes {
		err := covered(c, d, approvals)
		s.check("change "+c.Called, err, "%s", standing(c))
	}
	if len(d.Changes) == 0 {
		s.pass("changes", "nothing changed since the last release")
	}
	r.facts.Changes = len(d.Changes)
	s.check("independent", independent(d), "somebody approved who did not ask for it")
	r.enough(s, d)
	s.tell("nobody had their own work released on their own word")
	r.t.add(s.done())
}

// counted wants the decision's counted approvals to be the listed statements, one for one.
func (r *releasing) counted(d attest.DecisionPredicate, approvals map[string]attest.Approval) error {
	seen := map[gate.AccountID]string{}
	for _, c := range d.Statements.Counted {
		a, ok := approvals[c.Statement]
		if !ok {
			return fmt.Errorf("the decision counts %s by @%s (%s): expected its statement, got none that holds", c.Statement, c.By.Login, c.By.ID)
		}
		if a.Predicate.Approver.ID != c.By.ID {
			return fmt.Errorf("%s: expected it to be by %s, whom the decision counts, got one by %s", c.Statement, c.By.ID, a.Predicate.Approver.ID)
		}
		if other, twice := seen[c.By.ID]; twice {
			return fmt.Errorf("%s and %s are both by %s: one person counts once", other, c.Statement, c.By.ID)
		}
		seen[c.By.ID] = c.Statement
		if err := same(c.Statement, r.digestOf(c.Statement), c.Digest.SHA256.String()); err != nil {
			return err
		}
	}
	if len(seen) != len(approvals) {
		return fmt.Errorf("expected the %d approvals that the decision counts, got %d", len(seen), len(approvals))
	}
	return nil
}

// digestOf is what the summary says of a statement.
func (r *releasing) digestOf(name string) string {
	for _, x := range r.vsa.Predicate.InputAttestations {
		if strings.HasSuffix(x.URI, "/"+name) {
			return x.Digest.SHA256.String()
		}
	}
	return ""
}

// covered wants somebody outside a change's authors to stand for it, and one more where a
// name on its commits belongs to no account. Who covers it by an approval of the release
// needs that approval's statement to say so.
func covered(c attest.Change, d attest.DecisionPredicate, approvals map[string]attest.Approval) error {
	outside := map[gate.AccountID]bool{}
	for _, by := range c.CoveredBy {
		if slices.ContainsFunc(c.Authors, func(a gate.Authorship) bool { return a.Account.ID == by.Account.ID }) {
			return fmt.Errorf("@%s (%s) is said to cover it, and is one of its authors", by.Account.Login, by.Account.ID)
		}
		if !strings.HasPrefix(by.How, "review of ") && !approved(c, by.Account.ID, d, approvals) {
			return fmt.Errorf("@%s (%s) is said to cover it by %s: expected an approval statement that says so, got none", by.Account.Login, by.Account.ID, by.How)
		}
		outside[by.Account.ID] = true
	}
	needed := 1
	if len(c.Unlinked) > 0 {
		needed = 2
	}
	if !c.Covered || len(outside) < needed {
		return fmt.Errorf("expected %d people other than its %d authors to cover it, got %d", needed, len(c.Authors), len(outside))
	}
	return nil
}

// approved reports whether a counted approval by that account covers the change.
func approved(c attest.Change, by gate.AccountID, d attest.DecisionPredicate, approvals map[string]attest.Approval) bool {
	for _, counted := range d.Statements.Counted {
		a, ok := approvals[counted.Statement]
		if ok && counted.By.ID == by && a.Predicate.Approver.ID == by && slices.Contains(a.Predicate.Covers, c.ChangeNote) {
			return true
		}
	}
	return false
}

// independent wants at least one of the counted to be nobody who asked for the release.
func independent(d attest.DecisionPredicate) error {
	asked := append(slices.Clone(d.Asked.By), d.Workload.Actor)
	for _, c := range d.Statements.Counted {
		if !slices.ContainsFunc(asked, func(a gate.Account) bool { return a.ID == c.By.ID }) {
			return nil
		}
	}
	return fmt.Errorf("expected an approval by somebody who did not ask for the release, got %d by those who did", len(d.Statements.Counted))
}

// enough counts approvers: different accounts, none of whom wrote every change.
func (r *releasing) enough(s *tree, d attest.DecisionPredicate) {
	var names []string
	for _, c := range d.Statements.Counted {
		if !wroteAll(c.By.ID, d.Changes) {
			r.facts.Approvers = append(r.facts.Approvers, c.By)
			names = append(names, fmt.Sprintf("@%s (%s)", c.By.Login, c.By.ID))
		}
	}
	var err error
	if len(names) < r.want.Approvers {
		err = fmt.Errorf("expected at least %d people who did not write all of it, got %d: %s", r.want.Approvers, len(names), orNone(strings.Join(names, ", ")))
	}
	s.check("approvers", err, "%s", orNone(strings.Join(names, ", ")))
}

func wroteAll(who gate.AccountID, changes []attest.Change) bool {
	if len(changes) == 0 {
		return false
	}
	return !slices.ContainsFunc(changes, func(c attest.Change) bool {
		return !slices.ContainsFunc(c.Authors, func(a gate.Authorship) bool { return a.Account.ID == who })
	})
}

// standing says who covers a change and who made it.
func standing(c attest.Change) string {
	var by, authors []string
	for _, x := range c.CoveredBy {
		by = append(by, fmt.Sprintf("@%s (%s), %s", x.Account.Login, x.Account.ID, x.How))
	}
	for _, a := range c.Authors {
		authors = append(authors, fmt.Sprintf("@%s (%s)", a.Account.Login, a.Account.ID))
	}
	return "covered by " + strings.Join(by, "; ") + "; made by " + orNone(strings.Join(append(authors, c.Unlinked...), ", "))
}
