package github

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/countersign/countersign/gate"
)

// teamName is a team as a policy spells it: "organisation/team", or "team" of the
// repository's owner.
func (rd *reading) teamName(spelled string) (organisation, slug string, err error) {
	organisation, slug, both := strings.Cut(strings.TrimPrefix(spelled, "@"), "/")
	if !both {
		organisation, slug = rd.owner, organisation
	}
	if organisation == "" || slug == "" || strings.Contains(slug, "/") {
		return "", "", fmt.Errorf("team %q: expected organisation/team", spelled)
	}
	return organisation, slug, nil
}

// teams are those that an account is an active member of (attack 53): who was invited
// and did not accept is none, and a team that GitHub does not show has no members that
// could be told.
func (rd *reading) teams(ctx context.Context, login string) gate.Fact[[]string] {
	in := make([]bool, len(rd.needs.Teams))
	errs := make([]error, len(in))
	var each sync.WaitGroup
	for i, spelled := range rd.needs.Teams {
		each.Go(func() { in[i], errs[i] = rd.isMember(ctx, spelled, login) })
	}
	each.Wait()
	out := []string{}
	for i, spelled := range rd.needs.Teams {
		switch {
		case errs[i] != nil:
			return gate.Unknown[[]string](fmt.Sprintf("whether @%s is in team %s: %s", login, spelled, why(errs[i])))
		case in[i]:
			out = append(out, spelled)
		}
	}
	return gate.Known(out)
}

// isMember asks for the membership (REST API, "Get team membership for a user", which
// counts child teams too). Its 404 means no member only where the team itself is shown.
func (rd *reading) isMember(ctx context.Context, spelled, login string) (bool, error) {
	organisation, slug, err := rd.teamName(spelled)
	if err != nil {
		return false, err
	}
	var membership struct {
		State string `json:"state"`
	}
	err = rd.get(ctx, &membership, nil, "orgs", organisation, "teams", slug, "memberships", login)
	if isNotFound(err) {
		return false, rd.teamShown(ctx, organisation, slug)
	}
	if err != nil {
		return false, err
	}
	switch membership.State {
	case "active":
		return true, nil
	case "pending":
		return false, nil
	}
	return false, fmt.Errorf("GitHub answered state %q", membership.State)
}

// teamShown is nil where GitHub shows the team. One reading asks once.
func (rd *reading) teamShown(ctx context.Context, organisation, slug string) error {
	key := organisation + "/" + slug
	rd.mu.Lock()
	ask, has := rd.shown[key]
	if !has {
		ask = sync.OnceValue(func() error {
			var team struct {
				Slug string `json:"slug"`
			}
			err := rd.get(ctx, &team, nil, "orgs", organisation, "teams", slug)
			if err == nil && !strings.EqualFold(team.Slug, slug) {
				err = fmt.Errorf("GitHub answered for team %q", team.Slug)
			}
			return err
		})
		if rd.shown == nil {
			rd.shown = map[string]func() error{}
		}
		rd.shown[key] = ask
	}
	rd.mu.Unlock()
	return ask()
}

// withTeams adds an account's teams where the policy names any.
func (rd *reading) withTeams(ctx context.Context, m gate.Fact[gate.Member]) gate.Fact[gate.Member] {
	member, ok := m.Get()
	if !ok || len(rd.needs.Teams) == 0 {
		return m
	}
	member.Teams = rd.teams(ctx, member.Account.Login)
	return gate.Known(member)
}

// listTeams adds the teams of many by listing the members of each (REST API, "List team
// members": those of child teams among them, those who did not accept not).
func (rd *reading) listTeams(ctx context.Context, all []gate.Member) {
	type listing struct {
		ids map[int64]bool
		err error
	}
	lists := make([]listing, len(rd.needs.Teams))
	var each sync.WaitGroup
	for i, spelled := range rd.needs.Teams {
		each.Go(func() { lists[i].ids, lists[i].err = rd.membersOf(ctx, spelled) })
	}
	each.Wait()
	for i := range all {
		all[i].Teams = gate.Known([]string{})
		in := []string{}
		for k, spelled := range rd.needs.Teams {
			if lists[k].err != nil {
				all[i].Teams = gate.Unknown[[]string](fmt.Sprintf("the members of team %s: %s", spelled, why(lists[k].err)))
				break
			}
			if lists[k].ids[all[i].Account.ID.ID] {
				in = append(in, spelled)
			}
			all[i].Teams = gate.Known(slices.Clone(in))
		}
	}
}

func (rd *reading) membersOf(ctx context.Context, spelled string) (map[int64]bool, error) {
	organisation, slug, err := rd.teamName(spelled)
	if err != nil {
		return nil, err
	}
	people, err := list[userJSON](ctx, rd.caller, nil, "orgs", organisation, "teams", slug, "members")
	ids := map[int64]bool{}
	for _, p := range people {
		ids[p.ID] = true
	}
	return ids, err
}
