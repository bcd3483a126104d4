package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/store/internal/db"
)

// addApprovals stores statements, each comment's once, however often its delivery comes.
func (u *unit) addApprovals(ctx context.Context, approvals []gate.Approval) (fresh bool, err error) {
	for _, a := range approvals {
		doc, err := json.Marshal(a)
		if err != nil {
			return false, internal("encode approval %s: %w", a.ID, err)
		}
		n, err := u.q.InsertApproval(ctx, db.InsertApprovalParams{
			ID: a.ID, RequestID: a.Request, Verb: string(a.Verb), Source: source(a), Comment: commentOf(a),
			Document: string(doc), HeardAt: u.at,
		})
		if err != nil {
			return false, fmt.Errorf("store approval %s: %w", a.ID, err)
		}
		if n == 0 {
			continue
		}
		fresh = true
		if err := u.record(statementKind(a.Verb), a.ID, approvalDoc{V: docVersion, Approval: a}); err != nil {
			return false, err
		}
	}
	return fresh, nil
}

// statementKind is what the leaf of a statement says.
func statementKind(v gate.Verb) ledger.Kind {
	switch v {
	case gate.VerbHold:
		return ledger.Hold
	case gate.VerbUnhold:
		return ledger.Unhold
	case gate.VerbWithdraw:
		return ledger.Withdrawal
	case gate.VerbApprove, gate.VerbDeny, gate.VerbRetry, gate.VerbStatus, gate.VerbHelp:
	}
	return ledger.Approval
}

// source identifies a statement: one comment says one thing once. What was not said in
// a comment is identified by its own id.
func source(a gate.Approval) string {
	comment := commentOf(a)
	if comment == "" {
		return a.ID
	}
	return fmt.Sprintf("%s %s %s", comment, a.By.ID, a.Verb)
}

// commentOf is where a statement was made; "" for one that was not made in a comment.
func commentOf(a gate.Approval) string {
	c := a.Source
	if a.Page || c.ID == 0 {
		return ""
	}
	return fmt.Sprintf("%s %d %t %d", c.Repository, c.Thread.Number, c.Thread.Issue, c.ID)
}

// unheard are the statements whose comment is not on record, for whatever request: a
// comment that is read again in its thread must not speak for a later request.
func (u *unit) unheard(ctx context.Context, all []gate.Approval) ([]gate.Approval, error) {
	var out []gate.Approval
	for _, a := range all {
		if commentOf(a) == "" { // said on a page: there is nothing to read twice
			out = append(out, a)
			continue
		}
		n, err := u.q.OnRecord(ctx, commentOf(a))
		if err != nil {
			return nil, fmt.Errorf("look for the comment of statement %s: %w", a.ID, err)
		}
		if n == 0 {
			out = append(out, a)
		}
	}
	return out, nil
}

// Approvals lists the statements about a request in the order in which they were heard.
func (s *Store) Approvals(ctx context.Context, request string) ([]gate.Approval, error) {
	docs, err := s.read().Approvals(ctx, request)
	if err != nil {
		return nil, fault("list the approvals of request "+request, err)
	}
	out := make([]gate.Approval, len(docs))
	for i, doc := range docs {
		if err := json.Unmarshal([]byte(doc), &out[i]); err != nil {
			return nil, internal("decode an approval of request %s: %w", request, err)
		}
	}
	return out, nil
}

// Released lists the commits of the stream's signed releases, the newest first, each once.
func (s *Store) Released(ctx context.Context, r gate.RepositoryID, stream string, limit int) ([]string, error) {
	commits, err := s.read().Released(ctx, db.ReleasedParams{
		Forge: string(r.Forge), RepositoryID: r.ID, Stream: stream, Most: most(limit),
	})
	if err != nil {
		return nil, fault(fmt.Sprintf("list the releases of %s", r), err)
	}
	return commits, nil
}

// Adopt puts a policy version in force for its repository, with its leaf. Every open
// request of the repository is judged again; a decision under the older policy that
// is still under way will not be stored.
func (s *Store) Adopt(ctx context.Context, a gate.Adoption) error {
	if a.ID == "" || a.Repository.ID == 0 {
		return internal("adopt a policy: expected an id and a repository, got %q and %s", a.ID, a.Repository)
	}
	doc, err := json.Marshal(a)
	if err != nil {
		return internal("encode adoption %s: %w", a.ID, err)
	}
	return s.transact(ctx, fmt.Sprintf("adopt a policy for %s", a.Repository), func(ctx context.Context, u *unit) error {
		seq, err := u.q.InsertAdoption(ctx, db.InsertAdoptionParams{
			ID: a.ID, Forge: string(a.Repository.Forge), RepositoryID: a.Repository.ID,
			Document: string(doc), AdoptedAt: u.at,
		})
		if err != nil {
			return err
		}
		if err := u.record(ledger.PolicyAdopted, a.ID, adoptedDoc{V: docVersion, Adoption: a}); err != nil {
			return err
		}
		u.news = true
		rows, err := u.q.OpenOfRepositoryForUpdate(ctx, db.OpenOfRepositoryForUpdateParams{
			Forge: string(a.Repository.Forge), RepositoryID: a.Repository.ID,
		})
		if err != nil {
			return fmt.Errorf("list the open requests of %s: %w", a.Repository, err)
		}
		for _, row := range rows {
			u.disturb(&row)
			if err := u.save(ctx, &row); err != nil {
				return err
			}
		}
		if err := u.countAdopted(ctx, a.Repository, seq); err != nil {
			return err
		}
		return u.watch(ctx, a)
	})
}

// InForce is the policy adopted last for a repository.
func (s *Store) InForce(ctx context.Context, r gate.RepositoryID) (gate.Adoption, error) {
	doc, err := s.read().InForce(ctx, db.InForceParams{Forge: string(r.Forge), RepositoryID: r.ID})
	ok, err := found(err)
	if err != nil {
		return gate.Adoption{}, fault(fmt.Sprintf("find the policy of %s", r), err)
	}
	if !ok {
		return gate.Adoption{}, &gate.Error{
			Kind: gate.Refused, Code: gate.CodePolicyNotAdopted, Text: "no policy is adopted for this repository yet",
			Expected: "an adopted .countersign.yaml", Got: "none for " + r.String(),
			Fix: "an administrator of the gate runs: countersignd policy adopt --repository " + r.String() + " --baseline COMMIT",
		}
	}
	var a gate.Adoption
	if err := json.Unmarshal([]byte(doc), &a); err != nil {
		return gate.Adoption{}, internal("decode the policy in force of %s: %w", r, err)
	}
	return a, nil
}
