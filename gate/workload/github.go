package workload

import (
	"fmt"
	"strings"

	"github.com/countersign/countersign/gate"
)

// github reads the claims of GitHub Actions (GitHub Docs, "OpenID Connect
// reference"). Identities are numbers; names are for display.
func github(c *claims, w *gate.Workload) {
	w.Repository = gate.RepositoryID{Forge: w.Forge, ID: c.id("repository_id")}
	w.Owner = gate.AccountID{Forge: w.Forge, ID: c.id("repository_owner_id")}
	w.RepositoryName = c.name("repository", c.text("repository_owner"))
	w.Ref = c.ref("ref", c.text("ref"))
	w.Commit = c.commit("sha")
	w.Workflow, w.WorkflowRef = c.located("workflow_ref", w.Ref)
	w.WorkflowCommit = c.commit("workflow_sha")
	w.JobWorkflow = c.text("job_workflow_ref")
	w.JobWorkflowCommit = c.commit("job_workflow_sha")
	w.Event = c.text("event_name")
	w.Environment = c.optional("environment")
	w.Runner = c.runner("github-hosted")
	w.RunID = c.id("run_id")
	w.RunAttempt = c.id("run_attempt")
	c.list("check_run_id", "a positive number as a text, or nothing from an older GitHub")
	if c.has("check_run_id") {
		w.JobID = c.id("check_run_id")
	}
	w.Actor = gate.Account{ID: gate.AccountID{Forge: w.Forge, ID: c.id("actor_id")}, Login: c.text("actor")}
	if c.fine("repository", "workflow_ref") && !strings.HasPrefix(w.Workflow, w.RepositoryName+"/") {
		c.contradict("workflow_ref", "a workflow of "+clean(w.RepositoryName), quoted(w.Workflow))
	}
	c.immutableSub(w)
	c.expectations([]gate.ClaimCheck{
		{Claim: "repository_owner_id", Expected: "the owner's number: the forge has to say the same"},
		{Claim: "repository_owner", Expected: "the owner's name, for display"},
		{Claim: "workflow_ref", Expected: "a workflow of " + clean(w.RepositoryName) + ": the policy names which"},
		{Claim: "workflow_sha", Expected: "a commit: the policy wants that of sha"},
		{Claim: "job_workflow_ref", Expected: "a workflow: the policy names which"},
		{Claim: "job_workflow_sha", Expected: "a commit: the policy says which"},
		{Claim: "event_name", Expected: "a text: the policy names those allowed"},
		{Claim: "environment", Expected: "any, or nothing: the policy may name one"},
		{Claim: "runner_environment", Expected: "github-hosted or self-hosted: the policy may name one"},
		{Claim: "run_id", Expected: "a run that the forge has"},
		{Claim: "run_attempt", Expected: "an attempt of it that the forge has"},
		{Claim: "check_run_id", Expected: "a job of it in progress, or nothing from an older GitHub"},
		{Claim: "actor_id", Expected: "who started it: no independent approver"},
		{Claim: "actor", Expected: "a name, for display"},
	})
}

// name is owner/name as the claim has it, after checking that it is one.
func (c *claims) name(claim, owner string) string {
	s := c.text(claim)
	of, name, ok := strings.Cut(s, "/")
	if !ok || of != owner || name == "" || strings.ContainsAny(name, "/@: ") || strings.ContainsAny(of, "@: ") {
		c.contradict(claim, "owner/name of owner "+quoted(owner), quoted(s))
	}
	c.pin(claim, "owner/name, for display")
	return s
}

// immutableSub compares GitHub's sub where it carries IDs
// (repo:OWNER@ID/NAME@ID:…); any other form is the repository's choice and is never
// used (attack 6).
func (c *claims) immutableSub(w *gate.Workload) {
	rest, ok := strings.CutPrefix(c.text("sub"), "repo:")
	if !ok {
		return
	}
	repo, _, _ := strings.Cut(rest, ":")
	if !strings.Contains(repo, "@") {
		return
	}
	owner, name, _ := strings.Cut(w.RepositoryName, "/")
	if !c.fine("repository", "repository_id", "repository_owner_id") {
		return
	}
	if want := fmt.Sprintf("%s@%d/%s@%d", owner, w.Owner.ID, name, w.Repository.ID); !strings.EqualFold(repo, want) {
		c.contradict("sub", "repo:"+clean(want)+":…, as the other claims say", quoted(rest))
	}
}

// runner is where the job runs: on the forge's own machines or on somebody else's.
func (c *claims) runner(hosted string) string {
	c.list("runner_environment", hosted+" or self-hosted")
	s := c.text("runner_environment")
	if s != hosted && s != "self-hosted" {
		c.contradict("runner_environment", hosted+" or self-hosted", quoted(s))
	}
	return s
}
