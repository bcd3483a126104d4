package gate

import "time"

// Deployment is a CI job that waits for the gate: on GitHub before it may use an environment
// (a custom deployment protection rule), on GitLab as a manual job.
type Deployment struct {
	Repository  RepositoryID `json:"repository"`
	RunID       int64        `json:"run_id"`      // GitLab: of the pipeline
	Environment string       `json:"environment"` // GitLab: the manual job's name
	Requested   time.Time    `json:"requested"`
}

// Leave is what a post answers to a deployment that waits.
type Leave string

// Leaves. The zero value only reports progress.
const (
	LeaveGiven   Leave = "approved"
	LeaveRefused Leave = "rejected"
)
