package gate_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
)

// The cast. Ana, bo, cy, dee and eve may write; gus may only read; rel is a bot.
var cast = map[string]gate.Member{ //nolint:gochecknoglobals // the tables' constants
	"ana": member(1, "ana", gate.RoleWrite), "bo": member(2, "bo", gate.RoleWrite),
	"cy": member(3, "cy", gate.RoleMaintain), "dee": member(4, "dee", gate.RoleWrite),
	"eve": member(5, "eve", gate.RoleAdmin), "gus": member(6, "gus", gate.RoleRead),
	"rel": bot(7, "rel[bot]"), "fox": member(8, "fox", gate.RoleNone),
}

var now = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC) //nolint:gochecknoglobals // the tables' clock

const (
	head     = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	baseline = "0000000000000000000000000000000000000000"
)

func member(id int64, login string, role gate.Role) gate.Member {
	return gate.Member{
		Account: gate.Account{ID: gate.AccountID{Forge: "github", ID: id}, Login: login, Human: true},
		Role:    role, Active: true,
	}
}

func bot(id int64, login string) gate.Member {
	m := member(id, login, gate.RoleWrite)
	m.Account.Human = false
	return m
}

func who(name string) gate.Account {
	m, ok := cast[name]
	if !ok {
		panic("nobody called " + name)
	}
	return m.Account
}

func all(names ...string) []gate.Account {
	out := []gate.Account{}
	for _, n := range names {
		out = append(out, who(n))
	}
	return out
}

type exactly string

func (e exactly) Match(s string) bool { return string(e) == s }
func (e exactly) String() string      { return string(e) }

type starting string

func (p starting) Match(s string) bool { return strings.HasPrefix(s, string(p)) }
func (p starting) String() string      { return string(p) + "*" }

// release is a case under construction; a step is one fact of its history.
type (
	release = gate.Case
	step    func(*release)
)

// newRelease is v1.4.0 of acme/widget: everything is in order, nothing changed,
// nobody approved, eve pushed the tag.
func newRelease() release {
	repo := gate.RepositoryID{Forge: "github", ID: 10}
	owner := gate.AccountID{Forge: "github", ID: 100}
	stream := gate.Stream{
		Name: "release", Tags: []gate.Matcher{starting("v")}, Branches: []gate.Matcher{exactly("main"), starting("release/")},
		Workflow: ".github/workflows/release.yml", Events: []string{"push"},
		Bypass: gate.Report, Separation: gate.EachChange, ReviewsCount: true, PageCounts: true,
		Approvals: []gate.ApprovalGroup{{From: []gate.Role{gate.RoleWrite}, Count: 1}}, Key: "acme", Expires: 168 * time.Hour,
	}
	w := gate.Workload{
		Forge: "github", Kind: gate.GitHub, Repository: repo, RepositoryName: "acme/widget", Owner: owner,
		Ref: "refs/tags/v1.4.0", Commit: head, Event: "push", RunID: 77, RunAttempt: 1, Actor: who("eve"),
		Workflow: "acme/widget/.github/workflows/release.yml", WorkflowCommit: head,
		JobWorkflow: "acme/widget/.github/workflows/release.yml@refs/tags/v1.4.0", JobWorkflowCommit: head,
	}
	protected := gate.Protection{
		Ref: "refs/heads/main", Sources: []string{"classic"}, Reviews: gate.Known(1), ForcePush: gate.Known(false),
		Deletion: gate.Known(false), AdminsEnforced: gate.Known(true), Push: gate.Known([]string{"nobody"}),
		Bypass: gate.Unknown[[]string]("the forge hides it"),
	}
	c := release{
		Request: gate.Request{
			ID: "r1", Repository: repo, RepositoryName: "acme/widget", Owner: owner, Ref: w.Ref, Commit: head,
			Stream: "release", Manifest: gate.Manifest{Subjects: []gate.Subject{{Name: "widget", SHA256: gate.SHA256([]byte("w"))}}},
			Key: "acme", PolicyDigest: gate.SHA256([]byte("policy")), Workload: w, Actors: all("eve"),
			Run:     gate.RunFacts{RunID: 77, Attempt: 1, InProgress: true, Commit: head},
			Created: now.Add(-time.Hour), Expires: now.Add(time.Hour),
		},
		Policy: gate.Policy{Mode: gate.Enforce, Streams: []gate.Stream{stream}, Digest: gate.SHA256([]byte("policy")), Baseline: baseline},
		Key:    gate.KeyFacts{Version: gate.KeyVersion{Lineage: "acme", Version: 1, SPKI: []byte{1}}, Bound: true},
		Evidence: gate.Evidence{
			ReadAt:     now.Add(-time.Second),
			Repository: gate.Known(gate.RepositoryFacts{ID: repo, Owner: owner, FullName: "acme/widget", DefaultBranch: "main"}),
			Ref:        gate.Known(gate.RefFacts{Ref: w.Ref, Commit: head, Tagger: gate.Absent[gate.Account]("lightweight tag")}),
			Commit:     gate.Known(commitBy(head, "eve")),
			Branch:     gate.Known(gate.BranchFacts{Name: "main", Head: head, Protection: gate.Known(protected)}),
			Changes:    gate.Known([]gate.Change{}),
			Comments:   map[gate.CommentRef]gate.Fact[gate.Comment]{},
			Roles:      map[gate.AccountID]gate.Fact[gate.Member]{},
		},
	}
	var members []gate.Member
	for _, m := range cast {
		c.Evidence.Roles[m.Account.ID] = gate.Known(m)
		if m.Role >= gate.RoleWrite {
			members = append(members, m)
		}
	}
	slices.SortFunc(members, func(a, b gate.Member) int { return int(a.Account.ID.ID - b.Account.ID.ID) })
	c.Evidence.Candidates = gate.Known(members)
	return c
}

func with(steps ...step) release {
	c := newRelease()
	for _, s := range steps {
		s(&c)
	}
	if changes, _ := c.Evidence.Changes.Get(); len(changes) > 0 {
		// The release commit is what the forge made of the last change.
		last := &changes[len(changes)-1]
		if len(last.Commits) > 0 {
			last.Commits = append(slices.Clone(last.Commits), gate.Commit{SHA: c.Request.Commit, ByForge: true})
		}
	} else if len(c.Released) == 0 {
		c.Released = []string{c.Request.Commit}
	}
	return c
}

func commitBy(sha, author string) gate.Commit {
	return gate.Commit{SHA: sha, People: []gate.Person{
		{Part: gate.PartAuthor, Account: gate.Known(who(author)), Name: author},
		{Part: gate.PartCommitter, Account: gate.Known(who(author)), Name: author},
	}}
}

func sha(seed string, n int64) string {
	return gate.SHA256(fmt.Appendf(nil, "%s-%d", seed, n)).String()[:40]
}

// pr is a merged pull request opened, written and pushed by author; edits refine it.
func pr(number int64, author string, edits ...func(*gate.Change)) step {
	return func(c *release) {
		ch := gate.Change{
			Number: number, Title: fmt.Sprintf("change %d", number), Head: sha("head", number),
			MergeCommit: sha("merge", number), MergedAt: now.Add(-2 * time.Hour),
			Opener: gate.Known(who(author)), Commits: []gate.Commit{commitBy(sha("head", number), author)},
			Pushers: gate.Known(all(author)), Reviews: gate.Known([]gate.Review{}), Paths: gate.Unknown[[]string]("not asked for"),
		}
		for _, e := range edits {
			e(&ch)
		}
		changes, _ := c.Evidence.Changes.Get()
		c.Evidence.Changes = gate.Known(append(slices.Clone(changes), ch))
	}
}

// push is a direct push of one commit.
func push(author, pusher string, edits ...func(*gate.Change)) step {
	return func(c *release) {
		changes, _ := c.Evidence.Changes.Get()
		id := sha("push", int64(len(changes)))
		ch := gate.Change{
			Head: id, Commits: []gate.Commit{commitBy(id, author)}, Pushers: gate.Known(all(pusher)),
			Opener: gate.Absent[gate.Account]("no PR"), Reviews: gate.Absent[[]gate.Review]("no PR"),
		}
		for _, e := range edits {
			e(&ch)
		}
		c.Evidence.Changes = gate.Known(append(slices.Clone(changes), ch))
	}
}

func reviewed(by string, edits ...func(*gate.Review)) func(*gate.Change) {
	return func(ch *gate.Change) {
		r := gate.Review{By: who(by), Approved: true, Commit: ch.Head, At: now.Add(-3 * time.Hour), Role: gate.Known(cast[by].Role)}
		for _, e := range edits {
			e(&r)
		}
		rs, _ := ch.Reviews.Get()
		ch.Reviews = gate.Known(append(slices.Clone(rs), r))
	}
}

func commits(cs ...gate.Commit) func(*gate.Change) {
	return func(ch *gate.Change) { ch.Commits = append(ch.Commits, cs...) }
}

func person(part gate.Part, name string) gate.Person {
	return gate.Person{Part: part, Account: gate.Known(who(name)), Name: name}
}

func unlinked(name string) gate.Person {
	return gate.Person{Part: gate.PartAuthor, Account: gate.Absent[gate.Account]("no account has this e-mail"), Name: name}
}

func pushedBy(names ...string) func(*gate.Change) {
	return func(ch *gate.Change) { ch.Pushers = gate.Known(all(names...)) }
}

func touching(paths ...string) func(*gate.Change) {
	return func(ch *gate.Change) { ch.Paths = gate.Known(paths) }
}

// approve is a comment that approves the request, as it is, unedited.
func approve(name string, edits ...func(*gate.Approval, *gate.Comment)) step {
	return func(c *release) {
		body := "/countersign approve"
		ref := gate.CommentRef{Repository: c.Request.Repository, Thread: gate.Thread{Number: 1}, ID: int64(len(c.Approvals) + 1)}
		a := gate.Approval{
			ID: fmt.Sprintf("a%d", ref.ID), Request: c.Request.ID, Verb: gate.VerbApprove, By: who(name), Source: ref,
			BodyHash: gate.SHA256([]byte(body)), Created: now.Add(-time.Minute), Commit: c.Request.Commit,
			ManifestDigest: c.Request.Manifest.Digest(), PolicyDigest: c.Request.PolicyDigest,
		}
		cm := gate.Comment{Ref: ref, Author: a.By, Body: body, Created: a.Created}
		for _, e := range edits {
			e(&a, &cm)
		}
		c.Approvals = append(c.Approvals, a)
		c.Evidence.Comments[ref] = gate.Known(cm)
	}
}

// onPage is an approval said on the release's page.
func onPage(name string, edits ...func(*gate.Approval)) step {
	return func(c *release) {
		a := gate.Approval{
			ID: fmt.Sprintf("p%d", len(c.Approvals)+1), Request: c.Request.ID, Verb: gate.VerbApprove, By: who(name), Page: true,
			Source: gate.CommentRef{Repository: c.Request.Repository}, Created: now.Add(-time.Minute), Commit: c.Request.Commit,
			ManifestDigest: c.Request.Manifest.Digest(), PolicyDigest: c.Request.PolicyDigest,
		}
		for _, e := range edits {
			e(&a)
		}
		c.Approvals = append(c.Approvals, a)
	}
}

func stream(edit func(*gate.Stream)) step {
	return func(c *release) { edit(&c.Policy.Streams[0]) }
}

func evidence(edit func(*gate.Evidence)) step {
	return func(c *release) { edit(&c.Evidence) }
}

func request(edit func(*gate.Request)) step {
	return func(c *release) { edit(&c.Request) }
}

func protection(edit func(*gate.Protection)) step {
	return evidence(func(e *gate.Evidence) {
		b, _ := e.Branch.Get()
		p, _ := b.Protection.Get()
		edit(&p)
		b.Protection = gate.Known(p)
		e.Branch = gate.Known(b)
	})
}

// A row judges one history and says what must come of it.
type row struct {
	t *testing.T
}

func (r row) check(name string, c release) gate.Decision {
	r.t.Helper()
	d := gate.Decide(c, now)
	for _, ck := range d.Checks {
		if ck.Reason == "" || (ck.Outcome != gate.Granted && ck.Fix == "") {
			r.t.Errorf("%s: check %s lacks a reason or a fix: %+v", name, ck.Name, ck)
		}
	}
	return d
}

func (r row) grant(name string, c release) {
	r.t.Helper()
	d := r.check(name, c)
	if _, ok := d.Grant(); !ok || d.Outcome != gate.Granted {
		r.t.Errorf("%s: expected a grant, got %s:\n%s", name, d.Outcome, failing(d))
	}
}

// waits expects the named check to wait, with words of its reason.
func (r row) waits(name string, c release, on gate.CheckName, words string) {
	r.t.Helper()
	r.expect(name, c, on, gate.Waiting, "", words)
}

// ends expects the named check to end the request in a state.
func (r row) ends(name string, c release, on gate.CheckName, state gate.State, words string) {
	r.t.Helper()
	r.expect(name, c, on, gate.Denied, state, words)
}

func (r row) expect(name string, c release, on gate.CheckName, out gate.Outcome, state gate.State, words string) {
	r.t.Helper()
	d := r.check(name, c)
	ck, _ := d.Check(on)
	if ck.Outcome != out || d.Outcome > out || d.Ends() != state || !strings.Contains(ck.Reason, words) {
		r.t.Errorf("%s: expected %s %s %q because %q, got %s %q:\n%s", name, on, out, state, words, ck.Outcome, d.Ends(), failing(d))
	}
	if _, ok := d.Grant(); ok {
		r.t.Errorf("%s: granted", name)
	}
}

func failing(d gate.Decision) string {
	var b strings.Builder
	for _, c := range d.Checks {
		if c.Outcome != gate.Granted {
			fmt.Fprintf(&b, "  %s %s: %s\n", c.Outcome, c.Name, c.Reason)
		}
	}
	return b.String()
}
