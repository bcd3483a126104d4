package gitlabtest_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/xanzy/go-gitlab"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
)

func TestStatusTransitions(t *testing.T) {
	allow := func(states ...string) []string { return states }
	rows := []struct {
		name   string
		states []string
		refuse string // the last state's error; "" where it is accepted
		rows   int    // status rows afterwards, retried ones included
	}{
		{"pending then running then success", allow("pending", "running", "success"), "", 1},
		{"running at once", allow("running"), "", 1},
		{"running twice", allow("running", "running"), `Cannot transition status via :run from :running (Reason(s): Status cannot transition via "run")`, 1},
		{"pending twice", allow("pending", "pending"), `Cannot transition status via :enqueue from :pending`, 1},
		{"back to pending", allow("running", "pending"), `Cannot transition status via :enqueue from :running`, 1},
		{"success twice makes a second row", allow("success", "success"), "", 2},
		{"running after success starts again", allow("success", "running"), "", 2},
		{"failed", allow("running", "failed"), "", 1},
		{"canceled", allow("pending", "canceled"), "", 1},
		{"unknown state", allow("error"), "state does not have a valid value", 0},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			team := newTeam(t, gitlabtest.Options{})
			sha := team.Head(team.repo, "refs/heads/main")
			var err error
			for _, state := range row.states {
				_, _, err = team.api.Commits.SetCommitStatus(int(team.repo.ID), sha, &gitlab.SetCommitStatusOptions{
					State: gitlab.BuildStateValue(state), Name: gitlab.Ptr("countersign"), Description: gitlab.Ptr(state),
				})
			}
			equal(t, "refused", err != nil, row.refuse != "")
			if err != nil && !strings.Contains(err.Error(), row.refuse) {
				t.Errorf("got %v, want %s", err, row.refuse)
			}
			all, _, err := team.api.Commits.GetCommitStatuses(int(team.repo.ID), sha, &gitlab.GetCommitStatusesOptions{All: gitlab.Ptr(true)})
			must(t, err)
			equal(t, "rows", len(all), row.rows)
			if row.rows > 0 {
				equal(t, "statuses of the world", len(team.Statuses(team.repo, sha)), 1)
			}
		})
	}
}

func TestStatusOfAProtectedTag(t *testing.T) {
	for _, role := range []forgetest.Role{forgetest.RoleWrite, forgetest.RoleMaintain} {
		team := newTeam(t, gitlabtest.Options{})
		team.Protect(team.repo, forgetest.Protection{Ref: "refs/tags/v*"})
		sha := team.Head(team.repo, "refs/heads/main")
		team.Push(team.repo, team.ben, "refs/tags/v1", sha)
		team.SetRole(team.repo, team.BotUser(), role)
		_, res, err := team.api.Commits.SetCommitStatus(int(team.repo.ID), sha, &gitlab.SetCommitStatusOptions{
			State: gitlab.Running, Ref: gitlab.Ptr("v1"), Name: gitlab.Ptr("countersign"),
		})
		equal(t, fmt.Sprintf("role %d may", role), err == nil, role == forgetest.RoleMaintain)
		if err != nil {
			equal(t, "status", res.StatusCode, http.StatusForbidden)
		}
	}
}

func TestStatusRingsAPipelineHook(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	in := newInbox(t)
	team.DeliverTo(in.url, "s3cret")
	sha := team.Head(team.repo, "refs/heads/main")
	for _, state := range []gitlab.BuildStateValue{gitlab.Running, gitlab.Success} {
		_, _, err := team.api.Commits.SetCommitStatus(int(team.repo.ID), sha, &gitlab.SetCommitStatusOptions{State: state, Name: gitlab.Ptr("countersign")})
		must(t, err)
	}
	team.Settle()
	equal(t, "events", in.events(), "Pipeline Hook, Pipeline Hook")
}

func TestStatusJoinsThePipeline(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	sha := team.Head(team.repo, "refs/heads/main")
	job := team.StartJob(team.repo, forgetest.JobSpec{Ref: "refs/heads/main", Actor: team.ana})
	st, _, err := team.api.Commits.SetCommitStatus(int(team.repo.ID), sha, &gitlab.SetCommitStatusOptions{
		State: gitlab.Running, Context: gitlab.Ptr("countersign"), TargetURL: gitlab.Ptr("https://gate.example.com/r/1"),
		Description: gitlab.Ptr("waiting"),
	})
	must(t, err)
	equal(t, "ref of the pipeline", st.Ref, "main")
	got := team.Statuses(team.repo, sha)
	equal(t, "status", got[0], forgetest.Status{
		Kind: "status", Context: "countersign", State: "running", Description: "waiting", TargetURL: "https://gate.example.com/r/1",
	})
	_, body := team.call(t, http.MethodGet, fmt.Sprintf("/projects/%d/repository/commits/%s/statuses", team.repo.ID, sha), "")
	equal(t, "pipeline", strings.Contains(string(body), fmt.Sprintf(`"pipeline_id":%d`, job.RunID)), true)
}

func TestStatusLimits(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	sha := team.Head(team.repo, "refs/heads/main")
	rows := []struct{ name, body, want string }{
		{"no state", `{}`, `{"error":"state is missing"}`},
		{"long description", `{"state":"success","description":"` + strings.Repeat("x", 256) + `"}`, `{"message":{"description":["is too long (maximum is 255 characters)"]}}`},
		{"long name", `{"state":"success","name":"` + strings.Repeat("x", 256) + `"}`, `{"message":{"name":["is too long (maximum is 255 characters)"]}}`},
		{"target", `{"state":"success","target_url":"javascript:x"}`, `{"message":{"target_url":["is blocked: Only allowed schemes are http, https"]}}`},
		{"not JSON", `{`, `{"error":"message body does not match declared format"}`},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			res, body := team.call(t, http.MethodPost, fmt.Sprintf("/projects/%d/statuses/%s", team.repo.ID, sha), row.body)
			equal(t, "answer", fmt.Sprintf("%d %s", res.StatusCode, strings.TrimSpace(string(body))), "400 "+row.want)
		})
	}
}
