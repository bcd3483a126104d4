package release

import (
	"context"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/canonical"
	"github.com/countersign/countersign/gate/policy"
)

// Adopt puts the policy file at the head of the repository's default branch in
// force, on an administrator's word. The baseline is the commit up to which
// everything counts as released: the first release covers what came after it.
func (g *Gate) Adopt(ctx context.Context, r gate.RepositoryID, baseline, by string) (gate.Adoption, error) {
	if err := canonical.CheckCommit(baseline); err != nil {
		return gate.Adoption{}, err
	}
	port, err := g.port(r.Forge)
	if err != nil {
		return gate.Adoption{}, err
	}
	file, err := port.PolicyFile(ctx, r)
	if err != nil {
		return gate.Adoption{}, withMinimal(err, port.Kind)
	}
	p, err := policy.Parse(file.Content, g.origin(port.Kind, file))
	if err != nil {
		return gate.Adoption{}, err
	}
	if err := g.reaches(ctx, port, file, baseline); err != nil {
		return gate.Adoption{}, err
	}
	a := gate.Adoption{
		ID: g.NewID(), Repository: r, Name: file.Repository.FullName, Owner: file.Repository.Owner,
		File: file.Content, Commit: file.Commit, Baseline: baseline, DefaultBranch: file.Repository.DefaultBranch,
		Digest: p.Digest, By: by, At: g.Now(),
	}
	return a, g.Store.Adopt(ctx, a)
}

// reaches sees to it that the baseline is a commit of the default branch: from any other,
// no release could ever tell what changed since.
func (g *Gate) reaches(ctx context.Context, port Port, file gate.PolicyFile, baseline string) error {
	e := port.Evidence(ctx, headOf(port, file, file.Repository.Owner), gate.Needs{
		Branches: []gate.Matcher{gate.Exactly(file.Repository.DefaultBranch)}, Since: []string{baseline}, NoReviews: true,
	})
	if e.Changes.IsKnown() || baseline == file.Commit {
		return nil
	}
	return &gate.Error{
		Kind: gate.Invalid, Code: gate.CodePolicyNotAdopted, Text: "what changed since the baseline cannot be read: " + e.Changes.Why(),
		Expected: "a commit that " + file.Repository.DefaultBranch + " contains", Got: baseline,
		Fix: "name a commit of the default branch, such as that of the last release",
	}
}
