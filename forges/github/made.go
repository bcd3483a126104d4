package github

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/countersign/countersign/gate"
)

// made are the commits of the range that the forge itself made of a pull request at
// its final head. Two things prove it, each enough:
//
//   - GitHub's activity log has the merge that ended in the pull request's merge commit
//     (attack 39: a merge pushed by hand is a "push" there);
//   - the merge commit was committed on GitHub's web side under GitHub's own signature.
//     GitHub Enterprise Server signs nothing unless set up to, and rebased commits are
//     never signed.
func (h *history) made(p *pull) []string {
	i, in := h.at[p.MergeCommitSHA]
	if !in || p.own[p.MergeCommitSHA] {
		return nil // nothing was made: the head itself went on, or it is older than the range
	}
	merge := h.commits[i]
	parents := merge.parents()
	if len(parents) > 2 || len(parents) == 0 || p.own[parents[0]] || len(parents) == 2 && parents[1] != p.Head.SHA {
		return nil
	}
	for _, a := range h.logs["refs/heads/"+p.Base.Ref] {
		if a.Type == activityMerge && a.After == p.MergeCommitSHA {
			return h.chain(p, a.Before)
		}
		if a.Type == activityMergeQueue && h.brought(a, p.MergeCommitSHA) {
			return []string{p.MergeCommitSHA}
		}
	}
	if h.nodes[p.MergeCommitSHA].byWeb() {
		return []string{p.MergeCommitSHA}
	}
	return nil
}

// chain walks from the merge commit along first parents to what the branch was before: one
// commit for a merge or squash, and for a rebase at most as many as the pull request has.
func (h *history) chain(p *pull, before string) []string {
	var out []string
	for sha := p.MergeCommitSHA; sha != before; {
		i, in := h.at[sha]
		if !in || len(out) == p.Commits {
			return nil
		}
		out = append(out, sha)
		parents := h.commits[i].parents()
		if len(parents) == 2 && len(out) == 1 && parents[0] == before {
			return out
		}
		if len(parents) != 1 {
			return nil
		}
		sha = parents[0]
	}
	return out
}

// brought reports whether a push put a commit of the range on its branch.
func (h *history) brought(a activityJSON, sha string) bool {
	return h.reaches(a.After, sha) && !h.reaches(a.Before, sha)
}

// reaches walks within the range only: what lies before it is on the branch already.
func (h *history) reaches(from, sha string) bool {
	seen := map[string]bool{}
	for todo := []string{from}; len(todo) > 0; {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		i, in := h.at[at]
		if !in || seen[at] {
			continue
		}
		if at == sha {
			return true
		}
		seen[at] = true
		todo = append(todo, h.commits[i].parents()...)
	}
	return false
}

// basePushers are everyone whose push put a commit on a branch that releases come from,
// and when that was first. Making a branch at a commit counts only where nothing
// else brought it.
func (h *history) basePushers(sha string) (gate.Fact[[]gate.Account], time.Time) {
	var pushed, created accounts
	var first time.Time
	for _, log := range h.logs {
		for _, a := range log {
			if a.Type == activityDeletion || !h.brought(a, sha) {
				continue
			}
			who, ok := h.forge.toAccount(a.Actor)
			if !ok {
				return gate.Unknown[[]gate.Account]("GitHub does not say who pushed " + gate.ShortCommit(a.After)), first
			}
			if a.Type == activityCreation {
				created.add(who)
				continue
			}
			pushed.add(who)
			if first.IsZero() || a.Timestamp.Before(first) {
				first = a.Timestamp
			}
		}
	}
	switch {
	case len(pushed.list) > 0:
		return gate.Known(pushed.list), first
	case len(created.list) > 0:
		return gate.Known(created.list), first
	}
	reason := fmt.Sprintf("the push of %s is not in GitHub's activity log", gate.ShortCommit(sha))
	if err := h.logErr(); err != nil {
		reason = why(err)
	}
	return gate.Unknown[[]gate.Account](reason), first
}

func (h *history) logErr() error {
	var errs []error
	for ref, err := range h.logErrs {
		errs = append(errs, fmt.Errorf("the activity log of %s: %s", strings.TrimPrefix(ref, "refs/heads/"), why(err)))
	}
	return errors.Join(errs...)
}
