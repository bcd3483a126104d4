package github

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/bradleyfalzon/ghinstallation/v2"
	"github.com/google/go-github/v62/github"

	"github.com/countersign/countersign/gate"
)

// maxReached bounds how many repositories are listed.
const maxReached = 2000

// Repositories lists those that the App is installed on, by name, so that people choose
// one and copy no number. Suspended installations are passed over. Errors are *gate.Error;
// more than 2,000 repositories are one.
func (f *Forge) Repositories(ctx context.Context) ([]gate.RepositoryFacts, error) {
	const op = "list the repositories that the App reaches"
	all, err := f.Installations(ctx)
	if err != nil {
		return nil, err
	}
	out := []gate.RepositoryFacts{}
	for _, in := range all {
		if in.Suspended {
			continue
		}
		c, err := f.looking(in.ID)
		if err != nil {
			return nil, classify(op, err)
		}
		type page struct {
			Repositories []repositoryJSON `json:"repositories"`
		}
		err = pages(ctx, c, nil, func(p page) (bool, error) {
			for _, raw := range p.Repositories {
				if facts, ok := f.restFacts(raw); ok {
					out = append(out, facts)
				}
			}
			if len(out) > maxReached {
				return false, fmt.Errorf("the App reaches more than %d repositories", maxReached)
			}
			return true, nil
		}, "installation", "repositories")
		if err != nil {
			return nil, classify(op, fmt.Errorf("installation %s of %s: %w", strconv.FormatInt(in.ID, 10), in.Owner.Login, err))
		}
	}
	slices.SortFunc(out, func(a, b gate.RepositoryFacts) int {
		return cmp.Or(cmp.Compare(strings.ToLower(a.FullName), strings.ToLower(b.FullName)), cmp.Compare(a.ID.ID, b.ID.ID))
	})
	return out, nil
}

// looking makes a caller that sees an installation's repositories and nothing in them.
func (f *Forge) looking(installation int64) (*caller, error) {
	app, err := ghinstallation.NewAppsTransport(minting{f.transport()}, f.cfg.AppID, f.cfg.PrivateKey)
	if err != nil {
		return nil, fmt.Errorf("sign as App %d: %w", f.cfg.AppID, err)
	}
	rt := ghinstallation.NewFromAppsTransport(app, installation)
	rt.BaseURL = f.api.String()
	rt.InstallationTokenOptions = &github.InstallationTokenOptions{Permissions: &github.InstallationPermissions{Metadata: github.String("read")}}
	return f.caller(f.newClient(rt)), nil
}

// restFacts takes a repository only with its numbers.
func (f *Forge) restFacts(raw repositoryJSON) (gate.RepositoryFacts, bool) {
	if _, _, ok := cut(raw.FullName); !ok || raw.ID <= 0 || raw.Owner.ID <= 0 || raw.DefaultBranch == "" {
		return gate.RepositoryFacts{}, false
	}
	return gate.RepositoryFacts{
		ID: f.repositoryID(raw.ID), Owner: f.account(raw.Owner.ID), OwnerIsUser: raw.Owner.Type == "User", FullName: raw.FullName,
		DefaultBranch: raw.DefaultBranch, Private: raw.Private, URL: raw.HTMLURL,
	}, true
}
