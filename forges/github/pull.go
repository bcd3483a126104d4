package github

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/countersign/countersign/gate"
)

const (
	// listedCommits is how many commits of a pull request GitHub lists (REST API, "List
	// commits on a pull request").
	listedCommits = 250
	// listedFiles is how many files it lists ("List pull requests files").
	listedFiles = 3000
)

// pullJSON is REST API's schema pull-request, in part.
type pullJSON struct {
	Number         int64      `json:"number"`
	Title          string     `json:"title"`
	HTMLURL        string     `json:"html_url"`
	User           *userJSON  `json:"user"`
	MergedBy       *userJSON  `json:"merged_by"`
	Assignees      []userJSON `json:"assignees"`
	CreatedAt      time.Time  `json:"created_at"`
	MergedAt       *time.Time `json:"merged_at"`
	MergeCommitSHA string     `json:"merge_commit_sha"`
	Commits        int        `json:"commits"`
	ChangedFiles   int        `json:"changed_files"`
	Head           pullSide   `json:"head"`
	Base           pullSide   `json:"base"`
}

type pullSide struct {
	Ref string `json:"ref"`
	SHA string `json:"sha"`
	// Repo is nil for a head whose repository is gone.
	Repo *pullRepository `json:"repo"`
}

type pullRepository struct {
	ID       int64  `json:"id"`
	FullName string `json:"full_name"`
}

// merged reports whether the pull request was merged into the repository itself.
func (p *pullJSON) merged(repository int64) bool {
	return p.MergedAt != nil && p.Base.Repo != nil && p.Base.Repo.ID == repository
}

// pull is a merged pull request with its own commits.
type pull struct {
	*pullJSON
	commits []commitJSON
	own     map[string]bool
	nodes   map[string]commitNode // of its commits, where GraphQL gave them with it
	// reviews are those that GraphQL gave with it, if reviewed.
	reviews  []reviewJSON
	reviewed bool
}

// check holds the pull request to be the one asked for, merged into the repository, and
// its commits to be as many as GitHub counts, its head among them (attack 38).
func (p *pull) check(number, repository int64) error {
	if p.Number != number || !p.merged(repository) || !isSHA(p.Head.SHA) || !isSHA(p.Base.SHA) || !isSHA(p.MergeCommitSHA) {
		return fmt.Errorf("pull request #%d: GitHub answered for #%d, or no longer as merged", number, p.Number)
	}
	for _, c := range p.commits {
		p.own[c.SHA] = true
	}
	if len(p.own) != p.Commits || p.Commits == 0 || !p.own[p.Head.SHA] {
		return fmt.Errorf("pull request #%d: GitHub counts %d commits and lists %d, its head among them: %t",
			number, p.Commits, len(p.own), p.own[p.Head.SHA])
	}
	return nil
}

// pull reads a merged pull request with all of its commits, held against GitHub's count.
func (r *repository) pull(ctx context.Context, number int64) (*pull, error) {
	p := &pull{pullJSON: &pullJSON{}, own: map[string]bool{}}
	n := strconv.FormatInt(number, 10)
	if err := r.get(ctx, p.pullJSON, nil, r.at("pulls", n)...); err != nil {
		return nil, err
	}
	var err error
	if p.Commits <= listedCommits {
		p.commits, err = list[commitJSON](ctx, r.caller, nil, r.at("pulls", n, "commits")...)
	} else {
		p.commits, err = r.manyCommits(ctx, p.pullJSON)
	}
	if err != nil {
		return nil, err
	}
	return p, p.check(number, r.facts.ID.ID)
}

// manyCommits compares the head with what the base was before the merge, or, where that
// does not give GitHub's count, with the base as the pull request last saw it.
func (r *repository) manyCommits(ctx context.Context, p *pullJSON) ([]commitJSON, error) {
	var merge commitJSON
	if err := r.get(ctx, &merge, nil, r.at("commits", p.MergeCommitSHA)...); err != nil {
		return nil, err
	}
	for _, base := range append(merge.parents(), p.Base.SHA) {
		commits, err := r.between(ctx, base, p.Head.SHA)
		if err != nil || len(commits) == p.Commits {
			return commits, err
		}
	}
	return nil, fmt.Errorf("pull request #%d: GitHub counts %d commits, and no comparison gives them", p.Number, p.Commits)
}

// detail reads what surrounds a pull request. What cannot be read stays unknown.
func (rd *reading) detail(ctx context.Context, p *pull, c *gate.Change) {
	c.Opener = gate.Unknown[gate.Account]("GitHub does not say who opened it")
	if a, ok := rd.forge.toAccount(p.User); ok {
		c.Opener = gate.Known(a)
	}
	c.Merger, c.Initiators = rd.forge.merger(p), rd.forge.initiators(p)
	c.Paths = gate.Unknown[[]string]("the policy asks for no paths")
	var all sync.WaitGroup
	all.Go(func() { c.Pushers = rd.pushers(ctx, p, c) })
	all.Go(func() { c.Reviews = rd.reviews(ctx, p) })
	if rd.needs.Paths {
		all.Go(func() { c.Paths = rd.pullPaths(ctx, p) })
	}
	all.Wait()
}

// pushers reads the log of the head's branch, in the fork where it lies in one, and again
// only where the head is another (see stillLog).
func (rd *reading) pushers(ctx context.Context, p *pull, c *gate.Change) gate.Fact[[]gate.Account] {
	memory, now := rd.forge.memory, rd.forge.cfg.Now()
	key := logKey{rd.facts.ID.ID, fmt.Sprintf("refs/pull/%d/head", p.Number)}
	if rows, still := memory.still(memory.heads, key, p.Head.SHA, now); still {
		return rd.forge.headPushers(rows, p.pullJSON)
	}
	pushers, rows := rd.askPushers(ctx, p, c)
	if rows != nil {
		memory.keepHead(key, stillLog{p.Head.SHA, now, rows}, pushers)
	}
	return pushers
}

// askPushers also gives the log that says so. Where GitHub does not show a fork's log they
// are those that the pull request itself tells, and the change c is marked (see forkPushers).
func (rd *reading) askPushers(ctx context.Context, p *pull, c *gate.Change) (gate.Fact[[]gate.Account], []activityJSON) {
	if p.Head.Repo == nil {
		return rd.forkPushers(ctx, p, c, "a fork that is gone"), nil
	}
	owner, name, ok := cut(p.Head.Repo.FullName)
	if !ok {
		return gate.Unknown[[]gate.Account]("GitHub does not name the repository it came from"), nil
	}
	ref := "refs/heads/" + p.Head.Ref
	if p.Head.Repo.ID == rd.facts.ID.ID {
		log := rd.newest(ctx)
		rows := ofRef(log.rows, ref)
		pushers, settled := rd.forge.pushersIn(rows, p.pullJSON)
		if log.err == nil && (log.complete || settled) {
			return pushers, rows
		}
	}
	log, err := rd.activityOf(ctx, owner, name, ref)
	fork := p.Head.Repo.ID != rd.facts.ID.ID
	switch {
	case fork && hidden(err):
		return rd.forkPushers(ctx, p, c, p.Head.Repo.FullName), nil
	case err != nil:
		return gate.Unknown[[]gate.Account](fmt.Sprintf("the activity log of %s: %s", p.Head.Repo.FullName, why(err))), nil
	}
	pushers := rd.forge.headPushers(log, p.pullJSON)
	if fork && !pushers.IsKnown() {
		return rd.forkPushers(ctx, p, c, p.Head.Repo.FullName), nil
	}
	return pushers, log
}

// reviewJSON is REST API's schema pull-request-review, in part.
type reviewJSON struct {
	ID          int64      `json:"id"`
	User        *userJSON  `json:"user"`
	State       string     `json:"state"`
	CommitID    string     `json:"commit_id"`
	SubmittedAt *time.Time `json:"submitted_at"`
}

// reviews are each reviewer's latest verdict (attack 56), with the right they have now.
// A comment is no verdict and changes none; a deleted account's counts for nobody.
func (rd *reading) reviews(ctx context.Context, p *pull) gate.Fact[[]gate.Review] {
	if rd.needs.NoReviews {
		return gate.Unknown[[]gate.Review]("the policy counts no reviews")
	}
	all := p.reviews
	if !p.reviewed {
		var err error
		all, err = list[reviewJSON](ctx, rd.caller, nil, rd.at("pulls", strconv.FormatInt(p.Number, 10), "reviews")...)
		if err != nil {
			return gate.Unknown[[]gate.Review](why(err))
		}
	}
	latest := map[int64]reviewJSON{}
	for _, r := range all {
		verdict := slices.Contains([]string{"APPROVED", "CHANGES_REQUESTED", "DISMISSED"}, r.State)
		if r.User == nil || r.SubmittedAt == nil || !verdict {
			continue
		}
		before, has := latest[r.User.ID]
		if !has || r.SubmittedAt.After(*before.SubmittedAt) || r.SubmittedAt.Equal(*before.SubmittedAt) && r.ID > before.ID {
			latest[r.User.ID] = r
		}
	}
	out := make([]gate.Review, 0, len(latest))
	for _, r := range latest {
		by, ok := rd.forge.toAccount(r.User)
		if ok {
			out = append(out, gate.Review{By: by, Approved: r.State == "APPROVED", Commit: r.CommitID, At: *r.SubmittedAt})
		}
	}
	slices.SortFunc(out, func(a, b gate.Review) int { return cmp.Compare(a.By.ID.ID, b.By.ID.ID) })
	var each sync.WaitGroup
	for i := range out {
		each.Go(func() { out[i].Role = role(rd.member(ctx, out[i].By)) })
	}
	each.Wait()
	return gate.Known(out)
}

// role is the member's right; a suspended account has none.
func role(m gate.Fact[gate.Member]) gate.Fact[gate.Role] {
	member, ok := m.Get()
	switch {
	case m.IsAbsent():
		return gate.Absent[gate.Role](m.Why())
	case !ok:
		return gate.Unknown[gate.Role](m.Why())
	case !member.Active:
		return gate.Absent[gate.Role]("the account is suspended")
	}
	return gate.Known(member.Role)
}

// fileJSON is REST API's schema diff-entry, in part.
type fileJSON struct {
	Filename string `json:"filename"`
	Previous string `json:"previous_filename"`
}

func (rd *reading) pullPaths(ctx context.Context, p *pull) gate.Fact[[]string] {
	if p.ChangedFiles > listedFiles {
		return gate.Unknown[[]string](fmt.Sprintf("#%d changes %d files; GitHub lists %d", p.Number, p.ChangedFiles, listedFiles))
	}
	files, err := list[fileJSON](ctx, rd.caller, nil, rd.at("pulls", strconv.FormatInt(p.Number, 10), "files")...)
	if err != nil {
		return gate.Unknown[[]string](why(err))
	}
	if len(files) != p.ChangedFiles {
		return gate.Unknown[[]string](fmt.Sprintf("GitHub counts %d files of #%d and lists %d", p.ChangedFiles, p.Number, len(files)))
	}
	return gate.Known(paths(files))
}

func paths(files []fileJSON) []string {
	out := []string{}
	for _, f := range files {
		out = append(out, f.Filename)
		if f.Previous != "" {
			out = append(out, f.Previous)
		}
	}
	return sortedUnique(out)
}
