package githubtest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// branchProtected is the flag `protected`: classic protection or an active ruleset.
func (r *repository) branchProtected(branch string) bool {
	return r.classic(branch) != nil || slices.ContainsFunc(r.rulesets, func(x *ruleset) bool {
		return x.Enforcement == "active" && x.covers(r, "refs/heads/"+branch)
	})
}

func listBranches(c *call) reply {
	var names []string
	for ref := range c.repo.refs {
		name, isBranch := strings.CutPrefix(ref, "refs/heads/")
		want := c.query.Get("protected")
		if isBranch && (want == "" || want == fmt.Sprint(c.repo.branchProtected(name))) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return paged(c, names, func(name string) obj {
		sha := c.repo.head("refs/heads/" + name)
		return obj{
			"name": name, "protected": c.repo.branchProtected(name),
			"commit":         obj{"sha": sha, "url": c.repoAPI(c.repo, "/commits/%s", sha)},
			"protection":     c.branchSummary(name),
			"protection_url": c.repoAPI(c.repo, "/branches/%s/protection", name),
		}
	})
}

// branchSummary is the short `protection` of a branch; it tells nothing of rulesets.
func (c *call) branchSummary(name string) obj {
	return obj{
		"enabled":                c.repo.classic(name) != nil,
		"required_status_checks": obj{"enforcement_level": "off", "contexts": []string{}, "checks": []obj{}},
	}
}

func getBranch(c *call) reply {
	name := c.params["branch"]
	sha := c.repo.head("refs/heads/" + name)
	if sha == "" {
		return problem(http.StatusNotFound, "Branch not found")
	}
	self := c.repoAPI(c.repo, "/branches/%s", name)
	return ok(obj{
		"name": name, "commit": c.commitJSON(c.repo, c.repo.net.graph.Get(sha)), "protected": c.repo.branchProtected(name),
		"_links":     obj{"self": self, "html": c.repoWeb(c.repo, "/tree/%s", name)},
		"protection": c.branchSummary(name), "protection_url": self + "/protection",
	})
}
