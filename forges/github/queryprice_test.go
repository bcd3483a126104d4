package github_test

import (
	"fmt"
	"testing"

	"github.com/countersign/countersign/forges/forgetest"
	"github.com/countersign/countersign/forges/forgetest/githubtest"
	"github.com/countersign/countersign/gate"
)

// TestPriceOfReadings holds that what a reading is charged follows what there is to read,
// and that a pull request with more commits than were asked for on the chance is read
// in full.
func TestPriceOfReadings(t *testing.T) {
	for _, row := range []struct {
		commits     int
		first, next int // points of GraphQL's 5,000 an hour
	}{{1, 10, 4}, {50, 15, 5}, {110, 15, 10}} {
		t.Run(fmt.Sprintf("%d commits", row.commits), func(t *testing.T) {
			w := newTeam(t, githubtest.Options{})
			w.forge = hosted(t, w.Server)
			at := w.root
			for i := range row.commits {
				at = w.Commit(w.repo, forgetest.CommitSpec{
					Author: w.ana, Message: fmt.Sprint("Step ", i), Parents: []string{at}, Files: map[string][]byte{"x": fmt.Append(nil, i)},
				})
			}
			w.Push(w.repo, w.ana, "refs/heads/topic", at)
			change := w.OpenChange(w.repo, w.ana, forgetest.ChangeSpec{Title: "Bring topic", Source: "topic"})
			w.Merge(change, w.bo, forgetest.MergeCommit)
			read := func() (gate.Change, int) {
				before := w.Points()
				c := numbered(t, w.changes(), change.Number)
				return c, w.Points() - before
			}
			for _, most := range []int{row.first, row.next} {
				c, points := read()
				if len(c.Commits) != row.commits+1 || points > most {
					t.Errorf("got %d commits for %d points, want %d for at most %d", len(c.Commits), points, row.commits+1, most)
				}
			}
		})
	}
}
