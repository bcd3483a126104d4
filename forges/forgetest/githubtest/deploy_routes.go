package githubtest

import (
	"net/http"
	"strings"
)

func deployRoutes() []route {
	const run = "/repos/{owner}/{repo}/actions/runs/{run_id}"
	return []route{
		{method: "GET", path: "/repos/{owner}/{repo}/environments", needs: "actions:read", handle: listEnvironments},
		{method: "GET", path: "/repos/{owner}/{repo}/environments/{environment_name}", needs: "actions:read", handle: getEnvironment},
		{method: "GET", path: "/repos/{owner}/{repo}/environments/{environment_name}/deployment_protection_rules", needs: "actions:read", handle: listProtectionRules},
		{method: "GET", path: "/repos/{owner}/{repo}/immutable-releases", needs: "administration:read", handle: getImmutable},
		{method: "GET", path: run + "/pending_deployments", needs: "actions:read", handle: pendingDeployments},
		{method: "POST", path: run + "/deployment_protection_rule", needs: "deployments:write", handle: reviewDeployment},
	}
}

// waiting are the jobs of the call's run that wait for an environment ("" for any).
func (c *call) waiting(x *run, name string) []*job {
	var out []*job
	for _, a := range x.attempts {
		for _, y := range a.jobs {
			if y.waits() && (name == "" || strings.EqualFold(y.deployment.env.name, name)) {
				out = append(out, y)
			}
		}
	}
	return out
}

// pendingDeployments lists `components.schemas.pending-deployment`, once per environment.
func pendingDeployments(c *call) reply {
	x := c.repo.runs[c.number("run_id")]
	if x == nil {
		return notFound()
	}
	out, seen := []obj{}, map[int64]bool{}
	for _, y := range c.waiting(x, "") {
		e := y.deployment.env
		if seen[e.id] || c.opts.Switches.PendingOmitsCustomRules {
			continue
		}
		seen[e.id] = true
		out = append(out, obj{
			"environment": obj{
				"id": e.id, "node_id": nodeID("EN", e.id), "name": e.name, "url": c.repoAPI(c.repo, "/environments/%s", e.name),
				"html_url": c.repoWeb(c.repo, "/deployments/activity_log?environments_filter=%s", e.name),
			},
			"wait_timer": 0, "wait_timer_started_at": nil, "current_user_can_approve": false, "reviewers": []obj{},
		})
	}
	return ok(out)
}

// reviewDeployment takes the App's report or verdict on an environment of a run. That it
// refuses a run without such a wait with 422 is the API description's word for other
// reviews; of this one it describes success alone.
func reviewDeployment(c *call) reply {
	x := c.repo.runs[c.number("run_id")]
	if x == nil {
		return notFound()
	}
	var ask struct {
		Environment string  `json:"environment_name"`
		State       string  `json:"state"`
		Comment     *string `json:"comment"`
	}
	if rep, readable := c.decode(&ask); !readable {
		return rep
	}
	waiting := c.waiting(x, ask.Environment)
	switch {
	case ask.Environment == "":
		return problem(http.StatusUnprocessableEntity, "environment_name is required")
	case ask.State != "" && ask.State != "approved" && ask.State != "rejected":
		return problem(http.StatusUnprocessableEntity, "state is not included in the list")
	case ask.State == "" && (ask.Comment == nil || *ask.Comment == ""):
		return problem(http.StatusUnprocessableEntity, "comment is required when state is not provided")
	case ask.Comment != nil && len([]rune(*ask.Comment)) > maxReport:
		return problem(http.StatusUnprocessableEntity, "comment is too long (maximum is 1024 characters)")
	case len(waiting) == 0:
		return problem(http.StatusUnprocessableEntity, "There are no pending deployment protection rules of this App")
	}
	for _, y := range waiting {
		if rep, refused := c.review(y, ask.State, ask.Comment); refused {
			return rep
		}
	}
	return noContent()
}

func (c *call) review(y *job, state string, comment *string) (reply, bool) {
	d := y.deployment
	if state == "" {
		if len(d.Reports) == maxReports {
			return problem(http.StatusUnprocessableEntity, "A deployment takes at most 10 status reports"), true
		}
		d.Reports = append(d.Reports, *comment)
		return reply{}, false
	}
	d.State = state
	if comment != nil {
		d.Comment = *comment
	}
	if state == "rejected" {
		c.endJob(c.repo, y, "failure")
		return reply{}, false
	}
	y.check.status = "in_progress"
	c.emit(c.repo, "workflow_job", "in_progress", c.accounts[y.attempt.triggering], obj{"workflow_job": c.jobJSON(c.repo, y)})
	return reply{}, false
}
