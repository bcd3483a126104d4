package github

import (
	"context"
	"fmt"
	"net/url"
	"sync"

	"github.com/countersign/countersign/gate"
)

// maxRange bounds the change set of one release.
const maxRange = 5000

// compareJSON is REST API's schema commit-comparison, in part.
type compareJSON struct {
	Status     string `json:"status"`
	BaseCommit struct {
		SHA string `json:"sha"`
	} `json:"base_commit"`
	TotalCommits int          `json:"total_commits"`
	Commits      []commitJSON `json:"commits"`
}

// between lists the commits reachable from head and not from base, oldest first, paged
// to the end and held against GitHub's own total (attack 38).
func (r *repository) between(ctx context.Context, base, head string) ([]commitJSON, error) {
	if !isSHA(base) || !isSHA(head) {
		return nil, fmt.Errorf("compare %q with %q: expected full SHAs", base, head)
	}
	var all []commitJSON
	seen := map[string]bool{}
	total := -1
	err := pages(ctx, r.caller, url.Values{"page": {"1"}}, func(page compareJSON) (bool, error) {
		if total < 0 {
			total = page.TotalCommits
		}
		if page.BaseCommit.SHA != base || page.TotalCommits != total || total > maxRange {
			return false, fmt.Errorf("compare %s with %s: GitHub answered from %s with %d commits, at most %d are read",
				gate.ShortCommit(base), gate.ShortCommit(head), gate.ShortCommit(page.BaseCommit.SHA), page.TotalCommits, maxRange)
		}
		for _, c := range page.Commits {
			if !isSHA(c.SHA) || seen[c.SHA] {
				return false, fmt.Errorf("compare %s with %s: GitHub listed %q twice, or it is no SHA", base, head, c.SHA)
			}
			seen[c.SHA] = true
			all = append(all, c)
		}
		return true, nil
	}, r.at("compare", base+"..."+head)...)
	if err != nil {
		return nil, err
	}
	if len(all) != total {
		return nil, fmt.Errorf("compare %s with %s: GitHub counts %d commits and lists %d",
			gate.ShortCommit(base), gate.ShortCommit(head), total, len(all))
	}
	return all, nil
}

// lessOthers leaves out what any further release holds.
func (rd *reading) lessOthers(ctx context.Context, all []commitJSON) ([]commitJSON, error) {
	since := rd.needs.Since
	ranges := make([][]commitJSON, len(since))
	errs := make([]error, len(since))
	var each sync.WaitGroup
	for i, base := range since[1:] {
		each.Go(func() {
			contained, err := rd.contained(ctx, base)
			if err == nil && !contained {
				ranges[i+1], err = rd.between(ctx, base, rd.request.Commit)
				if err == nil && ranges[i+1] == nil {
					ranges[i+1] = []commitJSON{}
				}
			}
			errs[i+1] = err
		})
	}
	each.Wait()
	for i := range since {
		if errs[i] != nil {
			return nil, errs[i]
		}
		if ranges[i] != nil {
			all = both(all, ranges[i])
		}
	}
	return all, nil
}

// contained reports whether the newest release holds an older one.
func (rd *reading) contained(ctx context.Context, older string) (bool, error) {
	if s := rd.snap.since; s != nil {
		for _, n := range s.History.Nodes {
			if n.OID == older {
				return true, nil
			}
		}
	}
	return rd.holds(ctx, rd.needs.Since[0], older)
}

// both is the intersection, in a's order.
func both(a, b []commitJSON) []commitJSON {
	in := map[string]bool{}
	for _, c := range b {
		in[c.SHA] = true
	}
	out := []commitJSON{}
	for _, c := range a {
		if in[c.SHA] {
			out = append(out, c)
		}
	}
	return out
}
