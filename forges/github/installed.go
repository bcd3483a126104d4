package github

import (
	"context"
	"time"

	"github.com/countersign/countersign/gate"
)

// accountJSON is the account of an installation (REST API, schema installation): a user,
// an organisation, or an enterprise, which has a slug.
type accountJSON struct {
	userJSON

	Slug string `json:"slug"`
}

// Installation is the App on one owner, as GitHub tells the App itself.
type Installation struct {
	ID          int64
	Owner       gate.Account // a person's where OwnerIsUser
	OwnerIsUser bool
	Suspended   bool
	// All is whether it reaches all repositories of the owner, and not chosen ones.
	All     bool
	Created time.Time
}

// Installations lists where the App is installed. What a browser says about an installation
// proves nothing; this does. Errors are *gate.Error.
func (f *Forge) Installations(ctx context.Context) ([]Installation, error) {
	const op = "list the App's installations"
	app, err := f.app()
	if err != nil {
		return nil, classify(op, err)
	}
	type installationItem struct {
		installation

		Account   accountJSON `json:"account"`
		Selection string      `json:"repository_selection"`
		CreatedAt time.Time   `json:"created_at"`
	}
	all, err := list[installationItem](ctx, app, nil, "app", "installations")
	if err != nil {
		return nil, classify(op, err)
	}
	out := []Installation{}
	for _, in := range all {
		owner, ok := f.toAccount(&in.Account.userJSON)
		if in.ID <= 0 || in.AppID != f.cfg.AppID || !ok {
			continue // of an enterprise, whose repositories it does not reach
		}
		out = append(out, Installation{
			ID: in.ID, Owner: owner, OwnerIsUser: in.Account.Type == "User", Suspended: in.SuspendedAt != nil,
			All: in.Selection == "all", Created: in.CreatedAt,
		})
	}
	return out, nil
}
