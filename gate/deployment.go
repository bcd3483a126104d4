package gate

import "time"

// Deployment is a CI job that waits for the gate before it may use an environment
// (GitHub's custom deployment protection rule).
type Deployment struct {
	Repository  RepositoryID `json:"repository"`
	RunID       int64        `json:"run_id"`
	Environment string       `json:"environment"`
	Requested   time.Time    `json:"requested"`
}

// Leave is what a post answers to a deployment that waits.
type Leave string

// Leaves. The zero value only reports progress.
const (
	LeaveGiven   Leave = "approved"
	LeaveRefused Leave = "rejected"
)
