package gitlab

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/countersign/countersign/gate"
)

// commitStatus is what anything reported on a commit: a CI job, or an external status (API
// docs: commits, list commit statuses; source: lib/api/entities/commit_status.rb).
type commitStatus struct {
	ID     int64    `json:"id"`
	Name   string   `json:"name"`
	Status string   `json:"status"`
	Author *account `json:"author"`
}

// ownContext begins the names of the gate's own statuses, which judge nothing.
const ownContext = "countersign/"

// check puts a status into the gate's words. A job that failed and may fail did not
// pass, nor did one that was skipped or waits for somebody to play it.
func (s commitStatus) check() (gate.CommitCheck, error) {
	c := gate.CommitCheck{Name: s.Name}
	switch s.Status {
	case "success":
		c.Done, c.Passed = true, true
	case "failed", "canceled", "skipped":
		c.Done = true
	case "created", "waiting_for_resource", "waiting_for_callback", "preparing", "pending", "running", "manual", "scheduled", "canceling":
	default: // attack 74
		return c, fmt.Errorf("status %q is %q: %w", s.Name, s.Status, errUnexpected)
	}
	if s.Author != nil {
		c.By = s.Author.Username
	}
	return c, nil
}

// readChecks are the wanted checks that the commit has, each in its newest run: the
// statuses of all pipelines of the commit, a later one of a name before an earlier.
func (s *session) readChecks(ctx context.Context, sha string, wanted []string) gate.Fact[[]gate.CommitCheck] {
	if !isSHA(sha) {
		return gate.Unknown[[]gate.CommitCheck]("the commit is no full SHA")
	}
	rows, err := fetchAll[commitStatus](ctx, s, s.path("/repository/commits/%s/statuses", sha), nil)
	if err != nil {
		return unknown[[]gate.CommitCheck](err)
	}
	newest := map[string]commitStatus{}
	for _, row := range rows {
		switch {
		case row.ID <= 0 || row.Name == "":
			return unknown[[]gate.CommitCheck](errUnexpected)
		case !slices.Contains(wanted, row.Name) || strings.HasPrefix(row.Name, ownContext):
		case row.ID > newest[row.Name].ID:
			newest[row.Name] = row
		}
	}
	out := []gate.CommitCheck{}
	for _, name := range slices.Compact(slices.Sorted(slices.Values(wanted))) {
		row, ok := newest[name]
		if !ok {
			continue
		}
		c, err := row.check()
		if err != nil {
			return gate.Unknown[[]gate.CommitCheck]("check " + name + " has a state that the gate does not know")
		}
		out = append(out, c)
	}
	return gate.Known(out)
}
