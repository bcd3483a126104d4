package workload

import (
	"strings"

	"github.com/countersign/countersign/gate"
)

// gitlab reads the claims of GitLab CI (GitLab Docs, "OpenID Connect (OIDC)
// Authentication Using ID Tokens"). The same issuer and keys sign the ID tokens of
// people who sign in: those lack what is asked for here (attack 7).
func gitlab(c *claims, w *gate.Workload) {
	w.JobID = c.id("job_id")
	w.RunID = c.id("pipeline_id")
	w.RunAttempt = 1
	w.Repository = gate.RepositoryID{Forge: w.Forge, ID: c.id("project_id")}
	// A fork's merge request pipeline names the fork here and the project it runs in
	// there (GitLab 18.3 and later).
	c.list("job_project_id", "that of project_id, or nothing")
	if c.has("job_project_id") && c.id("job_project_id") != w.Repository.ID && c.fine("project_id", "job_project_id") {
		c.contradict("job_project_id", "the project itself", quoted(c.text("job_project_id")))
	}
	w.Owner = gate.AccountID{Forge: w.Forge, ID: c.id("namespace_id")}
	w.RepositoryName = c.text("project_path")
	w.Event = c.text("pipeline_source")
	if w.Event == "merge_request_event" || w.Event == "external_pull_request_event" {
		c.contradict("pipeline_source", "a pipeline of a branch or tag", quoted(w.Event))
	}
	w.Ref = c.gitlabRef()
	w.Commit = c.commit("sha")
	w.Workflow, w.WorkflowRef = c.located("ci_config_ref_uri", w.Ref)
	w.WorkflowCommit = c.commit("ci_config_sha")
	if c.fine("project_path", "ci_config_ref_uri") && !strings.Contains(w.Workflow, "/"+w.RepositoryName+"//") {
		c.contradict("ci_config_ref_uri", "a CI configuration of "+clean(w.RepositoryName), quoted(w.Workflow))
	}
	w.Environment = c.optional("environment")
	w.Runner = c.runner("gitlab-hosted")
	w.Actor = gate.Account{ID: gate.AccountID{Forge: w.Forge, ID: c.id("user_id")}, Login: c.text("user_login")}
	c.expectations([]gate.ClaimCheck{
		{Claim: "job_id", Expected: "a job that the forge has, in progress"},
		{Claim: "pipeline_id", Expected: "the pipeline of the job"},
		{Claim: "namespace_id", Expected: "the owner's number: the forge has to say the same"},
		{Claim: "project_path", Expected: "the project's path, for display"},
		{Claim: "pipeline_source", Expected: "a text: the policy names those allowed"},
		{Claim: "ci_config_ref_uri", Expected: "a CI configuration of " + clean(w.RepositoryName)},
		{Claim: "ci_config_sha", Expected: "a commit: the policy wants that of sha"},
		{Claim: "environment", Expected: "any, or nothing: the policy may name one"},
		{Claim: "runner_environment", Expected: "gitlab-hosted or self-hosted: the policy may name one"},
		{Claim: "user_id", Expected: "who started it: no independent approver"},
		{Claim: "user_login", Expected: "a name, for display"},
	})
}

// gitlabRef makes a full ref of ref and ref_type; where the issuer is new enough to give
// ref_path, that must say the same.
func (c *claims) gitlabRef() string {
	full := map[string]string{"branch": "refs/heads/", "tag": "refs/tags/"}[c.text("ref_type")] + c.text("ref")
	c.list("ref_path", "ref and ref_type as one, or nothing")
	if c.has("ref_path") && c.text("ref_path") != full && c.fine("ref", "ref_type", "ref_path") {
		c.contradict("ref_path", quoted(full), quoted(c.text("ref_path")))
	}
	return c.ref("ref", full)
}
