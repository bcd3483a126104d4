package gitlab

import (
	"context"

	"github.com/countersign/countersign/gate"
)

// Repositories lists the projects in which the gate's account is Maintainer or more, by path:
// in others it could not do its work. Errors are *gate.Error.
func (f *Forge) Repositories(ctx context.Context) ([]gate.RepositoryFacts, error) {
	all, err := f.administered(ctx)
	if err != nil {
		return nil, err
	}
	var out []gate.RepositoryFacts
	for _, p := range all {
		out = append(out, gate.RepositoryFacts{
			ID: gate.RepositoryID{Forge: f.forge, ID: p.ID}, Owner: gate.AccountID{Forge: f.forge, ID: p.Namespace.ID},
			OwnerIsUser: p.Namespace.Kind == "user", FullName: p.PathWithNamespace, DefaultBranch: p.DefaultBranch,
			Private: p.Visibility != "public", URL: p.WebURL,
		})
	}
	return out, nil
}
