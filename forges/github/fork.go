package github

import (
	"context"
	"fmt"
	"net/http"

	"github.com/countersign/countersign/gate"
)

// hidden reports whether GitHub refuses to show something for good: to an App that is not
// installed there it answers 403 or 404.
func hidden(err error) bool {
	switch statusOf(err) {
	case http.StatusForbidden, http.StatusNotFound, http.StatusGone, http.StatusUnavailableForLegalReasons:
		return true
	}
	return false
}

const forcedQuery = `query Forced($owner: String!, $name: String!, $number: Int!) {
  repository(owner: $owner, name: $name) {
    databaseId
    pull: pullRequest(number: $number) { number
      timelineItems(first: 100, itemTypes: [HEAD_REF_FORCE_PUSHED_EVENT]) {
        nodes { ... on HeadRefForcePushedEvent { actor ` + actorFields + ` } } pageInfo { hasNextPage }
      }
    }
  }
}`

// forkPushers stands for the pushers of a fork whose log GitHub does not show, which
// would leave its pull requests unread for ever. Known are those that the pull request
// tells: who opened it, and who pushed to it by force; everyone on its commits is an
// author anyway. Somebody else may have pushed too: who has write access to the fork, or,
// where its owner lets maintainers edit, to this repository. Their mark is a pusher
// without an account on the head commit, which asks for one more approver, as a commit
// of unknown origin does. That is safe: whoever pushed unseen and then approves is one
// person, and the release still waits for as many others as the policy asks for.
func (rd *reading) forkPushers(ctx context.Context, p *pull, c *gate.Change, fork string) gate.Fact[[]gate.Account] {
	var people accounts
	if a, ok := rd.forge.toAccount(p.User); ok {
		people.add(a)
	}
	answer, err := rd.ask(ctx, forcedQuery, map[string]any{"number": p.Number})
	if err != nil {
		return gate.Unknown[[]gate.Account](fmt.Sprintf("who pushed to #%d by force: %s", p.Number, why(err)))
	}
	n, err := decodeNode[struct {
		Number   int64 `json:"number"`
		Timeline *struct {
			Nodes []struct {
				Actor *actorNode `json:"actor"`
			} `json:"nodes"`
			PageInfo pageInfo `json:"pageInfo"`
		} `json:"timelineItems"`
	}](answer["pull"])
	if err != nil || n.Number != p.Number || n.Timeline == nil || n.Timeline.PageInfo.HasNextPage {
		return gate.Unknown[[]gate.Account](fmt.Sprintf("who pushed to #%d by force: GraphQL answered for another pull request, or in part", p.Number))
	}
	for _, e := range n.Timeline.Nodes {
		if a, ok := rd.forge.toAccount(e.Actor.user()); ok {
			people.add(a)
		}
	}
	for i := range c.Commits {
		if c.Commits[i].SHA == p.Head.SHA {
			c.Commits[i].People = append(c.Commits[i].People, gate.Person{
				Part: gate.PartPusher, Name: "whoever pushed to " + fork,
				Account: gate.Absent[gate.Account]("GitHub does not show the gate who pushed to " + fork),
			})
		}
	}
	return gate.Known(people.list)
}
