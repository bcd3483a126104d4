package github

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/countersign/countersign/gate"
)

// history is the change set while it is being read.
type history struct {
	*reading
	commits []commitJSON // the range, oldest first
	at      map[string]int
	pulls   map[int64]*pull
	nodes   map[string]commitNode
	logs    map[string][]activityJSON // by full ref; a log that could not be read is missing
	logErrs map[string]error
}

// changes reads the request's commit and the change set. An error in either leaves
// that one unknown.
func (rd *reading) changes(ctx context.Context, branch gate.Fact[gate.BranchFacts]) (gate.Fact[gate.Commit], gate.Fact[[]gate.Change]) {
	h, err := rd.history(ctx, branch)
	if err != nil {
		return rd.oneCommit(ctx), gate.Unknown[[]gate.Change](why(err))
	}
	all, err := h.group(ctx)
	if err != nil {
		return rd.oneCommit(ctx), gate.Unknown[[]gate.Change](why(err))
	}
	for _, change := range all {
		for _, c := range change.Commits {
			if c.SHA == rd.request.Commit {
				return gate.Known(c), gate.Known(all)
			}
		}
	}
	return rd.oneCommit(ctx), gate.Known(all)
}

// oneCommit reads the request's commit by itself.
func (rd *reading) oneCommit(ctx context.Context) gate.Fact[gate.Commit] {
	sha := rd.request.Commit
	var raw commitJSON
	err := rd.get(ctx, &raw, nil, rd.at("commits", sha)...)
	if err != nil {
		return gate.Unknown[gate.Commit](why(err))
	}
	if raw.SHA != sha {
		return gate.Unknown[gate.Commit]("GitHub answered for " + raw.SHA)
	}
	nodes := map[string]commitNode{}
	if err := rd.readNodes(ctx, []string{sha}, nodes); err != nil {
		return gate.Unknown[gate.Commit](why(err))
	}
	c, err := rd.forge.toCommit(raw, nodes[sha])
	if err != nil {
		return gate.Unknown[gate.Commit](why(err))
	}
	return gate.Known(c)
}

// history reads the range, the pull requests that brought it, everyone on their commits,
// and the push logs of the branches they went to.
func (rd *reading) history(ctx context.Context, branch gate.Fact[gate.BranchFacts]) (*history, error) {
	if rd.snap == nil {
		return nil, rd.snapErr
	}
	commits, nodes, err := rd.newCommits(ctx)
	if err != nil {
		return nil, err
	}
	h := &history{
		reading: rd, commits: commits, at: map[string]int{}, pulls: map[int64]*pull{}, nodes: nodes,
		logs: map[string][]activityJSON{}, logErrs: map[string]error{},
	}
	shas := make([]string, len(commits))
	for i, c := range commits {
		h.at[c.SHA], shas[i] = i, c.SHA
	}
	if err := rd.readNodes(ctx, shas, h.nodes); err != nil {
		return nil, err
	}
	if err := h.discover(ctx); err != nil {
		return nil, err
	}
	if err := h.readOwn(ctx); err != nil {
		return nil, err
	}
	h.found()
	h.readLogs(ctx, branch)
	return h, nil
}

// readOwn reads who is on the pull requests' own commits, as far as they are not in the
// range themselves.
func (h *history) readOwn(ctx context.Context) error {
	own := map[string]bool{}
	for _, p := range h.pulls {
		for sha := range p.own {
			own[sha] = true
		}
		for sha, n := range p.nodes {
			if _, has := h.nodes[sha]; !has {
				h.nodes[sha] = n
			}
		}
	}
	if err := h.readNodes(ctx, slices.Sorted(maps.Keys(own)), h.nodes); err != nil {
		return err
	}
	for n, p := range h.pulls {
		if err := h.nameOwnBots(ctx, n, p); err != nil {
			return err
		}
	}
	return nil
}

// nameOwnBots is nameBots for the commits of a pull request that came by GraphQL.
func (h *history) nameOwnBots(ctx context.Context, number int64, p *pull) error {
	unnamed := func(c commitJSON) bool { return h.nodes[c.SHA].unnamed() }
	if p.nodes == nil || !slices.ContainsFunc(p.commits, unnamed) {
		return nil
	}
	missing := false
	for i, c := range p.commits {
		if at, in := h.at[c.SHA]; in {
			p.commits[i] = h.commits[at] // the range's were asked for
			continue
		}
		missing = missing || unnamed(c)
	}
	if !missing {
		return nil
	}
	rest, err := h.pull(ctx, number)
	if err != nil {
		return err
	}
	return takeAccounts(p.commits, rest.commits)
}

// discover finds the pull requests. It looks at the mainline's commits first: the pull
// requests found there bring most others along.
func (h *history) discover(ctx context.Context) error {
	asked := map[string]bool{}
	for todo := h.mainline(); len(todo) > 0; todo = h.unplaced(asked) {
		found := map[int64]bool{}
		for _, sha := range todo {
			asked[sha] = true
			numbers, err := h.nodes[sha].mergedPulls(h.facts.ID.ID)
			if err != nil {
				return err
			}
			for _, n := range numbers {
				found[n] = true
			}
		}
		if err := h.bring(ctx, found); err != nil {
			return err
		}
	}
	return nil
}

// bring reads the pull requests that are not known yet: out of the snapshot, else by
// GraphQL, else by REST.
func (h *history) bring(ctx context.Context, found map[int64]bool) error {
	var missing []int64
	for _, n := range slices.Sorted(maps.Keys(found)) {
		switch p, has := h.snap.pulls[n]; {
		case h.pulls[n] != nil:
		case has && p != nil:
			h.pulls[n] = p
		default:
			missing = append(missing, n)
		}
	}
	read, err := h.readPulls(ctx, missing)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	for _, n := range missing {
		if read[n] != nil {
			h.pulls[n] = read[n]
			continue
		}
		g.Go(func() error {
			p, err := h.pull(ctx, n)
			mu.Lock()
			defer mu.Unlock()
			h.pulls[n] = p
			return err
		})
	}
	return g.Wait()
}

// mainline is the range's part of the first-parent chain.
func (h *history) mainline() []string {
	var out []string
	for sha := h.request.Commit; ; {
		i, in := h.at[sha]
		if !in {
			return out
		}
		out = append(out, sha)
		parents := h.commits[i].parents()
		if len(parents) == 0 {
			return out
		}
		sha = parents[0]
	}
}

// unplaced are the commits not asked about that no known pull request holds.
func (h *history) unplaced(asked map[string]bool) []string {
	var out []string
	for _, c := range h.commits {
		held := slices.ContainsFunc(slices.Collect(maps.Values(h.pulls)), func(p *pull) bool { return p.own[c.SHA] })
		if !asked[c.SHA] && !held {
			out = append(out, c.SHA)
		}
	}
	return out
}

// readLogs reads the push logs of the branches that the range went to.
func (h *history) readLogs(ctx context.Context, branch gate.Fact[gate.BranchFacts]) {
	refs := map[string]bool{"refs/heads/" + h.facts.DefaultBranch: true}
	if b, ok := branch.Get(); ok {
		refs["refs/heads/"+b.Name] = true
	}
	for _, p := range h.pulls {
		refs["refs/heads/"+p.Base.Ref] = true
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	for ref := range refs {
		all.Go(func() {
			log, err := h.logOf(ctx, ref)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				h.logErrs[ref] = err
				return
			}
			h.logs[ref] = log
		})
	}
	all.Wait()
}

// group makes the changes: each pull request with its own commits and what the forge
// made of them; and each commit left over as a direct push of its own. A merge
// commit that the forge did not make is such a commit: nobody reviewed what it adds
// (attack 39).
func (h *history) group(ctx context.Context) ([]gate.Change, error) {
	placed := map[string]bool{}
	var changes []*gate.Change
	first := map[*gate.Change]int{}
	var details sync.WaitGroup
	defer details.Wait()
	for _, n := range slices.Sorted(maps.Keys(h.pulls)) {
		p := h.pulls[n]
		c, shas, err := h.pullChange(p)
		if err != nil {
			return nil, err
		}
		first[c] = len(h.commits)
		if i, in := h.at[p.MergeCommitSHA]; in {
			first[c] = i
		}
		for _, sha := range shas {
			if i, in := h.at[sha]; in {
				placed[sha] = true
				first[c] = min(first[c], i)
			}
		}
		changes = append(changes, c)
		details.Go(func() { h.detail(ctx, p, c) })
	}
	for i, raw := range h.commits {
		if placed[raw.SHA] {
			continue
		}
		c, err := h.directPush(raw)
		if err != nil {
			return nil, err
		}
		first[c] = i
		changes = append(changes, c)
		if h.needs.Paths {
			details.Go(func() { c.Paths = h.commitPaths(ctx, raw) })
		}
	}
	details.Wait()
	slices.SortStableFunc(changes, func(a, b *gate.Change) int { return cmp.Compare(first[a], first[b]) })
	out := make([]gate.Change, len(changes))
	for i, c := range changes {
		out[i] = *c
	}
	sameKind(out)
	return out, nil
}

// pullChange is the pull request's change without its details, and the SHAs it holds.
func (h *history) pullChange(p *pull) (*gate.Change, []string, error) {
	c := &gate.Change{
		Number: p.Number, Title: p.Title, URL: p.HTMLURL, Head: p.Head.SHA, MergeCommit: p.MergeCommitSHA, MergedAt: *p.MergedAt,
	}
	var shas []string
	add := func(raw commitJSON, byForge bool) error {
		commit, err := h.forge.toCommit(raw, h.nodes[raw.SHA])
		if err != nil {
			return err
		}
		if byForge {
			commit = takenOver(commit)
		}
		c.Commits = append(c.Commits, commit)
		shas = append(shas, raw.SHA)
		return nil
	}
	for _, raw := range p.commits {
		if err := add(raw, false); err != nil {
			return nil, nil, err
		}
	}
	for _, sha := range h.made(p) {
		if err := add(h.commits[h.at[sha]], true); err != nil {
			return nil, nil, err
		}
	}
	return c, shas, nil
}

// takenOver marks a commit that the forge made: of its people, a merge keeps nobody,
// since its author is who clicked; a squash or rebase keeps the authors of what it took over.
func takenOver(c gate.Commit) gate.Commit {
	c.ByForge = true
	if len(c.Parents) > 1 {
		c.People = nil
		return c
	}
	c.People = slices.DeleteFunc(c.People, func(p gate.Person) bool { return p.Part == gate.PartCommitter })
	return c
}

// directPush is one commit that came by no pull request, or that the forge did not make.
func (h *history) directPush(raw commitJSON) (*gate.Change, error) {
	commit, err := h.forge.toCommit(raw, h.nodes[raw.SHA])
	if err != nil {
		return nil, err
	}
	c := &gate.Change{
		Title: commit.Title, URL: h.facts.URL + "/commit/" + raw.SHA, Head: raw.SHA, Commits: []gate.Commit{commit},
		Opener:  gate.Absent[gate.Account]("a direct push has no opener"),
		Merger:  gate.Absent[gate.Account]("a direct push was merged by nobody"),
		Reviews: gate.Absent[[]gate.Review]("a direct push has no reviews"),
		Paths:   gate.Unknown[[]string]("the policy asks for no paths"),
	}
	c.Pushers, c.MergedAt = h.basePushers(raw.SHA)
	return c, nil
}

func (h *history) commitPaths(ctx context.Context, raw commitJSON) gate.Fact[[]string] {
	var files []fileJSON
	err := pages(ctx, h.caller, nil, func(page struct {
		SHA   string     `json:"sha"`
		Files []fileJSON `json:"files"`
	}) (bool, error) {
		if page.SHA != raw.SHA {
			return false, fmt.Errorf("files of %s: GitHub answered for %q", gate.ShortCommit(raw.SHA), page.SHA)
		}
		files = append(files, page.Files...)
		return true, nil
	}, h.repository.at("commits", raw.SHA)...)
	switch {
	case err != nil:
		return gate.Unknown[[]string](why(err))
	case len(files) >= listedFiles:
		return gate.Unknown[[]string](fmt.Sprintf("%s changes more files than GitHub lists", gate.ShortCommit(raw.SHA)))
	}
	return gate.Known(paths(files))
}
