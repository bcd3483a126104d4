package gate

import "time"

// Snapshot is a branch's protection as it was once read. Snapshots over time show what
// was switched off and on again (attack 25).
type Snapshot struct {
	Repository RepositoryID `json:"repository"`
	Ref        string       `json:"ref"` // full ref
	At         time.Time    `json:"at"`
	// Until is when the next, different one was read; the zero time while it holds.
	Until time.Time `json:"until"`
	// Protection is absent where the branch was not protected; never unknown.
	Protection Fact[Protection] `json:"protection"`
}
