package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/countersign/countersign/forges/github"
	"github.com/countersign/countersign/forges/gitlab"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/release"
)

// find is the repository that somebody calls forge:number, or OWNER/NAME at any of the forges.
func (x *examiner) find(ctx context.Context, called string) (gate.RepositoryID, error) {
	if !strings.Contains(called, "/") {
		return repositoryFlag(called)
	}
	var last error
	for _, l := range x.forges {
		id, err := l.named(ctx, called)
		if err == nil {
			return id, nil
		}
		last = err
	}
	return gate.RepositoryID{}, last
}

// named finds a repository by its name, as the forge knows it now.
func (l *liveForge) named(ctx context.Context, name string) (gate.RepositoryID, error) {
	switch f := l.now().forge.(type) {
	case *github.Forge:
		facts, err := f.Find(ctx, name)
		return facts.ID, err
	case *gitlab.Forge:
		all, err := f.Projects(ctx)
		if err != nil {
			return gate.RepositoryID{}, err
		}
		for _, p := range all {
			if strings.EqualFold(p.Path, name) {
				return gate.RepositoryID{Forge: l.now().config.Name, ID: p.ID}, nil
			}
		}
	}
	return gate.RepositoryID{}, &gate.Error{
		Kind: gate.NotFound, Code: gate.CodeRepositoryUnknown, Text: "no forge knows a repository of this name that the gate administers",
		Expected: "OWNER/NAME, or forge:number", Got: name, Fix: "compare the name, and install the App or invite the bot there",
	}
}

// ExamineRepository looks at what a repository's next release would meet.
func (x *examiner) ExamineRepository(ctx context.Context, r gate.RepositoryID) []api.Finding {
	c := &chart{}
	area := "Repository " + r.String()
	i := slices.IndexFunc(x.forges, func(l *liveForge) bool { return l.now().config.Name == r.Forge })
	if i < 0 {
		c.fail(area, "repository", &gate.Error{
			Kind: gate.NotFound, Code: gate.CodeForgeUnknown, Text: "no forge of this name is configured", Got: string(r.Forge),
			Expected: "a configured forge", Fix: "see forges in the server's configuration",
		})
		return c.found
	}
	streams := x.foresee(ctx, c, area, r)
	o := x.forges[i].now()
	seen := map[string]bool{}
	for _, s := range streams {
		for _, f := range x.wanted(ctx, o, r, s) {
			// What several streams meet alike is said once.
			if key := f.ID + f.Text; !seen[key] {
				seen[key] = true
				f.Area = area
				c.found = append(c.found, f)
			}
		}
	}
	return c.found
}

// wanted has the adapter look for what a stream needs there.
func (x *examiner) wanted(ctx context.Context, o *openedForge, r gate.RepositoryID, s gate.Stream) []api.Finding {
	environment := ""
	if s.Environment != "" {
		environment = s.Environment
	}
	switch f := o.forge.(type) {
	case *github.Forge:
		return f.InspectRepository(ctx, r, github.Wanted{Workflow: s.Workflow, Finish: s.Finish, Environment: environment, Publish: s.Publish})
	case *gitlab.Forge:
		return f.InspectRepository(ctx, r, gitlab.Wanted{
			Job: s.Job, Finish: s.Finish, Environment: environment,
			HookURL: hookOf(x.config.Server.URL.String(), o.config.Kind, o.config.Name),
		})
	}
	return nil
}

// foresee judges the head of the default branch, and returns the streams of the policy in
// force; one that asks for nothing where there is none.
func (x *examiner) foresee(ctx context.Context, c *chart, area string, r gate.RepositoryID) []gate.Stream {
	none := []gate.Stream{{}}
	if x.gate == nil {
		c.found = append(c.found, x.unopened...)
		c.warn(area, "policy", "start the server once: countersignd serve", "which policy is in force stands in the database")
		return none
	}
	x.standing(ctx, c, area, r)
	all, err := x.gate.Foresee(ctx, r)
	if gate.CodeOf(err) == gate.CodePolicyNotAdopted {
		return none // said already
	}
	if err != nil {
		c.fail(area, "policy", err)
		return none
	}
	var out []gate.Stream
	for _, f := range all {
		out = append(out, f.Stream)
		x.key(ctx, c, area, r, f)
		foreseen(c, area, f)
	}
	return out
}

// standing says which policy is in force, and what the file at the head would come to.
func (x *examiner) standing(ctx context.Context, c *chart, area string, r gate.RepositoryID) {
	const adopt = "an administrator puts it in force: on the repository's page, or with countersignd policy adopt"
	head, headErr := x.gate.Candidate(ctx, r)
	s, err := x.gate.Standing(ctx, r)
	switch {
	case gate.CodeOf(err) == gate.CodePolicyNotAdopted && headErr != nil:
		c.fail(area, "policy", headErr)
		return
	case gate.CodeOf(err) == gate.CodePolicyNotAdopted && head.Fault != nil:
		c.fail(area, "policy", head.Fault)
		return
	case gate.CodeOf(err) == gate.CodePolicyNotAdopted:
		c.add(area, "policy", api.FindingFailure, adopt, "the policy of commit %s reads, and is not in force: nothing can be released", gate.ShortCommit(head.File.Commit))
		return
	case err != nil:
		c.fail(area, "policy", err)
		return
	}
	c.pass(area, "policy", "the policy of commit %s is in force, with baseline %s", gate.ShortCommit(s.InForce.Commit), gate.ShortCommit(s.InForce.Baseline))
	switch {
	case s.Newer.Gone:
		c.add(area, "newer-policy", api.FindingFailure, "put the policy file back on the default branch, or have another adopted", "the policy file is gone from the default branch: nothing is signed")
	case s.Newer.Commit != "":
		c.warn(area, "newer-policy", "have it reviewed by somebody else than its authors, or "+adopt, "the policy of commit %s is not in force: %s", gate.ShortCommit(s.Newer.Commit), s.Newer.Why)
	}
	if headErr == nil && head.Fault != nil {
		c.warn(area, "newer-policy", "mend the file; until then the policy in force judges", "the policy file at the head does not read: %v", head.Fault)
	}
}

// foreseen says how a release from the head would fare: its rules, its key, what is not
// covered, and who could cover it.
func foreseen(c *chart, area string, f release.Foreseen) {
	in := fmt.Sprintf("stream %s: ", f.Stream.Name)
	for _, name := range []gate.CheckName{gate.CheckPolicy, gate.CheckBranch, gate.CheckProtection} {
		k, ok := f.Decision.Check(name)
		switch {
		case !ok:
		case k.Outcome == gate.Granted:
			c.pass(area, string(name), "%s%s", in, k.Reason)
		case k.Outcome == gate.Waiting:
			c.warn(area, string(name), fixOf(k), "%s%s", in, k.Reason)
		default:
			c.add(area, string(name), api.FindingFailure, fixOf(k), "%s%s", in, k.Reason)
		}
	}
	if f.Read != "" {
		c.warn(area, "coverage", "try again; if it stays, see the findings about the forge", "%swhat changed since the last release cannot be read: %s", in, f.Read)
		return
	}
	foreseenPeople(c, area, in, f.Decision)
}

// key says whether the repository may use the key of a stream; whether it signs is the
// server's own examination.
func (x *examiner) key(ctx context.Context, c *chart, area string, r gate.RepositoryID, f release.Foreseen) {
	in, err := x.shelf.InForce(ctx, r)
	if err != nil {
		c.fail(area, "key", err)
		return
	}
	facts := x.gate.Keys.Key(f.Stream.Key, r, in.Owner)
	switch {
	case facts.Version.Lineage == "":
		c.add(area, "key", api.FindingFailure, "name another in the policy, or configure it under keys", "stream %s: the server has no key %s", f.Stream.Name, f.Stream.Key)
	case !facts.Bound:
		c.add(area, "key", api.FindingFailure, "bind it under keys to "+r.String()+", or name another in the policy", "stream %s: key %s is not bound to this repository", f.Stream.Name, f.Stream.Key)
	default:
		c.pass(area, "key", "stream %s: key %s version %d is bound to this repository", f.Stream.Name, f.Stream.Key, facts.Version.Version)
	}
}

func fixOf(k gate.Check) string {
	if k.Fix == "" {
		return "see the release's page once one is asked for"
	}
	return k.Fix
}

// foreseenPeople says who could cover the next release, as of now.
func foreseenPeople(c *chart, area, in string, d gate.Decision) {
	const fix = "give somebody else the right that the policy's approvals ask for, or have the changes reviewed before they are merged"
	var open, stuck []string
	for _, change := range d.Coverage {
		if change.Covered {
			continue
		}
		open = append(open, change.Called)
		if !slices.ContainsFunc(d.CanApprove, func(a gate.Account) bool { return !wrote(change, a) }) {
			stuck = append(stuck, change.Called)
		}
	}
	c.pass(area, "coverage", "%s%s since %s, %d not covered yet", in, count(len(d.Coverage), "change"), orBaseline(d.Since), len(open))
	switch {
	case len(d.CanApprove) == 0:
		c.add(area, "approvers", api.FindingFailure, fix, "%snobody could approve the next release%s", in, hindered(d.CannotApprove))
	case len(stuck) > 0:
		c.add(area, "approvers", api.FindingFailure, fix, "%snobody could cover %s", in, strings.Join(first(stuck), ", "))
	default:
		var logins []string
		for _, a := range d.CanApprove {
			logins = append(logins, "@"+a.Login)
		}
		c.pass(area, "approvers", "%sthe next release could be approved by %s", in, strings.Join(first(logins), ", "))
	}
}

func wrote(change gate.Coverage, who gate.Account) bool {
	return slices.ContainsFunc(change.Authors, func(a gate.Authorship) bool { return a.Account.ID == who.ID })
}

func orBaseline(commit string) string {
	if commit == "" {
		return "the baseline"
	}
	return gate.ShortCommit(commit)
}

// first is the beginning of a list that may be long.
func first(list []string) []string {
	const most = 10
	if len(list) > most {
		return append(slices.Clone(list[:most]), fmt.Sprintf("%d more", len(list)-most))
	}
	return list
}

// hindered says of each who cannot approve why, behind a colon.
func hindered(all []gate.Ineligible) string {
	var out []string
	for _, x := range all {
		out = append(out, "@"+x.Account.Login+" "+x.Why)
	}
	if len(out) == 0 {
		return ""
	}
	return ": " + strings.Join(first(out), "; ")
}
