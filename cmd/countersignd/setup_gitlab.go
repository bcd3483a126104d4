package main

import (
	"context"
	"slices"
	"strings"

	"github.com/countersign/countersign/forges/gitlab"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/web/setup"
)

func (s *setupSite) gitlab() (*gitlab.Forge, error) {
	conf, err := s.now().configForge()
	if err != nil {
		return nil, err
	}
	adapter, err := gitlab.New(gitlabConfig(conf, nil))
	if err != nil {
		return nil, unusable(conf, err)
	}
	return adapter, nil
}

// Projects lists the groups that the bot owns, each for all of its projects, and the projects
// that it administers.
func (s *setupSite) Projects(ctx context.Context) ([]setup.Holder, error) {
	adapter, err := s.gitlab()
	if err != nil {
		return nil, err
	}
	groups, err := adapter.Groups(ctx)
	if err != nil {
		return nil, err
	}
	projects, err := adapter.Projects(ctx)
	if err != nil {
		return nil, err
	}
	var out []setup.Holder
	for _, g := range groups {
		out = append(out, setup.Holder{ID: onGitLab(g.ID), Name: g.Path, Owner: true})
	}
	for _, p := range projects {
		out = append(out, setup.Holder{ID: onGitLab(p.ID), Name: p.Path})
	}
	return out, nil
}

func onGitLab(id int64) string {
	return gate.RepositoryID{Forge: gate.ForgeID(gate.GitLab), ID: id}.String()
}

// Hook gives each group and project a webhook that leads here. Where a group can have none,
// its projects get one each.
func (s *setupSite) Hook(ctx context.Context, chosen []setup.Holder) ([]api.Finding, error) {
	conf, err := s.now().configForge()
	if err != nil {
		return nil, err
	}
	adapter, err := s.gitlab()
	if err != nil {
		return nil, err
	}
	var groups, projects []int64
	for _, h := range chosen {
		id, err := gate.ParseRepositoryID(h.ID)
		if err != nil {
			return nil, err
		}
		if h.Owner {
			groups = append(groups, id.ID)
		} else {
			projects = append(projects, id.ID)
		}
	}
	if projects, err = withThoseOf(ctx, adapter, groups, projects); err != nil {
		return nil, err
	}
	return adapter.Reconcile(ctx, projects, groups, hookOf(s.now().URL, conf.Kind, conf.Name), []byte(conf.WebhookSecret.Reveal()))
}

// withThoseOf adds the projects that lie in the groups themselves.
func withThoseOf(ctx context.Context, adapter *gitlab.Forge, groups, projects []int64) ([]int64, error) {
	if len(groups) == 0 {
		return projects, nil
	}
	all, err := adapter.Repositories(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range all {
		if slices.Contains(groups, p.Owner.ID) && !slices.Contains(projects, p.ID.ID) {
			projects = append(projects, p.ID.ID)
		}
	}
	return projects, nil
}

// hookOf is where a forge's webhook leads.
func hookOf(server string, kind gate.ForgeKind, forge gate.ForgeID) string {
	return strings.TrimRight(server, "/") + "/webhooks/" + string(kind) + "/" + string(forge)
}
