package githubtest

import (
	"slices"
	"strconv"
	"time"
)

// checkRun is one check run. An App changes only its own.
type checkRun struct {
	id, app, suite              int64
	sha, name, externalID       string
	status, conclusion          string
	detailsURL                  string
	output                      checkOutput
	started, completed, created time.Time
}

type checkOutput struct {
	Title   string `json:"title"`
	Summary string `json:"summary"`
	Text    string `json:"text"`
}

// checkAsk is the body of create and update.
type checkAsk struct {
	Name       *string      `json:"name"`
	HeadSHA    string       `json:"head_sha"`
	DetailsURL *string      `json:"details_url"`
	ExternalID *string      `json:"external_id"`
	Status     *string      `json:"status"`
	Conclusion *string      `json:"conclusion"`
	Started    *time.Time   `json:"started_at"`
	Completed  *time.Time   `json:"completed_at"`
	Output     *checkOutput `json:"output"`
}

func createCheckRun(c *call) reply {
	var ask checkAsk
	if rep, readable := c.decode(&ask); !readable {
		return rep
	}
	commit := c.repo.net.graph.Get(ask.HeadSHA)
	if commit == nil {
		return noCommit(ask.HeadSHA)
	}
	if ask.Name == nil || *ask.Name == "" {
		return invalid("CheckRun", "name", "missing_field", "name is required")
	}
	x := &checkRun{
		id: c.next("check"), app: appID, suite: appID*1000 + c.repo.id, sha: commit.SHA, status: "queued",
		started: c.now(), created: c.now(),
	}
	if rep, valid := c.fill(x, ask); !valid {
		return rep
	}
	c.repo.checks = append(c.repo.checks, x)
	c.emitCheck(c.repo, "created", x)
	return created(c.checkJSON(c.repo, x))
}

func updateCheckRun(c *call) reply {
	x := c.check()
	if x == nil {
		return notFound()
	}
	if x.app != appID {
		return problem(403, "Invalid app_id `"+strconv.FormatInt(appID, 10)+"` - check run can only be modified by the GitHub App that created it.")
	}
	var ask checkAsk
	if rep, readable := c.decode(&ask); !readable {
		return rep
	}
	if rep, valid := c.fill(x, ask); !valid {
		return rep
	}
	action := "created"
	if x.status == "completed" {
		action = "completed"
	}
	c.emitCheck(c.repo, action, x)
	return ok(c.checkJSON(c.repo, x))
}

// fill lays what was asked over x. A conclusion completes the run; completed needs one
// (API description of "Create a check run").
func (c *call) fill(x *checkRun, ask checkAsk) (reply, bool) {
	set := func(to *string, from *string) {
		if from != nil {
			*to = *from
		}
	}
	if ask.Status != nil && *ask.Status == "completed" && ask.Conclusion == nil && x.conclusion == "" {
		return invalid("CheckRun", "conclusion", "missing_field", "conclusion is required when status is completed"), false
	}
	if ask.Output != nil && len([]rune(ask.Output.Summary)) > 65535 {
		return invalid("CheckRun", "summary", "custom", "summary exceeds a maximum of 65535 characters"), false
	}
	set(&x.name, ask.Name)
	set(&x.detailsURL, ask.DetailsURL)
	set(&x.externalID, ask.ExternalID)
	set(&x.status, ask.Status)
	if ask.Output != nil {
		x.output = *ask.Output
	}
	if ask.Started != nil {
		x.started = *ask.Started
	}
	if ask.Status != nil && *ask.Status != "completed" && ask.Conclusion == nil {
		x.conclusion, x.completed = "", time.Time{}
	}
	if ask.Conclusion != nil {
		x.conclusion, x.status, x.completed = *ask.Conclusion, "completed", c.now()
	}
	if ask.Completed != nil {
		x.completed = *ask.Completed
	}
	return reply{}, true
}

func (c *call) check() *checkRun {
	for _, x := range c.repo.checks {
		if x.id == c.number("check_run_id") {
			return x
		}
	}
	return nil
}

func getCheckRun(c *call) reply {
	x := c.check()
	if x == nil {
		return notFound()
	}
	return ok(c.checkJSON(c.repo, x))
}

// checksOf lists newest first.
func (r *repository) checksOf(sha string) []*checkRun {
	all := slices.DeleteFunc(slices.Clone(r.checks), func(x *checkRun) bool { return x.sha != sha })
	slices.Reverse(all)
	return all
}

// latestChecks keeps the newest run of each App and name (filter=latest).
func latestChecks(all []*checkRun) []*checkRun {
	type key struct {
		app  int64
		name string
	}
	seen := map[key]bool{}
	return slices.DeleteFunc(all, func(x *checkRun) bool {
		k := key{x.app, x.name}
		old := seen[k]
		seen[k] = true
		return old
	})
}

func listCheckRuns(c *call) reply {
	commit := c.repo.resolve(c.params["ref"])
	if commit == nil {
		return noCommit(c.params["ref"])
	}
	all := c.repo.checksOf(commit.SHA)
	if c.query.Get("filter") != "all" {
		all = latestChecks(all)
	}
	all = slices.DeleteFunc(all, func(x *checkRun) bool {
		name, state, app := c.query.Get("check_name"), c.query.Get("status"), c.query.Get("app_id")
		return (name != "" && name != x.name) || (state != "" && state != x.status) ||
			(app != "" && app != strconv.FormatInt(x.app, 10))
	})
	return wrapped(c, "check_runs", all, func(x *checkRun) obj { return c.checkJSON(c.repo, x) })
}

// checkJSON is `components.schemas.check-run`.
func (s *Server) checkJSON(r *repository, x *checkRun) obj {
	self := s.repoAPI(r, "/check-runs/%d", x.id)
	app := s.appJSON()
	if x.app == actionsApp {
		app["id"], app["slug"], app["name"], app["node_id"] = actionsApp, "github-actions", "GitHub Actions", nodeID("A", actionsApp)
	}
	if x.app != actionsApp && x.app != appID {
		app["id"], app["slug"], app["node_id"] = x.app, "app-"+strconv.FormatInt(x.app, 10), nodeID("A", x.app)
	}
	details := x.detailsURL
	if details == "" {
		details = s.repoWeb(r, "/runs/%d", x.id)
	}
	return obj{
		"id": x.id, "node_id": nodeID("CR", x.id), "head_sha": x.sha, "external_id": x.externalID, "url": self,
		"html_url": s.repoWeb(r, "/runs/%d", x.id), "details_url": details, "status": x.status,
		"conclusion": orNull(x.conclusion), "started_at": stampOrNull(x.started), "completed_at": stampOrNull(x.completed),
		"output": obj{
			"title": orNull(x.output.Title), "summary": orNull(x.output.Summary), "text": orNull(x.output.Text),
			"annotations_count": 0, "annotations_url": self + "/annotations",
		},
		"name": x.name, "check_suite": obj{"id": x.suite}, "app": app, "pull_requests": []obj{},
	}
}

func (s *Server) emitCheck(r *repository, action string, x *checkRun) {
	payload := s.checkJSON(r, x)
	payload["check_suite"] = obj{"id": x.suite, "head_sha": x.sha, "head_branch": r.branch, "app": payload["app"]}
	s.emit(r, "check_run", action, s.bot(), obj{"check_run": payload})
}
