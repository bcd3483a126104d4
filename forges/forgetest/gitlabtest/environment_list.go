package gitlabtest

import "slices"

// listEnvironments lists the environments that a job deployed to (API docs: environments,
// list environments).
func listEnvironments(c *call) (any, error) {
	var names []string
	for _, pl := range c.p.pipelines {
		for _, j := range pl.jobs {
			if j.environment != "" && (c.param("name") == "" || c.param("name") == j.environment) {
				names = append(names, j.environment)
			}
		}
	}
	slices.Sort(names)
	return list(slices.Compact(names), func(name string) obj {
		return obj{"name": name, "slug": name, "external_url": nil, "state": "available", "tier": "production"}
	}), nil
}
