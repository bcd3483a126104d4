package probe

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/countersign/countersign/gate"
)

// everything matches every branch: a probe has no policy.
type everything struct{}

func (everything) Match(string) bool { return true }
func (everything) String() string    { return "**" }

// evidenceFacts read what a release of the ref would be judged on, with the gate's own
// adapter.
func evidenceFacts(gate.ForgeKind) []Fact {
	const waits = "releases of this repository wait, with this reason"
	row := func(id, assumes string, check func(context.Context, *session) result) Fact {
		return Fact{
			ID: "read." + id, Area: areaReading, Needs: NeedsRead, check: check,
			Assumes: assumes, Used: "every decision", Follows: waits,
		}
	}
	return []Fact{
		row("policy", "The policy file at the head of the default branch is read, or said to be missing.", readPolicy),
		row("repository", "The repository is read by its number.", part(func(e gate.Evidence) told { return about(e.Repository) })),
		row("ref", "It is told where the ref points, tags peeled.", part(func(e gate.Evidence) told { return about(e.Ref) })),
		row("commit", "The commit is read with everybody on it.", part(func(e gate.Evidence) told { return about(e.Commit) })),
		row("branch", "A branch is found that holds the commit.", part(func(e gate.Evidence) told { return about(e.Branch) })),
		row("protection", "The branch's protection is read whole.", part(protectionOf)),
		row("tag-protection", "The tag's protection is read whole.", readTagProtection),
		row("changes", "The changes since an earlier commit are found, complete.", part(func(e gate.Evidence) told { return about(e.Changes) })),
		row("pushers", "It is told who pushed each change.", each(func(c gate.Change) told { return about(c.Pushers) })),
		row("reviews", "It is told who reviewed each change.", each(func(c gate.Change) told { return about(c.Reviews) })),
		row("candidates", "It is told who may approve.", part(func(e gate.Evidence) told { return about(e.Candidates) })),
		row("checks", "It is told which CI checks the commit has.", part(func(e gate.Evidence) told { return about(e.Checks) })),
		row("owners", "The code owners' file is read as of an earlier commit, or said to be missing.", part(func(e gate.Evidence) told { return about(e.Owners) })),
		row("team", "It is told who of those who may approve is in a team or group.", readTeam),
	}
}

// readTeam asks about the team that was named: whoever is in it or not, it has to be told.
func readTeam(ctx context.Context, s *session) result {
	if s.Team == "" {
		return untold("name a team or group with --team to find out")
	}
	e, r, ok := s.read(ctx)
	if !ok {
		return r
	}
	people, ok := e.Candidates.Get()
	if !ok || len(people) == 0 {
		return untold("nobody is known who may approve")
	}
	in := 0
	for _, m := range people {
		teams, ok := m.Teams.Get()
		if !ok {
			return fails("%s", clip(m.Teams.Why()))
		}
		in += len(teams)
	}
	return holds("%d of %d", in, len(people))
}

// told is a fact without its value.
type told struct {
	known, absent bool
	why           string
}

func about[T any](f gate.Fact[T]) told { return told{f.IsKnown(), f.IsAbsent(), f.Why()} }

func (t told) result() result {
	switch {
	case t.known:
		return holds("read")
	case t.absent:
		return holds("the forge says that there is none: %s", clip(t.why))
	}
	return fails("%s", clip(t.why))
}

func protectionOf(e gate.Evidence) told {
	b, ok := e.Branch.Get()
	if !ok {
		return told{why: "the branch is not known"}
	}
	return about(b.Protection)
}

func part(pick func(gate.Evidence) told) func(context.Context, *session) result {
	return func(ctx context.Context, s *session) result {
		e, r, ok := s.read(ctx)
		if !ok {
			return r
		}
		return pick(e).result()
	}
}

func readTagProtection(ctx context.Context, s *session) result {
	if !strings.HasPrefix(s.Ref, "refs/tags/") {
		return untold("name a tag with --ref to find out")
	}
	return part(func(e gate.Evidence) told { return about(e.TagProtection) })(ctx, s)
}

// each asks something of every change: the first that is unknown counts.
func each(pick func(gate.Change) told) func(context.Context, *session) result {
	return func(ctx context.Context, s *session) result {
		e, r, ok := s.read(ctx)
		if !ok {
			return r
		}
		changes, ok := e.Changes.Get()
		switch {
		case !ok:
			return untold("the changes are not known")
		case len(changes) == 0:
			return untold("nothing changed since the earlier commit")
		}
		for _, c := range changes {
			if t := pick(c); !t.known && !t.absent {
				return fails("of %s: %s", nameOf(c), clip(t.why))
			}
		}
		return holds("%d changes", len(changes))
	}
}

func nameOf(c gate.Change) string {
	if c.Number > 0 {
		return fmt.Sprintf("#%d", c.Number)
	}
	return "the direct push of " + gate.ShortCommit(c.Head)
}

// read reads the evidence once, for the configured ref or the default branch.
func (s *session) read(ctx context.Context) (gate.Evidence, result, bool) {
	if r, is := s.headless(); is {
		return gate.Evidence{}, r, false
	}
	if s.evidence != nil {
		return *s.evidence, result{}, true
	}
	ref, commit := "refs/heads/"+s.branch, s.head
	if s.Ref != "" && s.Ref != ref {
		var r result
		var ok bool
		if ref = s.Ref; s.Kind == gate.GitHub {
			commit, r, ok = s.githubCommit(ctx, ref)
		} else {
			commit, r, ok = s.gitlabCommit(ctx, ref)
		}
		if !ok {
			return gate.Evidence{}, untold("%s could not be read: %s", ref, r.why), false
		}
	}
	since, r, ok := s.earlier(ctx, commit)
	if !ok {
		return gate.Evidence{}, r, false
	}
	s.request = gate.Request{
		ID: "probe", Repository: s.repositoryID(), RepositoryName: s.Repository, Ref: ref, Commit: commit,
		Owner: gate.AccountID{Forge: s.Forge, ID: s.ownerID},
	}
	e := s.Adapter.Evidence(ctx, s.request, gate.Needs{
		Branches: []gate.Matcher{everything{}}, Since: []string{since}, Paths: true, Candidates: true,
		Checks: []string{probeContext}, Owners: true, Teams: s.teams(),
	})
	s.evidence = &e
	return e, result{}, true
}

func (s *session) teams() []string {
	if s.Team == "" {
		return nil
	}
	return []string{s.Team}
}

// earlier is a commit of the history some way back, from which changes are counted.
func (s *session) earlier(ctx context.Context, commit string) (string, result, bool) {
	const back = 20
	var rows []struct {
		ID  string `json:"id"`
		SHA string `json:"sha"`
	}
	ask, path := map[string][]string{"sha": {commit}, "per_page": {fmt.Sprint(back)}}, s.at("commits")
	if s.Kind == gate.GitLab {
		ask, path = map[string][]string{"ref_name": {commit}, "per_page": {fmt.Sprint(back)}}, s.project("repository", "commits")
	}
	if r, ok := s.repo.get(ctx, ask, path...).read(&rows); !ok {
		return "", r, false
	}
	if len(rows) == 0 {
		return "", untold("the repository has no commits"), false
	}
	last := rows[len(rows)-1]
	if s.Kind == gate.GitLab {
		return last.ID, result{}, true
	}
	return last.SHA, result{}, true
}

// githubCommit is the commit that a ref points to, one tag object peeled.
func (s *session) githubCommit(ctx context.Context, ref string) (string, result, bool) {
	type object struct {
		Object struct {
			Type string `json:"type"`
			SHA  string `json:"sha"`
		} `json:"object"`
	}
	short := strings.TrimPrefix(ref, "refs/")
	kind, name, _ := strings.Cut(short, "/")
	var o object
	if r, ok := s.repo.get(ctx, nil, s.at("git", "ref", kind, name)...).read(&o); !ok {
		return "", r, false
	}
	if o.Object.Type == "tag" {
		if r, ok := s.repo.get(ctx, nil, s.at("git", "tags", o.Object.SHA)...).read(&o); !ok {
			return "", r, false
		}
	}
	if o.Object.Type != "commit" {
		return "", untold("%s points to a %s", ref, o.Object.Type), false
	}
	return o.Object.SHA, result{}, true
}

func (s *session) gitlabCommit(ctx context.Context, ref string) (string, result, bool) {
	kind, name := "branches", strings.TrimPrefix(ref, "refs/heads/")
	if tag, is := strings.CutPrefix(ref, "refs/tags/"); is {
		kind, name = "tags", tag
	}
	var o struct {
		Commit struct {
			ID string `json:"id"`
		} `json:"commit"`
	}
	r, ok := s.repo.get(ctx, nil, s.project("repository", kind, name)...).read(&o)
	return o.Commit.ID, r, ok
}

func readPolicy(ctx context.Context, s *session) result {
	if r, is := s.unready(); is {
		return r
	}
	f, err := s.Adapter.PolicyFile(ctx, s.repositoryID())
	var e *gate.Error
	switch {
	case err == nil && f.Commit != "":
		return holds("read")
	case err == nil:
		return fails("the file came without its commit")
	case gate.CodeOf(err) == gate.CodePolicyMissing:
		return holds("the forge says that there is none")
	case errors.As(err, &e):
		return fails("%s", clip(e.Text+" "+e.Got))
	}
	return fails("%s", clip(err.Error()))
}
