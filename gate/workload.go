package gate

import "time"

// Workload is the CI job that asks, as the verified claims of its ID token say.
// Everything in it was signed by the issuer; nothing in it was looked up.
type Workload struct {
	Forge    ForgeID   `json:"forge"`
	Kind     ForgeKind `json:"kind"`
	Issuer   string    `json:"issuer"`
	Audience string    `json:"audience"`
	TokenID  string    `json:"token_id"` // jti
	IssuedAt time.Time `json:"issued_at"`
	Expires  time.Time `json:"expires"`

	Repository     RepositoryID `json:"repository"`
	RepositoryName string       `json:"repository_name"` // owner/name; display only
	Owner          AccountID    `json:"owner"`           // GitHub organisation or user, GitLab namespace
	// Private is false only where the token says that the repository is public.
	Private bool `json:"private"`

	Ref    string `json:"ref"`    // full ref: refs/tags/… or refs/heads/…
	Commit string `json:"commit"` // 40 (or 64) hex digits

	// Workflow is what runs: GitHub `workflow_ref` without its @ref
	// (owner/name/.github/workflows/release.yml); GitLab `ci_config_ref_uri` without it.
	Workflow string `json:"workflow"`
	// WorkflowRef and WorkflowCommit say from which ref and commit the workflow was
	// taken (attack 13, 14).
	WorkflowRef    string `json:"workflow_ref"`
	WorkflowCommit string `json:"workflow_commit"`
	// JobWorkflow is GitHub's `job_workflow_ref`, whole: the reusable workflow, or the workflow itself.
	JobWorkflow       string `json:"job_workflow,omitempty"`
	JobWorkflowCommit string `json:"job_workflow_commit,omitempty"`

	Event       string `json:"event"`                 // GitHub event_name, GitLab pipeline_source
	Environment string `json:"environment,omitempty"` // display; policy uses it by name
	Runner      string `json:"runner"`                // github-hosted, gitlab-hosted or self-hosted

	RunID      int64 `json:"run_id"`      // GitHub run, GitLab pipeline
	RunAttempt int64 `json:"run_attempt"` // 1 on GitLab
	JobID      int64 `json:"job_id"`      // GitHub check_run_id (0 where the forge is too old to say), GitLab job

	Actor Account `json:"actor"` // who started the run

	// Claims holds every claim as it came, for the record; no decision reads it.
	Claims map[string]any `json:"claims"`
}
