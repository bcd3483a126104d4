package github

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/gate"
)

// maxActivity bounds how far back the log of one ref is read.
const maxActivity = 2000

// The activities that matter apart (REST API, "List repository activities").
const (
	activityCreation   = "branch_creation"
	activityDeletion   = "branch_deletion"
	activityMerge      = "pr_merge"
	activityMergeQueue = "merge_queue_merge"
)

// activityJSON is REST API's schema activity, in part.
type activityJSON struct {
	Before    string    `json:"before"`
	After     string    `json:"after"`
	Ref       string    `json:"ref"`
	Type      string    `json:"activity_type"`
	Timestamp time.Time `json:"timestamp"`
	Actor     *userJSON `json:"actor"`
}

// activity is the push log of one full ref, newest first.
func (r *repository) activity(ctx context.Context, ref string) ([]activityJSON, error) {
	return r.activityOf(ctx, r.owner, r.name, ref)
}

// activityOf asks for the ref, and where GitHub gives nothing for it (it does not say
// whether it does once a branch is deleted) takes the ref's rows out of the whole log.
func (r *repository) activityOf(ctx context.Context, owner, name, ref string) ([]activityJSON, error) {
	log, err := r.readLog(ctx, owner, name, url.Values{"ref": {ref}})
	switch {
	case !strings.HasPrefix(ref, "refs/heads/"): // tags: the log is documented for branches
		if err != nil {
			return nil, err
		}
	case err == nil && len(log) > 0:
	case err == nil, isNotFound(err), statusOf(err) == http.StatusUnprocessableEntity:
		if log, err = r.readLog(ctx, owner, name, nil); err != nil {
			return nil, err
		}
	default:
		return nil, err
	}
	return slices.DeleteFunc(log, func(a activityJSON) bool { return a.Ref != ref }), nil
}

// readLog reads at most maxActivity rows. Who needs older ones finds that they are missing.
func (r *repository) readLog(ctx context.Context, owner, name string, q url.Values) ([]activityJSON, error) {
	var all []activityJSON
	err := pages(ctx, r.caller, q, func(page []activityJSON) (bool, error) {
		all = append(all, page...)
		return len(all) < maxActivity, nil
	}, "repos", owner, name, "activity")
	return all, err
}

// headPushers are everyone who pushed to a pull request's head branch up to its final
// head, force pushes included (attacks 34 and 40). The log has to hold the push of
// that head and reach back to before the pull request, or nothing is known.
func (f *Forge) headPushers(log []activityJSON, p *pullJSON) gate.Fact[[]gate.Account] {
	var people accounts
	found, reachesBack := false, false
	for _, a := range log {
		found = found || a.After == p.Head.SHA && a.Type != activityDeletion
		if !found || a.Type == activityDeletion {
			continue
		}
		who, ok := f.toAccount(a.Actor)
		if !ok {
			return gate.Unknown[[]gate.Account]("GitHub does not say who pushed " + gate.ShortCommit(a.After))
		}
		people.add(who)
		reachesBack = reachesBack || !a.Timestamp.After(p.CreatedAt)
		// A branch that was made again while the pull request was open has pushers before that.
		if a.Type == activityCreation && reachesBack {
			break
		}
	}
	switch {
	case !found:
		return gate.Unknown[[]gate.Account](fmt.Sprintf("the push of %s to %s is not in GitHub's activity log",
			gate.ShortCommit(p.Head.SHA), p.Head.Ref))
	case !reachesBack:
		return gate.Unknown[[]gate.Account](fmt.Sprintf("GitHub's activity log of %s does not reach back to when #%d was opened",
			p.Head.Ref, p.Number))
	}
	return gate.Known(people.list)
}

// accounts is a list with each account once.
type accounts struct{ list []gate.Account }

func (s *accounts) add(a gate.Account) {
	for _, b := range s.list {
		if b.ID == a.ID {
			return
		}
	}
	s.list = append(s.list, a)
}
