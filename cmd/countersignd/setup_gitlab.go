package main

import (
	"context"
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

// Projects lists those that the bot administers.
func (s *setupSite) Projects(ctx context.Context) ([]setup.Holder, error) {
	adapter, err := s.gitlab()
	if err != nil {
		return nil, err
	}
	all, err := adapter.Projects(ctx)
	var out []setup.Holder
	for _, p := range all {
		id := gate.RepositoryID{Forge: gate.ForgeID(gate.GitLab), ID: p.ID}
		out = append(out, setup.Holder{ID: id.String(), Name: p.Path})
	}
	return out, err
}

// Hook gives each project a webhook that leads here.
func (s *setupSite) Hook(ctx context.Context, projects []setup.Holder) ([]api.Finding, error) {
	conf, err := s.now().configForge()
	if err != nil {
		return nil, err
	}
	adapter, err := s.gitlab()
	if err != nil {
		return nil, err
	}
	var ids []int64
	for _, p := range projects {
		id, err := gate.ParseRepositoryID(p.ID)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id.ID)
	}
	return adapter.Reconcile(ctx, ids, nil, hookOf(s.now().URL, conf.Kind, conf.Name), []byte(conf.WebhookSecret.Reveal()))
}

// hookOf is where a forge's webhook leads.
func hookOf(server string, kind gate.ForgeKind, forge gate.ForgeID) string {
	return strings.TrimRight(server, "/") + "/webhooks/" + string(kind) + "/" + string(forge)
}
