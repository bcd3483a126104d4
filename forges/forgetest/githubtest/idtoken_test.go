package githubtest_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
)

func (w *team) claims(token, audience string) map[string]any {
	w.t.Helper()
	provider, err := oidc.NewProvider(w.t.Context(), w.Issuer())
	if err != nil {
		w.t.Fatal(err)
	}
	verified, err := provider.Verifier(&oidc.Config{ClientID: audience, SupportedSigningAlgs: []string{"RS256"}}).Verify(w.t.Context(), token)
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[string]any{}
	if err := verified.Claims(&out); err != nil {
		w.t.Fatal(err)
	}
	return out
}

func (w *team) job(spec forgetest.JobSpec) forgetest.Job {
	if spec.Ref == "" {
		spec.Ref = "refs/heads/main"
	}
	if spec.Workflow == "" {
		spec.Workflow = "release.yml"
	}
	if spec.Actor == (forgetest.Person{}) {
		spec.Actor = w.ana
	}
	return w.StartJob(w.repo, spec)
}

func TestIDTokenClaims(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	w.Protect(w.repo, forgetest.Protection{Ref: "refs/heads/main"})
	j := w.job(forgetest.JobSpec{Environment: "prod:eu"})
	head := w.Head(w.repo, "refs/heads/main")
	got := w.claims(w.IDToken(j, "gate", nil), "gate")
	workflow := "acme/widget/.github/workflows/release.yml@refs/heads/main"
	for name, want := range map[string]any{
		"iss": w.URL() + "/_services/token", "sub": "repo:acme/widget:environment:prod%3Aeu", "aud": "gate", "ref": "refs/heads/main",
		"ref_type": "branch", "ref_protected": "true", "sha": head, "repository": "acme/widget",
		"repository_id": fmt.Sprint(w.repo.ID), "repository_owner": "acme", "repository_owner_id": fmt.Sprint(w.repo.OwnerID),
		"repository_visibility": "private", "run_id": fmt.Sprint(j.RunID), "run_number": "1", "run_attempt": "1",
		"actor": "ana", "actor_id": fmt.Sprint(w.ana.ID), "workflow": ".github/workflows/release.yml", "workflow_ref": workflow,
		"workflow_sha": head, "head_ref": "", "base_ref": "", "event_name": "push", "environment": "prod:eu",
		"job_workflow_ref": workflow, "job_workflow_sha": head, "runner_environment": "github-hosted", "check_run_id": fmt.Sprint(j.ID),
	} {
		if got[name] != want {
			t.Errorf("%s: got %v, want %v", name, got[name], want)
		}
	}
	for _, name := range []string{"environment_node_id", "jti", "enterprise", "enterprise_id", "issuer_scope"} {
		if value, is := got[name].(string); !is || value == "" {
			t.Errorf("%s: got %v, want a string", name, got[name])
		}
	}
	iat, exp, nbf := got["iat"].(float64), got["exp"].(float64), got["nbf"].(float64)
	if exp-iat != 300 || iat-nbf != 600 {
		t.Errorf("times: got iat %v, exp %v, nbf %v", iat, exp, nbf)
	}
	if len(got) != 36 {
		t.Errorf("claims: got %d, want 36: %v", len(got), slices.Sorted(maps.Keys(got)))
	}
}

func TestIDTokenSubjects(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	head := w.Head(w.repo, "refs/heads/main")
	w.Push(w.repo, w.ana, "refs/tags/v1", head)
	for name, row := range map[string]struct {
		spec              forgetest.JobSpec
		sub, kind, runner string
	}{
		"branch":       {forgetest.JobSpec{}, "repo:acme/widget:ref:refs/heads/main", "branch", "github-hosted"},
		"tag":          {forgetest.JobSpec{Ref: "refs/tags/v1", Event: "release"}, "repo:acme/widget:ref:refs/tags/v1", "tag", "github-hosted"},
		"pull request": {forgetest.JobSpec{Ref: "refs/pull/1/merge", SHA: head, Event: "pull_request"}, "repo:acme/widget:pull_request", "branch", "github-hosted"},
		"own runner":   {forgetest.JobSpec{Runner: "self-hosted"}, "repo:acme/widget:ref:refs/heads/main", "branch", "self-hosted"},
	} {
		got := w.claims(w.IDToken(w.job(row.spec), "gate", nil), "gate")
		if got["sub"] != row.sub || got["ref_type"] != row.kind || got["runner_environment"] != row.runner || got["ref_protected"] != "false" {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestRunnerAsksForIDTokens(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	j := w.job(forgetest.JobSpec{})
	env := map[string]string{}
	for _, line := range w.JobEnv(j, "") {
		name, value, _ := strings.Cut(line, "=")
		env[name] = value
	}
	if env["GITHUB_REPOSITORY"] != "acme/widget" || env["GITHUB_API_URL"] != w.APIURL() || env["GITHUB_RUN_ID"] != fmt.Sprint(j.RunID) {
		t.Errorf("environment: got %v", env)
	}
	ask := func(query, credential string) (int, string) {
		res, body := w.raw("GET", env["ACTIONS_ID_TOKEN_REQUEST_URL"]+query, "", "Authorization", "Bearer "+credential)
		var answer struct{ Value string }
		if err := json.Unmarshal([]byte(body), &answer); err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, answer.Value
	}
	token := env["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]
	_, value := ask("&audience=countersign%3Agate%3Aabc", token)
	if got := w.claims(value, "countersign:gate:abc"); got["repository_id"] != fmt.Sprint(w.repo.ID) {
		t.Errorf("claims: got %v", got)
	}
	_, value = ask("", token)
	w.claims(value, w.URL()+"/acme") // the default audience: the owner's page
	if status, _ := ask("&audience=x", "another"); status != 401 {
		t.Errorf("another's request token: got %d, want 401", status)
	}
	w.FinishJob(j)
	if status, _ := ask("&audience=x", token); status != 401 {
		t.Errorf("finished job: got %d, want 401", status)
	}
	for _, path := range []string{"/idtoken/1/2", "/idtoken/x", "/else"} {
		if res, _ := w.raw("GET", w.Issuer()+path, ""); res.StatusCode != 404 {
			t.Errorf("%s: got %d, want 404", path, res.StatusCode)
		}
	}
}

func TestRunsAndAttempts(t *testing.T) {
	w := newTeam(t, githubtest.Options{})
	j := w.job(forgetest.JobSpec{})
	path := fmt.Sprintf("/repos/acme/widget/actions/runs/%d", j.RunID)
	type run struct {
		Status, Conclusion, Path, Event string
		HeadSHA                         string `json:"head_sha"`
		RunAttempt                      int    `json:"run_attempt"`
		Actor, Triggering               struct{ Login string }
		TriggeringActor                 struct{ Login string } `json:"triggering_actor"`
	}
	if got := get[run](w, path); got.Status != "in_progress" || got.Path != ".github/workflows/release.yml" || got.RunAttempt != 1 {
		t.Errorf("running: got %+v", got)
	}
	sibling := w.AddJob(j)
	w.FinishJob(j)
	if got := get[run](w, path); got.Status != "in_progress" {
		t.Errorf("one of two jobs done: got %+v", got)
	}
	w.FinishJob(sibling)
	if got := get[run](w, path); got.Status != "completed" || got.Conclusion != "success" {
		t.Errorf("done: got %+v", got)
	}
	again := w.Rerun(j, w.bo)
	if again.RunID != j.RunID || again.ID == j.ID {
		t.Errorf("run again: got %+v", again)
	}
	if got := get[run](w, path+"/attempts/2"); got.TriggeringActor.Login != "bo" || got.Actor.Login != "ana" || got.RunAttempt != 2 || got.Status != "in_progress" {
		t.Errorf("second attempt: got %+v", got)
	}
	if got := w.claims(w.IDToken(again, "gate", nil), "gate"); got["run_attempt"] != "2" || got["actor"] != "ana" {
		t.Errorf("claims of the second attempt: got %v", got)
	}
	jobs := get[struct {
		Total int `json:"total_count"`
		Jobs  []struct{ ID int64 }
	}](w, path+"/attempts/1/jobs")
	if jobs.Total != 2 || jobs.Jobs[0].ID != j.ID || jobs.Jobs[1].ID != sibling.ID {
		t.Errorf("jobs of the first attempt: got %+v", jobs)
	}
	for _, missing := range []string{path + "/attempts/3", path + "/attempts/3/jobs"} {
		if res, _ := w.raw("GET", missing, ""); res.StatusCode != 404 {
			t.Errorf("%s: got %d, want 404", missing, res.StatusCode)
		}
	}
}

// Unverified: whether a job's check run has the job's number.
func TestCheckRunOfAJob(t *testing.T) {
	for _, other := range []bool{false, true} {
		w := newTeam(t, githubtest.Options{Switches: githubtest.Switches{JobIDIsNotCheckRunID: other}})
		j := w.job(forgetest.JobSpec{})
		claim := w.claims(w.IDToken(j, "gate", nil), "gate")["check_run_id"]
		if (claim == fmt.Sprint(j.ID)) == other {
			t.Errorf("switch %v: got check run %v of job %d", other, claim, j.ID)
		}
		check := get[struct {
			Name string
			App  struct{ Slug string }
		}](w, fmt.Sprintf("/repos/acme/widget/check-runs/%s", claim))
		if check.App.Slug != "github-actions" || check.Name != "release" {
			t.Errorf("check run: got %+v", check)
		}
		job := get[map[string]any](w, fmt.Sprintf("/repos/acme/widget/actions/jobs/%d", j.ID))
		if !strings.HasSuffix(job["check_run_url"].(string), fmt.Sprintf("/check-runs/%s", claim)) {
			t.Errorf("job: got %v", job["check_run_url"])
		}
		if res, _ := w.raw("PATCH", fmt.Sprintf("/repos/acme/widget/check-runs/%s", claim), `{"name":"mine"}`); res.StatusCode != 403 {
			t.Errorf("another App's check run: got %d, want 403", res.StatusCode)
		}
	}
}

func TestForgedTokens(t *testing.T) {
	c := newClock()
	w := newTeam(t, githubtest.Options{Now: c.Now})
	token := w.SignClaims(map[string]any{"iss": w.Issuer(), "aud": "gate", "exp": c.Now().Add(time.Hour).Unix(), "sub": "anything"})
	if got := w.claims(token, "gate"); got["sub"] != "anything" || len(got) != 4 {
		t.Errorf("any claims: got %v", got)
	}
	if kid, key := w.SigningKey(); kid == "" || key.N.BitLen() != 2048 {
		t.Errorf("signing key: got %q", kid)
	}
}
