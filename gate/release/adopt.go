package release

import (
	"context"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/canonical"
	"github.com/countersign/countersign/gate/policy"
)

// Adoption is what an administrator has put in force.
type Adoption struct {
	Repository gate.RepositoryID
	// Baseline is the commit up to which everything counts as released: the first release
	// covers what came after it.
	Baseline string
	// Commit is the default branch's commit whose file the administrator saw; "" takes
	// whatever is at its head.
	Commit string
	By     string // administrator
}

// Adopt puts the policy file at the head of the repository's default branch in
// force, on an administrator's word.
func (g *Gate) Adopt(ctx context.Context, o Adoption) (gate.Adoption, error) {
	r := o.Repository
	if err := canonical.CheckCommit(o.Baseline); err != nil {
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
	if o.Commit != "" && o.Commit != file.Commit {
		return gate.Adoption{}, &gate.Error{
			Kind: gate.Conflict, Code: gate.CodePageStale, Text: "the default branch moved since the policy was shown",
			Expected: o.Commit, Got: file.Commit, Fix: "load the page again, read the policy that it shows, and adopt that",
		}
	}
	p, err := policy.Parse(file.Content, g.origin(port.Kind, file))
	if err != nil {
		return gate.Adoption{}, err
	}
	if err := g.reaches(ctx, port, file, o.Baseline); err != nil {
		return gate.Adoption{}, err
	}
	a := gate.Adoption{
		ID: g.NewID(), Repository: r, Name: file.Repository.FullName, Owner: file.Repository.Owner,
		File: file.Content, Commit: file.Commit, Baseline: o.Baseline, DefaultBranch: file.Repository.DefaultBranch,
		Digest: p.Digest, By: o.By, Public: !file.Repository.Private, At: g.Now(),
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
