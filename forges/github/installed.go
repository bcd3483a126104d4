package github

import (
	"context"
	"net/http"
	"strconv"
	"strings"
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

// Find is the repository of a name, where the App is installed on it. Names are given to
// others: what is to last keeps its number. Errors: CodeRepositoryUnknown of kind NotFound
// where the App reaches no repository of the name.
func (f *Forge) Find(ctx context.Context, fullName string) (gate.RepositoryFacts, error) {
	op := "find repository " + fullName
	owner, name, ok := cut(fullName)
	if _, err := path(owner, name); !ok || err != nil {
		return gate.RepositoryFacts{}, unknownName(fullName, err)
	}
	app, err := f.app()
	if err != nil {
		return gate.RepositoryFacts{}, classify(op, err)
	}
	var in installation
	if err := app.get(ctx, &in, nil, "repos", owner, name, "installation"); isNotFound(err) || statusOf(err)/100 == 3 {
		return gate.RepositoryFacts{}, unknownName(fullName, err)
	} else if err != nil {
		return gate.RepositoryFacts{}, classify(op, err)
	}
	var token struct { // which repositories it is for; the token itself is left where it is
		Repositories []repositoryJSON `json:"repositories"`
	}
	_, err = app.call(ctx, http.MethodPost, &token, nil, map[string]any{"repositories": []string{name}, "permissions": map[string]string{"metadata": "read"}},
		"app", "installations", strconv.FormatInt(in.ID, 10), "access_tokens")
	switch status := statusOf(err); {
	case status == http.StatusUnprocessableEntity:
		return gate.RepositoryFacts{}, unknownName(fullName, err)
	case err != nil:
		return gate.RepositoryFacts{}, classify(op, err)
	case len(token.Repositories) != 1 || !strings.EqualFold(token.Repositories[0].FullName, fullName):
		return gate.RepositoryFacts{}, unknownName(fullName, nil)
	}
	repo, err := f.open(ctx, f.repositoryID(token.Repositories[0].ID), fullName)
	if err != nil {
		return gate.RepositoryFacts{}, classify(op, err)
	}
	return repo.facts, nil
}

func unknownName(fullName string, err error) error {
	return &gate.Error{
		Kind: gate.NotFound, Code: gate.CodeRepositoryUnknown, Text: "the App reaches no repository of this name",
		Expected: "OWNER/NAME of one that it is installed on", Got: strconv.QuoteToASCII(fullName), Fix: "compare the name, and install the App on the repository", Err: err,
	}
}
