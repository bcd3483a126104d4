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
	ID        int64     `json:"id"`
	Before    string    `json:"before"`
	After     string    `json:"after"`
	Ref       string    `json:"ref"`
	Type      string    `json:"activity_type"`
	Timestamp time.Time `json:"timestamp"`
	Actor     *userJSON `json:"actor"`
}

// wholeLog is the newest page of the repository's whole log, newest first.
type wholeLog struct {
	rows     []activityJSON
	complete bool // there are no older rows
	err      error
}

// newest reads the whole log's newest page, once per reading: young branches, and all
// branches of a quiet repository, are in it together.
func (rd *reading) newest(ctx context.Context) wholeLog {
	rd.logOnce.Do(func() {
		resp, err := rd.call(ctx, http.MethodGet, &rd.log.rows, url.Values{"per_page": {perPage}}, nil, rd.at("activity")...)
		rd.log.err = err
		rd.log.complete = err == nil && resp.After == "" && resp.NextPage == 0
	})
	return rd.log
}

func ofRef(rows []activityJSON, ref string) []activityJSON {
	return slices.DeleteFunc(slices.Clone(rows), func(a activityJSON) bool { return a.Ref != ref })
}

// logOf is the push log of one of the repository's full refs, newest first. Rows are
// never taken back, so that of a long log only what came since the last reading is read
// again, as long as that is on the newest page; and nothing while the ref is still where
// it was (see stillLog).
func (rd *reading) logOf(ctx context.Context, ref string) ([]activityJSON, error) {
	memory, key, head, now := rd.forge.memory, logKey{rd.facts.ID.ID, ref}, rd.headOf(ref), rd.forge.cfg.Now()
	if rows, still := memory.still(memory.bases, key, head, now); still {
		return rows, nil
	}
	rows, err := rd.askLogOf(ctx, ref)
	if err == nil {
		memory.keepBase(key, stillLog{head, now, rows})
	}
	return rows, err
}

func (rd *reading) askLogOf(ctx context.Context, ref string) ([]activityJSON, error) {
	log := rd.newest(ctx)
	if log.err != nil {
		return nil, log.err
	}
	if log.complete {
		return ofRef(log.rows, ref), nil
	}
	key := logKey{rd.facts.ID.ID, ref}
	before, has := rd.forge.memory.log(key)
	at := slices.IndexFunc(log.rows, func(a activityJSON) bool { return a.ID != 0 && a.ID == before.newest })
	var rows []activityJSON
	if has && at >= 0 {
		rows = append(ofRef(log.rows[:at], ref), before.rows...)
	} else {
		var err error
		if rows, err = rd.activity(ctx, ref); err != nil {
			return nil, err
		}
	}
	if len(log.rows) > 0 {
		rd.forge.memory.keepLog(key, keptLog{newest: log.rows[0].ID, rows: rows})
	}
	return rows, nil
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
	pushers, _ := f.pushersIn(log, p)
	return pushers
}

// pushersIn is headPushers, and whether older rows could add nothing: the log reaches
// the making of the branch before the pull request was opened.
func (f *Forge) pushersIn(log []activityJSON, p *pullJSON) (pushers gate.Fact[[]gate.Account], settled bool) {
	var people accounts
	found, reachesBack := false, false
	for _, a := range log {
		found = found || a.After == p.Head.SHA && a.Type != activityDeletion
		if !found || a.Type == activityDeletion {
			continue
		}
		who, ok := f.toAccount(a.Actor)
		if !ok {
			return gate.Unknown[[]gate.Account]("GitHub does not say who pushed " + gate.ShortCommit(a.After)), true
		}
		people.add(who)
		reachesBack = reachesBack || !a.Timestamp.After(p.CreatedAt)
		// A branch that was made again while the pull request was open has pushers before that.
		if a.Type == activityCreation && reachesBack {
			settled = true
			break
		}
	}
	switch {
	case !found:
		return gate.Unknown[[]gate.Account](fmt.Sprintf("the push of %s to %s is not in GitHub's activity log",
			gate.ShortCommit(p.Head.SHA), p.Head.Ref)), settled
	case !reachesBack:
		return gate.Unknown[[]gate.Account](fmt.Sprintf("GitHub's activity log of %s does not reach back to when #%d was opened",
			p.Head.Ref, p.Number)), settled
	}
	return gate.Known(people.list), settled
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
