package githubtest

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/countersign/countersign/forges/forgetest"
)

// collaborator is one row of a repository's collaborators.
type collaborator struct {
	repo *repository
	*account
	grant
}

// eventNode is one event of a pull request's timeline.
type eventNode struct {
	threadNode
	event
}

// collaborators are everyone with a role (see Switches for Apps that may not ask).
func collaborators(c *call, r *repository, args map[string]any) any {
	if c.opts.Switches.NoCollaboratorsForApps {
		return fieldError{"FORBIDDEN", "Resource not accessible by integration"}
	}
	login, _ := args["login"].(string)
	query, _ := args["query"].(string)
	var all []any
	for _, id := range slices.Sorted(maps.Keys(r.roles)) {
		a := c.accounts[id]
		if (login == "" || strings.EqualFold(login, a.login)) && strings.Contains(strings.ToLower(a.login), strings.ToLower(query)) {
			all = append(all, collaborator{r, a, r.roles[id]})
		}
	}
	return connect("RepositoryCollaboratorConnection", "collaborators", all, args)
}

// permission is the role's base in GraphQL's words, which has none for an organisation's own.
func (x collaborator) permission() string {
	if x.name == "triage" {
		return "TRIAGE"
	}
	return map[forgetest.Role]string{
		forgetest.RoleRead: "READ", forgetest.RoleWrite: "WRITE", forgetest.RoleMaintain: "MAINTAIN", forgetest.RoleAdmin: "ADMIN",
	}[x.role]
}

// sources are null outside organisations.
func (x collaborator) sources(c *call) any {
	if c.accounts[x.repo.owner].kind != "Organization" {
		return nil
	}
	return []any{node{"PermissionSource", x}}
}

func peopleFields() map[string]resolver {
	person := func(x any) any { return node{"User", x.(collaborator).account} }
	out := map[string]resolver{
		"Repository.collaborators":               func(c *call, of any, args map[string]any) any { return collaborators(c, of.(*repository), args) },
		"RepositoryCollaboratorConnection.nodes": func(_ *call, of any, _ map[string]any) any { return each(of.(connection).nodes, person) },
		"RepositoryCollaboratorConnection.edges": func(_ *call, of any, _ map[string]any) any {
			return each(of.(connection).nodes, func(x any) any { return node{"RepositoryCollaboratorEdge", x} })
		},
		"RepositoryCollaboratorEdge.cursor":     func(_ *call, of any, _ map[string]any) any { return cursorOf(int(of.(collaborator).id)) },
		"RepositoryCollaboratorEdge.node":       func(_ *call, of any, _ map[string]any) any { return person(of) },
		"RepositoryCollaboratorEdge.permission": func(_ *call, of any, _ map[string]any) any { return of.(collaborator).permission() },
		"RepositoryCollaboratorEdge.permissionSources": func(c *call, of any, _ map[string]any) any {
			return of.(collaborator).sources(c)
		},
		"PermissionSource.organization": func(c *call, of any, _ map[string]any) any {
			return node{"Organization", c.accounts[of.(collaborator).repo.owner]}
		},
		"PermissionSource.roleName": func(_ *call, of any, _ map[string]any) any { return of.(collaborator).name },
		"PullRequest.assignees": func(c *call, of any, args map[string]any) any {
			var all []any
			for _, id := range of.(threadNode).assignees {
				all = append(all, node{"User", c.accounts[id]})
			}
			return connect("UserConnection", "assignees", all, args)
		},
		"PullRequest.timelineItems":                        timelineNodes,
		"PullRequestTimelineItemsConnection.filteredCount": func(_ *call, of any, _ map[string]any) any { return of.(connection).total },
		"Repository.pullRequests":                          pullRequestNodes,
		"PullRequest.baseRef": func(_ *call, of any, _ map[string]any) any {
			x := of.(threadNode)
			if x.repo.refs["refs/heads/"+x.pull.target] == "" {
				return nil
			}
			return node{"Ref", refNode{x.repo, "refs/heads/" + x.pull.target}}
		},
	}
	for _, kind := range []string{"HeadRefForcePushedEvent", "AutoMergeEnabledEvent", "AddedToMergeQueueEvent"} {
		who := func(c *call, of any, _ map[string]any) any { return actor(c, c.accounts[of.(eventNode).actor]) }
		out[kind+".actor"], out[kind+".enabler"], out[kind+".enqueuer"] = who, who, who
		out[kind+".createdAt"] = func(_ *call, of any, _ map[string]any) any { return stamp(of.(eventNode).when) }
		out[kind+".id"] = func(_ *call, of any, _ map[string]any) any { return nodeID("E", of.(eventNode).serial) }
		out[kind+".pullRequest"] = func(_ *call, of any, _ map[string]any) any { return node{"PullRequest", of.(eventNode).threadNode} }
	}
	return out
}

// timelineNodes are the events of the types asked for, oldest first.
func timelineNodes(_ *call, of any, args map[string]any) any {
	x := of.(threadNode)
	types, _ := args["itemTypes"].([]any)
	var all []any
	for _, e := range x.pull.events {
		if len(types) == 0 || slices.Contains(types, any(e.kind)) {
			all = append(all, node{eventTypes()[e.kind], eventNode{x, e}})
		}
	}
	return connect("PullRequestTimelineItemsConnection", "timelineItems", all, args)
}

func eventTypes() map[string]string {
	return map[string]string{
		eventForced: "HeadRefForcePushedEvent", eventAutoMerge: "AutoMergeEnabledEvent", eventQueued: "AddedToMergeQueueEvent",
	}
}

func each(all []any, f func(any) any) []any {
	out := []any{}
	for _, x := range all {
		out = append(out, f(x))
	}
	return out
}

// pullRequestNodes filters by state; oldest first unless told to order by a time, the
// newest first.
func pullRequestNodes(_ *call, of any, args map[string]any) any {
	r := of.(*repository)
	states, _ := args["states"].([]any)
	var all []*thread
	for _, t := range sorted(r.threads) {
		if t.pull != nil && (len(states) == 0 || slices.Contains(states, any(threadNode{r, t}.graphState()))) {
			all = append(all, t)
		}
	}
	order, _ := args["orderBy"].(map[string]any)
	if order["field"] == "UPDATED_AT" {
		slices.SortStableFunc(all, func(a, b *thread) int { return cmp.Or(a.updated.Compare(b.updated), cmp.Compare(a.number, b.number)) })
	}
	if order["direction"] == "DESC" {
		slices.Reverse(all)
	}
	var nodes []any
	for _, t := range all {
		nodes = append(nodes, thread2node(r, t))
	}
	return connect("PullRequestConnection", "pullRequests", nodes, args)
}
