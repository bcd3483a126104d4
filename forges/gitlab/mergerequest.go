package gitlab

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/countersign/countersign/gate"
)

// mergeRequest is one merge request (source: lib/api/entities/merge_request_basic.rb).
type mergeRequest struct {
	IID             int64     `json:"iid"`
	Title           string    `json:"title"`
	WebURL          string    `json:"web_url"`
	State           string    `json:"state"`
	Author          account   `json:"author"`
	Assignees       []account `json:"assignees"`
	MergeUser       *account  `json:"merge_user"`
	MergedBy        *account  `json:"merged_by"` // older than merge_user
	MergedAt        time.Time `json:"merged_at"`
	SHA             string    `json:"sha"`
	MergeCommitSHA  string    `json:"merge_commit_sha"`
	SquashCommitSHA string    `json:"squash_commit_sha"`
	SourceProjectID int64     `json:"source_project_id"`
	TargetProjectID int64     `json:"target_project_id"`
	SourceBranch    string    `json:"source_branch"`
	TargetBranch    string    `json:"target_branch"`
}

func (m mergeRequest) merger() int64 {
	switch {
	case m.MergeUser != nil:
		return m.MergeUser.ID
	case m.MergedBy != nil:
		return m.MergedBy.ID
	}
	return 0
}

// landed is what the merge made of it on the target branch.
func (m mergeRequest) landed() string {
	switch {
	case m.MergeCommitSHA != "":
		return m.MergeCommitSHA
	case m.SquashCommitSHA != "":
		return m.SquashCommitSHA
	}
	return m.SHA
}

// made reports whether merging made the commit, which then is in no version.
func (m mergeRequest) made(sha string) bool {
	return sha != m.SHA && (sha == m.MergeCommitSHA || sha == m.SquashCommitSHA)
}

// version is one diff version: the merge request after one push (API docs: merge
// requests, diff versions).
type version struct {
	ID      int64     `json:"id"`
	Head    string    `json:"head_commit_sha"`
	Base    string    `json:"base_commit_sha"`
	Created time.Time `json:"created_at"`
}

// versions are newest first.
func (s *session) readVersions(ctx context.Context, m mergeRequest) ([]version, error) {
	return s.made.get(m.IID, func() ([]version, error) { return s.fetchVersions(ctx, m) })
}

func (s *session) fetchVersions(ctx context.Context, m mergeRequest) ([]version, error) {
	key, final := s.settled(m)
	if vs, ok := s.memory.versions.get(key); ok && final {
		return vs, nil
	}
	if seen, ok := s.crowd.shown(m.IID); ok {
		if vs, whole := seen.versions(m.SHA); whole {
			if final {
				s.memory.versions.put(key, vs, maxRemembered)
			}
			return vs, nil
		}
	}
	vs, counted, err := fetchCounted[version](ctx, s, s.path("/merge_requests/%d/versions", m.IID), nil)
	if err != nil {
		return nil, fmt.Errorf("read the versions of !%d: %w", m.IID, err)
	}
	slices.SortFunc(vs, func(a, b version) int { return int(b.ID - a.ID) })
	if len(vs) == 0 || vs[0].Head != m.SHA {
		return nil, fmt.Errorf("versions of !%d do not end at %q: %w", m.IID, m.SHA, errPartial)
	}
	if final && counted && len(vs) <= maxRange {
		s.memory.versions.put(key, vs, maxRemembered)
	}
	return vs, nil
}

// readCommits is the merge request's own commits as merged: what lies between its last
// version's base and head, as GitLab itself lists it. Where the history holds all of
// that, GitLab is not asked.
func (s *session) readCommits(ctx context.Context, m mergeRequest) ([]commit, error) {
	if vs, err := s.readVersions(ctx, m); err == nil && isSHA(vs[0].Base) {
		if rows, ok := s.lines.between(vs[0].Base, m.SHA); ok {
			return rows, nil
		}
	}
	key, final := s.settled(m)
	if rows, ok := s.memory.contents.get(key); ok && final {
		return rows, nil
	}
	if seen, ok := s.crowd.shown(m.IID); ok {
		if rows, whole := seen.contents(m.SHA); whole {
			if final {
				s.memory.contents.put(key, rows, maxRemembered)
			}
			return rows, nil
		}
	}
	rows, counted, err := fetchCounted[commit](ctx, s, s.path("/merge_requests/%d/commits", m.IID), nil)
	if err != nil {
		return nil, fmt.Errorf("read the commits of !%d: %w", m.IID, err)
	}
	for _, c := range rows {
		if err := c.check(c.ID); err != nil {
			return nil, err
		}
	}
	if !slices.ContainsFunc(rows, func(c commit) bool { return c.ID == m.SHA }) {
		return nil, fmt.Errorf("commits of !%d lack its head %q: %w", m.IID, m.SHA, errPartial)
	}
	if final && counted && len(rows) <= maxRange {
		s.memory.contents.put(key, rows, maxRemembered)
	}
	return rows, nil
}

// merged is a merge request on its way to a change: its commits as merged, and
// those of the history that belong to it.
type merged struct {
	mergeRequest
	final []commit
	own   []string // of the history, oldest first
}

// readChange turns a merge request into a change. What cannot be read becomes an
// unknown fact of it; its commits were read before.
func (s *session) readChange(ctx context.Context, m merged, h history, paths bool) gate.Change {
	c := gate.Change{
		Number: m.IID, Title: m.Title, URL: m.WebURL, Head: m.SHA, MergeCommit: m.landed(), MergedAt: m.MergedAt,
		Opener: s.accountFact(ctx, m.Author.ID),
		Merger: s.readMerger(ctx, m.mergeRequest),
		Paths:  gate.Unknown[[]string]("the policy does not ask for it"),
	}
	s.readInitiators(ctx, m.mergeRequest, &c)
	versions, err := s.readVersions(ctx, m.mergeRequest)
	rows, lost := s.everyCommit(ctx, m, versions, h)
	s.learnAuthors(ctx, rows)
	byHand := false
	for _, row := range rows {
		made := s.toCommit(ctx, row, m.mergeRequest)
		byHand = byHand || (m.made(row.ID) && !made.ByForge)
		c.Commits = append(c.Commits, made)
	}
	c.Commits = append(c.Commits, lost...)
	if err != nil {
		c.Pushers, c.Reviews = unknown[[]gate.Account](err), unknown[[]gate.Review](err)
	} else {
		c.Pushers = s.mergePushers(ctx, m, versions, rows, byHand)
		c.Reviews = s.readReviewsOf(ctx, m, versions, byHand)
	}
	if paths {
		c.Paths = s.readPaths(ctx, m.mergeRequest, byHand)
	}
	return c
}

// everyCommit is the union of the merge request's commits as merged, those of its
// earlier versions (attack 40), and what merging made. The second result stands for
// versions that could not be read.
func (s *session) everyCommit(ctx context.Context, m merged, versions []version, h history) ([]commit, []gate.Commit) {
	seen := map[string]bool{}
	var rows []commit
	add := func(more ...commit) {
		for _, c := range more {
			if !seen[c.ID] {
				seen[c.ID] = true
				rows = append(rows, c)
			}
		}
	}
	for _, c := range slices.Backward(m.final) {
		add(c)
	}
	var lost []gate.Commit
	for _, v := range versions {
		if seen[v.Head] || v.Head == v.Base {
			continue
		}
		earlier, err := s.readVersion(ctx, v)
		if err != nil {
			lost = append(lost, gate.Commit{SHA: v.Head, People: []gate.Person{{
				Part: gate.PartAuthor, Account: unknown[gate.Account](err), Name: "an earlier version",
			}}})
			continue
		}
		add(earlier...)
	}
	for _, sha := range m.own {
		add(h.commit[sha])
	}
	return rows, lost
}

// readVersion lists an earlier version's commits. GitLab keeps them reachable in the
// target project (docs: merge request diffs, keep-around refs).
func (s *session) readVersion(ctx context.Context, v version) ([]commit, error) {
	if !isSHA(v.Head) || !isSHA(v.Base) {
		return nil, fmt.Errorf("version %d from %q to %q: %w", v.ID, v.Base, v.Head, errUnexpected)
	}
	rows, err := s.readRange(ctx, v.Base+".."+v.Head)
	if err != nil {
		return nil, err
	}
	part := history{commit: rows}
	if part.sort(v.Head); len(part.order) == 0 {
		return nil, fmt.Errorf("version %d lacks its head: %w", v.ID, errPartial)
	}
	var out []commit
	for _, sha := range part.order {
		out = append(out, rows[sha])
	}
	return out, nil
}

// toCommit names everyone on a commit. One that GitLab itself made by merging
// names only those whom it took over from the merge request.
func (s *session) toCommit(ctx context.Context, row commit, m mergeRequest) gate.Commit {
	c := gate.Commit{SHA: row.ID, Parents: row.ParentIDs, Title: row.title()}
	switch {
	case m.made(row.ID) && row.ID == m.SquashCommitSHA && len(row.ParentIDs) == 1:
		// Only GitLab's merge sets squash_commit_sha (source:
		// app/services/merge_requests/squash_service.rb): its author is the merge
		// request's, its committer whoever merged.
		c.ByForge = true
		c.People = slices.DeleteFunc(s.readPeople(ctx, row), func(p gate.Person) bool { return p.Part == gate.PartCommitter })
	case m.made(row.ID) && s.mergedByForge(ctx, row, m):
		c.ByForge = true
	default:
		c.People = s.readPeople(ctx, row)
	}
	return c
}

// mergePushers are those who pushed to the source branch, and whoever put a merge
// made by hand onto the target.
func (s *session) mergePushers(ctx context.Context, m merged, versions []version, rows []commit, byHand bool) gate.Fact[[]gate.Account] {
	of := map[string]bool{}
	for _, c := range rows {
		of[c.ID] = !m.made(c.ID)
	}
	var heads []string
	for _, v := range versions {
		if v.Head != v.Base {
			heads = append(heads, v.Head)
		}
	}
	fact := s.branchPushers(ctx, m.mergeRequest, heads, of)
	pushers, ok := fact.Get()
	if !ok || !byHand {
		return fact
	}
	merger, err := s.readAccount(ctx, m.merger())
	if err != nil {
		return gate.Unknown[[]gate.Account]("who merged !" + fmt.Sprint(m.IID) + " by hand: " + why(err))
	}
	if slices.Contains(pushers, merger) {
		return fact
	}
	return gate.Known(append(slices.Clone(pushers), merger))
}

// readReviewsOf are the approvals. GitLab does not say for which head one was
// given: it is taken for the final one's only where it came after that was pushed. What
// a merge made by hand brought besides, no reviewer saw (attack 39).
func (s *session) readReviewsOf(ctx context.Context, m merged, versions []version, byHand bool) gate.Fact[[]gate.Review] {
	if s.noReviews {
		return gate.Unknown[[]gate.Review]("the policy does not count reviews")
	}
	latest := versions[0]
	overwritten, err := s.overwritten(ctx, m)
	if err != nil {
		return unknown[[]gate.Review](err)
	}
	approvals, err := s.readApprovals(ctx, m.mergeRequest, versions)
	if err != nil {
		return unknown[[]gate.Review](err)
	}
	reviews := []gate.Review{}
	for _, a := range approvals {
		by, err := s.readAccount(ctx, a.User.ID)
		if err != nil {
			return unknown[[]gate.Review](err)
		}
		r := gate.Review{By: by, Approved: !overwritten, At: a.At, Role: s.roleFact(ctx, by.ID.ID)}
		if !byHand && !a.At.IsZero() && !latest.Created.IsZero() && !a.At.Before(latest.Created) {
			r.Commit = m.SHA
		}
		reviews = append(reviews, r)
	}
	return gate.Known(reviews)
}

type diffRow struct {
	Old string `json:"old_path"`
	New string `json:"new_path"`
}

// readPaths are the files of a merge request, counted by GitLab itself (API docs:
// merge requests, changes_count): past its limits it shows only some.
func (s *session) readPaths(ctx context.Context, m mergeRequest, byHand bool) gate.Fact[[]string] {
	if byHand {
		return gate.Unknown[[]string]("its merge commit was made by hand and may touch more than it shows")
	}
	whole, err := fetch[struct {
		Count string `json:"changes_count"`
	}](ctx, s, s.path("/merge_requests/%d", m.IID), nil)
	if err != nil {
		return unknown[[]string](err)
	}
	rows, err := fetchAll[diffRow](ctx, s, s.path("/merge_requests/%d/diffs", m.IID), nil)
	if err != nil {
		return unknown[[]string](err)
	}
	if whole.Count != strconv.Itoa(len(rows)) { // "1000+" among them
		return gate.Unknown[[]string]("it touches more files than GitLab lists")
	}
	return gate.Known(pathsOf(rows))
}

// readCommitPaths are the files of one commit against its first parent.
func (s *session) readCommitPaths(ctx context.Context, c commit) gate.Fact[[]string] {
	if len(c.ParentIDs) == 0 {
		return gate.Unknown[[]string]("it has no parent to compare with")
	}
	paths, err := s.differing(ctx, c.ParentIDs[0], c.ID)
	if err != nil {
		return unknown[[]string](err)
	}
	return gate.Known(slices.Sorted(maps.Keys(paths)))
}

func pathsOf(rows []diffRow) []string {
	out := []string{}
	for _, d := range rows {
		out = append(out, d.Old, d.New)
	}
	slices.Sort(out)
	return slices.DeleteFunc(slices.Compact(out), func(p string) bool { return p == "" })
}
