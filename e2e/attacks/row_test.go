package attacks_test

import (
	"testing"

	"github.com/countersign/countersign/forges/forgetest/githubtest"
	"github.com/countersign/countersign/forges/forgetest/gitlabtest"
)

// row is one attack. It is played on both forges unless it is for one of them.
type row struct {
	name string // "attack N: what somebody tries"
	on   string // "github", "gitlab", or both where empty
	// policy is what stands in the policy's entry beside the workflow and the job.
	policy string
	github githubtest.Options
	gitlab gitlabtest.Options
	play   func(s *stage)
}

func play(t *testing.T, rows []row) {
	t.Helper()
	t.Parallel()
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			for _, forge := range []string{"github", "gitlab"} {
				if r.on != "" && r.on != forge {
					continue
				}
				t.Run(forge, func(t *testing.T) {
					t.Parallel()
					r.play(newStage(t, forge, r))
				})
			}
		})
	}
}
