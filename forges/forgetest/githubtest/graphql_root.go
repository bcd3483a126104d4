package githubtest

import (
	"strconv"
	"strings"
)

// rootFields are the entry points, repositories and accounts.
func rootFields() map[string]resolver {
	out := map[string]resolver{
		"Query.id":         func(*call, any, map[string]any) any { return "query" },
		"Query.repository": queryRepository,
		"Query.node":       queryNode,
		"Query.rateLimit":  func(*call, any, map[string]any) any { return node{"RateLimit", nil} },

		"RateLimit.cost":      func(*call, any, map[string]any) any { return 1 },
		"RateLimit.nodeCount": func(*call, any, map[string]any) any { return 1 },
		"RateLimit.limit":     func(c *call, _ any, _ map[string]any) any { return c.opts.RateLimit },
		"RateLimit.used":      func(c *call, _ any, _ map[string]any) any { return c.token.used[c.limit()] },
		"RateLimit.remaining": func(c *call, _ any, _ map[string]any) any { return c.opts.RateLimit - c.token.used[c.limit()] },
		"RateLimit.resetAt":   func(c *call, _ any, _ map[string]any) any { return stamp(c.token.expires) },
	}
	for name, f := range repositoryFields() {
		out["Repository."+name] = f
	}
	for _, kind := range []string{"User", "Bot", "Organization", "Mannequin"} {
		for name, f := range accountFields() {
			out[kind+"."+name] = f
		}
	}
	// A Bot's login comes without the "[bot]" that REST shows.
	out["Bot.login"] = func(_ *call, of any, _ map[string]any) any {
		return strings.TrimSuffix(of.(*account).login, "[bot]")
	}
	return out
}

// queryRepository answers NOT_FOUND for what the installation does not reach, and
// follows a rename unless told not to (schema, argument followRenames).
func queryRepository(c *call, _ any, args map[string]any) any {
	full, _ := args["owner"].(string)
	name, _ := args["name"].(string)
	full += "/" + name
	repo := c.find(full)
	if id, former := c.redirects[strings.ToLower(full)]; former && args["followRenames"] != false {
		repo = c.repositories[id]
	}
	if repo == nil || !c.token.reaches(repo.id) {
		return fieldError{"NOT_FOUND", "Could not resolve to a Repository with the name '" + full + "'."}
	}
	return node{"Repository", repo}
}

// queryNode resolves the node_id of a comment, a pull request, an issue, a repository or
// an account.
func queryNode(c *call, _ any, args map[string]any) any {
	id, _ := args["id"].(string)
	missing := fieldError{"NOT_FOUND", "Could not resolve to a node with the global id of '" + id + "'."}
	prefix, digits, _ := strings.Cut(id, "_kgDO")
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return missing
	}
	if a := c.accounts[n]; a != nil && !a.deleted && a.globalID() == id {
		return actor(c, a)
	}
	for _, repo := range sorted(c.repositories) {
		if !c.token.reaches(repo.id) {
			continue
		}
		if prefix == "R" && repo.id == n {
			return node{"Repository", repo}
		}
		if x := repo.comments[n]; prefix == "IC" && x != nil {
			return node{"IssueComment", talk{repo, x}}
		}
		for _, t := range repo.threads {
			if t.id == n && ((prefix == "PR" && t.pull != nil) || (prefix == "I" && t.pull == nil)) {
				return thread2node(repo, t)
			}
		}
	}
	return missing
}

// actor is an account as an Actor; a deleted one is null.
func actor(c *call, a *account) any {
	if a == nil || a.deleted {
		return nil
	}
	return node{a.kind, a}
}

func accountFields() map[string]resolver {
	field := func(f func(c *call, a *account) any) resolver {
		return func(c *call, of any, _ map[string]any) any { return f(c, of.(*account)) }
	}
	return map[string]resolver{
		"id":         field(func(_ *call, a *account) any { return a.globalID() }),
		"databaseId": field(func(_ *call, a *account) any { return a.id }),
		"login":      field(func(_ *call, a *account) any { return a.login }),
		"name":       field(func(*call, *account) any { return nil }),
		"email":      field(func(*call, *account) any { return "" }),
		"url":        field(func(c *call, a *account) any { return c.userJSON(a)["html_url"] }),
		"createdAt":  field(func(_ *call, a *account) any { return stamp(a.created) }),
	}
}

func repositoryFields() map[string]resolver {
	field := func(f func(c *call, r *repository, args map[string]any) any) resolver {
		return func(c *call, of any, args map[string]any) any { return f(c, of.(*repository), args) }
	}
	plain := func(f func(c *call, r *repository) any) resolver {
		return func(c *call, of any, _ map[string]any) any { return f(c, of.(*repository)) }
	}
	return map[string]resolver{
		"id":            plain(func(_ *call, r *repository) any { return nodeID("R", r.id) }),
		"databaseId":    plain(func(_ *call, r *repository) any { return r.id }),
		"name":          plain(func(_ *call, r *repository) any { return r.name }),
		"nameWithOwner": plain(func(c *call, r *repository) any { return c.fullName(r) }),
		"owner":         plain(func(c *call, r *repository) any { return node{c.accounts[r.owner].kind, c.accounts[r.owner]} }),
		"isPrivate":     plain(func(_ *call, r *repository) any { return r.visibility != "public" }),
		"isFork":        plain(func(_ *call, r *repository) any { return r.parent != nil }),
		"createdAt":     plain(func(_ *call, r *repository) any { return stamp(r.created) }),
		"url":           plain(func(c *call, r *repository) any { return c.repoWeb(r, "") }),
		"parent": plain(func(c *call, r *repository) any {
			if r.parent == nil || !c.token.reaches(r.parent.id) {
				return nil
			}
			return node{"Repository", r.parent}
		}),
		"defaultBranchRef": plain(func(_ *call, r *repository) any { return node{"Ref", refNode{r, "refs/heads/" + r.branch}} }),
		"ref": field(func(c *call, r *repository, args map[string]any) any {
			return c.needing("contents:read", func() any { return r.refNode(args["qualifiedName"]) })
		}),
		"object": field(func(c *call, r *repository, args map[string]any) any {
			return c.needing("contents:read", func() any { return r.objectNode(args) })
		}),
		"pullRequest": field(func(c *call, r *repository, args map[string]any) any {
			return c.needing("pull_requests:read", func() any { return numbered(r, args, "PullRequest", true) })
		}),
		"issue": field(func(c *call, r *repository, args map[string]any) any {
			return c.needing("issues:read", func() any { return numbered(r, args, "Issue", false) })
		}),
	}
}

// needing refuses a field whose permission the App lacks, as REST does with 403.
func (c *call) needing(permission string, f func() any) any {
	if !c.token.allows(permission) {
		return fieldError{"FORBIDDEN", "Resource not accessible by integration"}
	}
	return f()
}

func numbered(r *repository, args map[string]any, kind string, pull bool) any {
	n, _ := number(args["number"])
	t := r.threads[int64(n)]
	if t == nil || (t.pull != nil) != pull {
		return fieldError{"NOT_FOUND", "Could not resolve to a " + kind + " with the number of " + strconv.Itoa(n) + "."}
	}
	return thread2node(r, t)
}
