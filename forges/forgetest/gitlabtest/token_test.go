package gitlabtest_test

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
)

// verified checks a token as a relying party does and returns its claims.
func verified(t *testing.T, team *team, token, audience string) map[string]any {
	t.Helper()
	ctx := oidc.ClientContext(context.WithoutCancel(t.Context()), &http.Client{Transport: &http.Transport{DisableKeepAlives: true}})
	provider, err := oidc.NewProvider(ctx, team.Issuer())
	must(t, err)
	id, err := provider.Verifier(&oidc.Config{ClientID: audience}).Verify(ctx, token)
	must(t, err)
	var claims map[string]any
	must(t, id.Claims(&claims))
	return claims
}

func TestIDTokenOfAJob(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{JobTimeout: 10 * time.Minute})
	team.Protect(team.repo, forgetest.Protection{Ref: "refs/tags/v*"})
	sha := team.Head(team.repo, "refs/heads/main")
	team.Push(team.repo, team.ben, "refs/tags/v1.0", sha)
	job := team.StartJob(team.repo, forgetest.JobSpec{Ref: "refs/tags/v1.0", Workflow: "release", Actor: team.ben, Environment: "production"})
	claims := verified(t, team, team.IDToken(job, "countersign:gate.example.com", nil), "countersign:gate.example.com")
	host := strings.TrimPrefix(team.URL(), "http://")
	want := map[string]any{
		"iss": team.URL(), "aud": "countersign:gate.example.com", "sub": "project_path:acme/app:ref_type:tag:ref:v1.0",
		"namespace_id": text(team.repo.OwnerID), "namespace_path": "acme", "project_id": text(team.repo.ID), "project_path": "acme/app",
		"job_namespace_id": text(team.repo.OwnerID), "job_namespace_path": "acme", "job_project_id": text(team.repo.ID),
		"job_project_path": "acme/app", "project_visibility": "private", "user_id": text(team.ben.ID), "user_login": "ben",
		"user_email": team.ben.Email, "user_access_level": "maintainer", "pipeline_id": text(job.RunID), "pipeline_source": "push",
		"job_id": text(job.ID), "ref": "v1.0", "ref_type": "tag", "ref_path": "refs/tags/v1.0", "ref_protected": "true",
		"runner_id": float64(12270837), "runner_environment": "gitlab-hosted", "sha": sha, "ci_config_sha": sha,
		"ci_config_ref_uri": host + "/acme/app//.gitlab-ci.yml@refs/tags/v1.0", "environment": "production",
		"environment_protected": "false", "deployment_tier": "production", "environment_action": "start",
	}
	for name, value := range want {
		equal(t, name, claims[name], value)
	}
	issued, _ := claims["iat"].(float64)
	expires, _ := claims["exp"].(float64)
	equal(t, "lifetime is the job's timeout", expires-issued, 600)
	equal(t, "nbf", claims["nbf"], any(issued-5))
	jti, _ := claims["jti"].(string)
	equal(t, "jti", len(jti), 36)
}

func text(n int64) string { return strconv.FormatInt(n, 10) }

func TestIDTokenOverrides(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	job := team.StartJob(team.repo, forgetest.JobSpec{Ref: "refs/heads/main", Actor: team.ana})
	claims := verified(t, team, team.IDToken(job, "gate", map[string]any{"ref": "evil", "job_id": nil}), "gate")
	equal(t, "replaced", claims["ref"], any("evil"))
	_, has := claims["job_id"]
	equal(t, "removed", has, false)
	_, has = claims["environment"]
	equal(t, "no environment", has, false)
	equal(t, "not protected", claims["ref_protected"], any("false"))
	equal(t, "branch", claims["ref_type"], any("branch"))
}

func TestLoginTokenHasTheSameKeyAndNoJob(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	claims := verified(t, team, team.LoginIDToken(team.ana, "gate"), "gate")
	equal(t, "issuer", claims["iss"], any(team.URL()))
	for _, name := range []string{"job_id", "pipeline_id", "project_id", "job_project_id"} {
		_, has := claims[name]
		equal(t, name, has, false)
	}
}

func TestSignWithAnotherHeader(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	token := team.Sign(map[string]any{"alg": "none", "kid": nil}, map[string]any{"iss": team.Issuer()})
	ctx := oidc.ClientContext(context.WithoutCancel(t.Context()), &http.Client{Transport: &http.Transport{DisableKeepAlives: true}})
	provider, err := oidc.NewProvider(ctx, team.Issuer())
	must(t, err)
	if _, err := provider.Verifier(&oidc.Config{SkipClientIDCheck: true}).Verify(ctx, token); err == nil {
		t.Error("alg none: expected go-oidc to refuse it")
	}
}

func TestJobEnvironment(t *testing.T) {
	team := newTeam(t, gitlabtest.Options{})
	branch := team.StartJob(team.repo, forgetest.JobSpec{Ref: "refs/heads/main", Actor: team.ana, Environment: "production"})
	env := team.JobEnv(branch, "gate")
	for _, want := range []string{
		"GITLAB_CI=true", "CI_PROJECT_PATH=acme/app", "CI_COMMIT_BRANCH=main", "CI_JOB_ID=" + text(branch.ID),
		"CI_API_V4_URL=" + team.APIURL(), "GITLAB_USER_LOGIN=ana", "CI_ENVIRONMENT_NAME=production",
	} {
		equal(t, want, slices.Contains(env, want), true)
	}
	token := ""
	for _, line := range env {
		if v, ok := strings.CutPrefix(line, "COUNTERSIGN_ID_TOKEN="); ok {
			token = v
		}
	}
	equal(t, "the token is of the job", verified(t, team, token, "gate")["job_id"], any(text(branch.ID)))
	team.Push(team.repo, team.ben, "refs/tags/v1", team.Head(team.repo, "refs/heads/main"))
	tag := team.StartJob(team.repo, forgetest.JobSpec{Ref: "refs/tags/v1", Actor: team.ana})
	equal(t, "tag", slices.Contains(team.JobEnv(tag, "gate"), "CI_COMMIT_TAG=v1"), true)
}
