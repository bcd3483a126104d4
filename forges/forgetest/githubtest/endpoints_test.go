package githubtest_test

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
	"github.com/countersign/countersign/forges/forgetest/githubtest/githubschema"
)

// Every endpoint is in GitHub's description, answers with success at least once, and
// the checker of each newTeam finds request and answer as described.
func TestEveryEndpointAnswersAsDescribed(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	seen := map[githubtest.Endpoint]bool{}
	w.Observe(func(e githubtest.Exchange) {
		if e.Status < http.StatusMultipleChoices {
			seen[githubtest.Endpoint{Method: e.Request.Method, Template: e.Template}] = true
		}
	})
	x := everything(w)
	x.ask(x.rows())
	x.ask(x.releaseRows())
	x.ask(x.siteRows()) // they register the App anew
	doc, err := githubschema.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range githubtest.Endpoints() {
		if item := doc.Paths.Value(e.Template); item == nil || item.GetOperation(e.Method) == nil {
			t.Errorf("%s %s: expected in GitHub's API description", e.Method, e.Template)
		}
		if !seen[e] {
			t.Errorf("%s %s: expected to be exercised here", e.Method, e.Template)
		}
	}
}

func (x *scenario) ask(rows []endpointRow) {
	x.t.Helper()
	for _, row := range rows {
		method, path, _ := strings.Cut(row.request, " ")
		credential := "Bearer " + x.token
		switch {
		case row.app:
			credential = "Bearer " + appJWT(x.team)
		case row.as != "":
			credential = row.as
		}
		res, body := x.raw(method, path, row.body, "Authorization", credential, "Content-Type", cmp.Or(row.kind, "application/json"))
		if want := cmp.Or(row.want, http.StatusOK); res.StatusCode != want {
			x.t.Errorf("%s: got %d %s, want %d", row.request, res.StatusCode, body, want)
		}
	}
}

// scenario is a repository in which every endpoint has something to say.
type scenario struct {
	*team
	change          forgetest.Change
	comment, doomed forgetest.Comment
	head, tag       string
	job             forgetest.Job
	check           int64
	installation    int64
	ruleset         int64
	delivery        int64
}

func everything(w *team) *scenario {
	x := &scenario{team: w}
	stop := receiver(w)
	w.t.Cleanup(stop)
	w.JoinTeam(w.repo, w.AddTeam(w.repo, "crew"), w.ana)
	w.ProtectClassic(w.repo, githubtest.ClassicRule{
		Protection: forgetest.Protection{Ref: "refs/heads/main", Reviews: 1},
		Pushers:    &githubtest.Allowed{People: []forgetest.Person{w.ana}, Teams: []string{"crew"}, Apps: []string{"gate"}},
		Bypass:     githubtest.Allowed{Teams: []string{"crew"}},
	})
	w.Protect(w.repo, forgetest.Protection{Ref: "refs/tags/v*"})
	x.ruleset = w.AddRuleset(w.repo, githubtest.Ruleset{
		Name: "all", Target: "branch", Enforcement: "active", Organization: true, Include: []string{"~DEFAULT_BRANCH"},
		Rules: []map[string]any{{"type": "required_signatures"}},
	})
	x.change, x.head = w.open(w.ana, "topic")
	w.Review(x.change, w.bo, forgetest.ReviewApprove)
	x.comment = w.AddComment(x.change, w.bo, "Looks good")
	x.doomed = w.AddComment(x.change, w.bo, "Never mind")
	w.React(x.comment, w.cy, "heart")
	x.tag = w.PushAnnotatedTag(w.repo, w.ana, "v1", x.head, "Version 1")
	x.job = w.StartJob(w.repo, forgetest.JobSpec{Ref: "refs/heads/main", Workflow: "release.yml", Actor: w.ana})
	x.check = x.job.ID
	x.installation = w.InstallationID(w.repo)
	w.Settle()
	for _, d := range getAs[[]struct{ ID int64 }](w, "/app/hook/deliveries", appJWT(w)) {
		x.delivery = d.ID
	}
	own := getAs[struct{ ID int64 }](w, fmt.Sprintf("POST /repos/acme/widget/check-runs {\"name\":\"gate\",\"head_sha\":%q}", x.head), w.token)
	x.check = own.ID
	return x
}

type endpointRow struct {
	request, body string
	want          int
	app           bool
	as            string // another credential
	kind          string // of the body, where it is not JSON
}

func (x *scenario) rows() []endpointRow {
	repo, n, job := "/repos/acme/widget", x.change.Number, x.job
	rows := []endpointRow{
		{request: "GET /app", app: true},
		{request: "GET /app/hook/config", app: true},
		{request: "GET /app/installations", app: true},
		{request: fmt.Sprintf("GET /app/installations/%d", x.installation), app: true},
		{request: fmt.Sprintf("POST /app/installations/%d/access_tokens", x.installation), body: fmt.Sprintf(`{"repository_ids":[%d],"permissions":{"contents":"read"}}`, x.repo.ID), want: 201, app: true},
		{request: "GET /app/hook/deliveries?per_page=2", app: true},
		{request: fmt.Sprintf("GET /app/hook/deliveries/%d", x.delivery), app: true},
		{request: fmt.Sprintf("POST /app/hook/deliveries/%d/attempts", x.delivery), want: 202, app: true},
		{request: "GET " + repo + "/installation", app: true},
		{request: "GET /installation/repositories"},
		{request: "GET " + repo},
		{request: "GET " + repo + "/contents/README.md"},
		{request: "GET " + repo + "/contents/topic.txt?ref=topic"},
		{request: "GET " + repo + "/git/ref/heads/main"},
		{request: "GET " + repo + "/git/ref/tags/v1"},
		{request: "GET " + repo + "/git/tags/" + x.tag},
		{request: "GET " + repo + "/compare/main...topic"},
		{request: "GET " + repo + "/compare/main...topic?per_page=1&page=1"},
		{request: "GET " + repo + "/commits?sha=topic&per_page=1"},
		{request: "GET " + repo + "/commits/" + x.head},
		{request: "GET " + repo + "/commits/heads/topic"},
		{request: "GET " + repo + "/commits/" + x.head + "/pulls"},
		{request: "POST " + repo + "/statuses/" + x.head, body: `{"state":"pending","context":"gate","description":"waiting"}`, want: 201},
		{request: "GET " + repo + "/commits/" + x.head + "/status"},
		{request: "GET " + repo + "/commits/" + x.head + "/statuses"},
		{request: "GET " + repo + "/commits/main/check-runs?filter=latest"},
		{request: "GET " + repo + "/activity?ref=refs/heads/main&per_page=10"},
		{request: "GET " + repo + "/branches?protected=true"},
		{request: "GET " + repo + "/branches/main"},
		{request: "GET " + repo + "/branches/main/protection"},
		{request: "GET " + repo + "/rules/branches/main?per_page=100"},
		{request: "GET " + repo + "/rulesets?targets=tag&includes_parents=true"},
		{request: fmt.Sprintf("GET %s/rulesets/%d", repo, x.ruleset)},
		{request: "GET " + repo + "/pulls?state=all&head=acme:topic&base=main"},
		{request: fmt.Sprintf("GET %s/pulls/%d", repo, n)},
		{request: fmt.Sprintf("GET %s/pulls/%d/commits", repo, n)},
		{request: fmt.Sprintf("GET %s/pulls/%d/files", repo, n)},
		{request: fmt.Sprintf("GET %s/pulls/%d/reviews", repo, n)},
		{request: "GET " + repo + "/issues?state=all&per_page=5"},
		{request: "POST " + repo + "/issues", body: `{"title":"Release 1","body":"waits"}`, want: 201},
		{request: fmt.Sprintf("GET %s/issues/%d", repo, n)},
		{request: fmt.Sprintf("GET %s/issues/%d/comments", repo, n)},
		{request: fmt.Sprintf("POST %s/issues/%d/comments", repo, n), body: `{"body":"hello"}`, want: 201},
		{request: fmt.Sprintf("GET %s/issues/comments/%d", repo, x.comment.ID)},
		{request: fmt.Sprintf("PATCH %s/issues/comments/%d", repo, x.comment.ID), body: `{"body":"edited"}`},
		{request: fmt.Sprintf("DELETE %s/issues/comments/%d", repo, x.doomed.ID), want: 204},
		{request: fmt.Sprintf("GET %s/issues/comments/%d/reactions", repo, x.comment.ID)},
		{request: fmt.Sprintf("POST %s/issues/comments/%d/reactions", repo, x.comment.ID), body: `{"content":"eyes"}`, want: 201},
		{request: fmt.Sprintf("POST %s/issues/comments/%d/reactions", repo, x.comment.ID), body: `{"content":"eyes"}`},
		{request: fmt.Sprintf("GET %s/check-runs/%d", repo, x.check)},
		{request: fmt.Sprintf("PATCH %s/check-runs/%d", repo, x.check), body: `{"status":"completed","conclusion":"success","output":{"title":"ok","summary":"fine"}}`},
		{request: fmt.Sprintf("GET %s/actions/runs/%d", repo, job.RunID)},
		{request: fmt.Sprintf("GET %s/actions/runs/%d/attempts/1", repo, job.RunID)},
		{request: fmt.Sprintf("GET %s/actions/runs/%d/attempts/1/jobs", repo, job.RunID)},
		{request: fmt.Sprintf("GET %s/actions/jobs/%d", repo, job.ID)},
		{request: "GET " + repo + "/collaborators?permission=push"},
		{request: "GET " + repo + "/collaborators/ana/permission"},
		{request: "GET /orgs/acme/teams/crew"},
		{request: "GET /orgs/acme/teams/crew/members?per_page=100"},
		{request: "GET /orgs/acme/teams/crew/memberships/ana"},
		{request: "GET /orgs/acme/teams/crew/memberships/bo", want: 404},
		{request: "GET /users/ana"},
		{request: fmt.Sprintf("GET /user/%d", x.ana.ID)},
		{request: fmt.Sprintf("GET /repositories/%d", x.repo.ID)},
		{request: fmt.Sprintf("GET /repositories/%d/installation", x.repo.ID), app: true},
	}
	rows = append(rows, x.deployRows()...)
	return slices.Clip(rows)
}
