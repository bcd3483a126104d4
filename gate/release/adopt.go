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
	a := gate.Adoption{
		ID: g.NewID(), Repository: r, Name: file.Repository.FullName, Owner: file.Repository.Owner,
		File: file.Content, Commit: file.Commit, Baseline: baseline, DefaultBranch: file.Repository.DefaultBranch,
		Digest: p.Digest, By: by, At: g.Now(),
	}
	return a, g.Store.Adopt(ctx, a)
}
