package githubtest

import (
	"net/http"
	"slices"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
)

// status is one commit status. They are never changed, only followed by newer ones.
type status struct {
	id                                          int64
	sha, state, context, description, targetURL string
	creator                                     int64
	when                                        time.Time
}

// maxStatuses is the limit per SHA and context (API description).
const maxStatuses = 1000

// Statuses are the newest status per context, then the newest check run per name.
func (s *Server) Statuses(repo forgetest.Repository, sha string) []forgetest.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repository(repo)
	var out []forgetest.Status
	for _, x := range r.latestStatuses(sha) {
		out = append(out, forgetest.Status{
			Kind: "status", Context: x.context, State: x.state, Description: x.description, TargetURL: x.targetURL,
		})
	}
	for _, x := range latestChecks(r.checksOf(sha)) {
		state := x.status
		if x.conclusion != "" {
			state = x.conclusion
		}
		out = append(out, forgetest.Status{
			Kind: "check", Context: x.name, State: state, Description: x.output.Summary, TargetURL: x.detailsURL,
		})
	}
	return out
}

// statusesOf lists newest first.
func (r *repository) statusesOf(sha string) []*status {
	all := slices.DeleteFunc(slices.Clone(r.statuses), func(x *status) bool { return x.sha != sha })
	slices.Reverse(all)
	return all
}

func (r *repository) latestStatuses(sha string) []*status {
	seen := map[string]bool{}
	return slices.DeleteFunc(r.statusesOf(sha), func(x *status) bool {
		old := seen[x.context]
		seen[x.context] = true
		return old
	})
}

func createStatus(c *call) reply {
	commit := c.repo.net.graph.Get(c.params["sha"])
	if commit == nil {
		return noCommit(c.params["sha"])
	}
	ask := struct {
		State       string `json:"state"`
		TargetURL   string `json:"target_url"`
		Description string `json:"description"`
		Context     string `json:"context"`
	}{Context: "default"}
	if rep, readable := c.decode(&ask); !readable {
		return rep
	}
	if !slices.Contains([]string{"error", "failure", "pending", "success"}, ask.State) {
		return invalid("Status", "state", "custom", "state is not included in the list")
	}
	if len([]rune(ask.Description)) > 140 {
		return invalid("Status", "description", "custom", "description is too long (maximum is 140 characters)")
	}
	same := 0
	for _, x := range c.repo.statuses {
		if x.sha == commit.SHA && x.context == ask.Context {
			same++
		}
	}
	if same >= maxStatuses {
		return invalid("Status", "base", "custom", "This SHA and context has reached the maximum number of statuses.")
	}
	x := &status{
		id: c.next("status"), sha: commit.SHA, state: ask.State, context: ask.Context, description: ask.Description,
		targetURL: ask.TargetURL, creator: c.bot().id, when: c.now(),
	}
	c.repo.statuses = append(c.repo.statuses, x)
	return created(c.statusJSON(x))
}

// simpleStatus is `components.schemas.simple-commit-status`.
func (c *call) simpleStatus(x *status) obj {
	return obj{
		"id": x.id, "node_id": nodeID("SC", x.id), "state": x.state, "context": x.context,
		"description": orNull(x.description), "target_url": orNull(x.targetURL), "avatar_url": c.web("/avatars/in/%d", appID),
		"url": c.repoAPI(c.repo, "/statuses/%s", x.sha), "created_at": stamp(x.when), "updated_at": stamp(x.when),
	}
}

// statusJSON is `components.schemas.status`.
func (c *call) statusJSON(x *status) obj {
	out := c.simpleStatus(x)
	out["creator"] = c.userJSON(c.accounts[x.creator])
	return out
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func listStatuses(c *call) reply {
	commit := c.repo.resolve(c.params["ref"])
	if commit == nil {
		return notFound()
	}
	return paged(c, c.repo.statusesOf(commit.SHA), c.statusJSON)
}

// combinedStatus folds the newest status of each context: failure over pending over
// success; none is pending (API description).
func combinedStatus(c *call) reply {
	commit := c.repo.resolve(c.params["ref"])
	if commit == nil {
		return problem(http.StatusNotFound, "Not Found")
	}
	latest := c.repo.latestStatuses(commit.SHA)
	state := "success"
	if len(latest) == 0 {
		state = "pending"
	}
	for _, x := range latest {
		switch {
		case x.state == "error" || x.state == "failure":
			state = "failure"
		case x.state == "pending" && state != "failure":
			state = "pending"
		}
	}
	items, link := page(c, latest, c.simpleStatus)
	rep := ok(obj{
		"state": state, "statuses": items, "sha": commit.SHA, "total_count": len(latest),
		"repository": c.repositoryJSON(c.repo), "commit_url": c.repoAPI(c.repo, "/commits/%s", commit.SHA),
		"url": c.repoAPI(c.repo, "/commits/%s/status", commit.SHA),
	})
	rep.header = link
	return rep
}
