package gate_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/countersign/countersign/gate"
)

// neverGrants asserts that what worsens a case does not make a grant of a refusal.
func neverGrants(t *rapid.T, before gate.Outcome, what string, c release) {
	t.Helper()
	if before != gate.Granted && gate.Decide(c, now).Outcome == gate.Granted {
		t.Fatalf("%s turned %s into a grant", what, before)
	}
}

// One more author, however they come up, never turns a refusal into a grant.
func TestMoreAuthorsNeverGrant(t *testing.T) {
	forAll(t, func(t *rapid.T) {
		c := history(t)
		before := gate.Decide(c, now)
		part := rapid.SampledFrom([]gate.Part{gate.PartAuthor, gate.PartCommitter, gate.PartCoAuthor}).Draw(t, "part")
		for what, worse := range moreAuthors(c, person(part, draws{t}.anybody("one more"))) {
			neverGrants(t, before.Outcome, what, worse)
		}
	})
}

// moreAuthors are the cases in which one fact more names an author or a maker. Only
// what was read grows: the first name on a commit without one, or the pushers where
// they were unread, end a lack of evidence.
func moreAuthors(c release, p gate.Person) map[string]release {
	out := map[string]release{}
	changes, _ := c.Evidence.Changes.Get()
	for i := range changes {
		edit := func(what string, e func(*gate.Change)) {
			worse := c
			cs := slices.Clone(changes)
			e(&cs[i])
			worse.Evidence.Changes = gate.Known(cs)
			out[fmt.Sprintf("change %d: %s", i, what)] = worse
		}
		moreOnChange(p, changes[i], edit)
		for k, commit := range changes[i].Commits {
			if len(commit.People) > 0 || commit.ByForge {
				edit(fmt.Sprintf("an unlinked name on commit %d", k), func(ch *gate.Change) { addPerson(ch, k, unlinked("N. N.")) })
			}
		}
	}
	moreMakers(p.Name, who(p.Name), c, out)
	return out
}

func moreOnChange(p gate.Person, ch gate.Change, edit func(string, func(*gate.Change))) {
	for k, commit := range ch.Commits {
		if len(commit.People) > 0 || commit.ByForge {
			edit(fmt.Sprintf("%s is %s of commit %d", p.Name, p.Part, k), func(ch *gate.Change) { addPerson(ch, k, p) })
		}
	}
	if pushers, ok := ch.Pushers.Get(); ok {
		edit(p.Name+" pushed", func(ch *gate.Change) { ch.Pushers = gate.Known(append(slices.Clone(pushers), who(p.Name))) })
	}
	if ch.Opener.IsAbsent() && ch.Direct() {
		edit(p.Name+" opened it", func(ch *gate.Change) { ch.Opener = gate.Known(who(p.Name)) })
	}
	edit(p.Name+" started the agent", func(ch *gate.Change) { ch.Initiators = append(slices.Clone(ch.Initiators), who(p.Name)) })
}

func addPerson(ch *gate.Change, k int, p gate.Person) {
	ch.Commits = slices.Clone(ch.Commits)
	ch.Commits[k].People = append(slices.Clone(ch.Commits[k].People), p)
}

func moreMakers(name string, who gate.Account, c release, out map[string]release) {
	worse := c
	worse.Request.Actors = append(slices.Clone(c.Request.Actors), who)
	out[name+" asked too"] = worse
	worse = c
	worse.Request.Run.Actors = append(slices.Clone(c.Request.Run.Actors), who)
	out[name+" ran it too"] = worse
	if commit, ok := c.Evidence.Commit.Get(); ok && (len(commit.People) > 0 || commit.ByForge) {
		worse = c
		commit.People = append(slices.Clone(commit.People), person(gate.PartCommitter, name))
		worse.Evidence.Commit = gate.Known(commit)
		out[name+" committed the release commit too"] = worse
	}
}

// I2: a fact that becomes unknown never turns a refusal into a grant.
func TestUnknownNeverGrants(t *testing.T) {
	forAll(t, func(t *rapid.T) {
		c := history(t)
		before := gate.Decide(c, now)
		all := unknowns(c.Evidence)
		for path, e := range all {
			worse := c
			worse.Evidence = e
			neverGrants(t, before.Outcome, "unknown "+path, worse)
		}
		path := rapid.SampledFrom(slices.Sorted(maps.Keys(all))).Draw(t, "first")
		worse := c
		worse.Evidence = all[path]
		between := gate.Decide(worse, now)
		all = unknowns(worse.Evidence)
		second := rapid.SampledFrom(slices.Sorted(maps.Keys(all))).Draw(t, "second")
		worse.Evidence = all[second]
		neverGrants(t, between.Outcome, "unknown "+path+" and "+second, worse)
	})
}

// An approval, or the comment that gave it, that goes away never grants.
func TestFewerApprovalsNeverGrant(t *testing.T) {
	forAll(t, func(t *rapid.T) {
		c := history(t)
		before := gate.Decide(c, now)
		for i, a := range c.Approvals {
			worse := c
			worse.Approvals = slices.Delete(slices.Clone(c.Approvals), i, i+1)
			neverGrants(t, before.Outcome, "taking "+a.ID+" back", worse)
			for what, fact := range map[string]gate.Fact[gate.Comment]{
				"deleting": gate.Absent[gate.Comment]("404"), "not reading": gate.Unknown[gate.Comment]("500"),
			} {
				worse = c
				worse.Evidence.Comments = maps.Clone(c.Evidence.Comments)
				worse.Evidence.Comments[a.Source] = fact
				neverGrants(t, before.Outcome, what+" the comment of "+a.ID, worse)
			}
		}
		for source := range c.Evidence.Comments {
			worse := c
			worse.Evidence.Comments = maps.Clone(c.Evidence.Comments)
			delete(worse.Evidence.Comments, source)
			neverGrants(t, before.Outcome, fmt.Sprintf("losing comment %d", source.ID), worse)
		}
		if len(c.Approvals) > 0 {
			worse := c
			worse.Approvals = nil
			if gate.Decide(worse, now).Outcome == gate.Granted {
				t.Fatal("granted with no approval at all")
			}
		}
	})
}

// The order in which things are listed decides nothing.
func TestOrderDecidesNothing(t *testing.T) {
	forAll(t, func(t *rapid.T) {
		c := history(t)
		want, got := gate.Decide(c, now), gate.Decide(shuffled(t, c), now)
		if want.Outcome != got.Outcome || want.Ends() != got.Ends() || want.Unread() != got.Unread() {
			t.Fatalf("%s %q unread %v became %s %q unread %v:\n%s%s", want.Outcome, want.Ends(), want.Unread(),
				got.Outcome, got.Ends(), got.Unread(), failing(want), failing(got))
		}
		for i := range want.Checks {
			if want.Checks[i].Outcome != got.Checks[i].Outcome {
				t.Fatalf("check %s was %s, became %s", want.Checks[i].Name, want.Checks[i].Outcome, got.Checks[i].Outcome)
			}
		}
	})
}

func anyOrder[T any](t *rapid.T, what string, list []T) []T {
	if len(list) < 2 {
		return list
	}
	return rapid.Permutation(list).Draw(t, what)
}

func shuffled(t *rapid.T, c release) release {
	c.Approvals = anyOrder(t, "approvals", c.Approvals)
	c.Denials = anyOrder(t, "denials", c.Denials)
	c.Policy.Streams = slices.Clone(c.Policy.Streams)
	c.Policy.Streams[0].Approvals = anyOrder(t, "groups", c.Policy.Streams[0].Approvals)
	if members, ok := c.Evidence.Candidates.Get(); ok {
		c.Evidence.Candidates = gate.Known(anyOrder(t, "candidates", members))
	}
	changes, ok := c.Evidence.Changes.Get()
	if !ok {
		return c
	}
	changes = slices.Clone(changes)
	for i := range changes {
		ch := &changes[i]
		ch.Commits = slices.Clone(anyOrder(t, "commits", ch.Commits))
		for k := range ch.Commits {
			ch.Commits[k].People = anyOrder(t, "people", ch.Commits[k].People)
		}
		if pushers, ok := ch.Pushers.Get(); ok {
			ch.Pushers = gate.Known(anyOrder(t, "pushers", pushers))
		}
		if reviews, ok := ch.Reviews.Get(); ok {
			ch.Reviews = gate.Known(anyOrder(t, "reviews", reviews))
		}
	}
	c.Evidence.Changes = gate.Known(anyOrder(t, "changes", changes))
	return c
}

// Decide is total: whatever it is given, it answers, and says what to do about a no.
func TestDecideIsTotal(t *testing.T) { forAll(t, total) }

func FuzzDecide(f *testing.F) { f.Fuzz(rapid.MakeFuzz(total)) }

func total(t *rapid.T) {
	c := arbitrary(t, history(t))
	at := rapid.SampledFrom([]time.Time{now, {}, now.Add(-time.Hour), time.Unix(1<<60, 0)}).Draw(t, "at")
	d := gate.Decide(c, at)
	lowest := gate.Granted
	for _, ck := range d.Checks {
		lowest = min(lowest, ck.Outcome)
		if ck.Reason == "" || (ck.Outcome != gate.Granted && ck.Fix == "") || (ck.Outcome == gate.Granted && ck.Ends != "") {
			t.Fatalf("check without a reason or a fix, or granted and final: %+v", ck)
		}
	}
	_, ok := d.Grant()
	if len(d.Checks) < 14 || len(d.Checks) > 18 || lowest != d.Outcome || ok != (lowest == gate.Granted) {
		t.Fatalf("%d checks, at worst %s, became %s with grant %v", len(d.Checks), lowest, d.Outcome, ok)
	}
	if ok {
		independentlyCovered(t, c, d)
	}
}

// I5: in whatever is granted, nobody covers what they wrote.
func TestNobodyCoversTheirOwn(t *testing.T) {
	forAll(t, func(t *rapid.T) {
		c := history(t)
		if d := gate.Decide(c, now); d.Outcome == gate.Granted {
			independentlyCovered(t, c, d)
		}
	})
}

// What the properties found, one row each.
func TestFoundByProperties(t *testing.T) {
	r := row{t}
	mono := stream(func(s *gate.Stream) { s.Paths = []gate.Matcher{starting("server/")} })
	r.waits("unread files make nobody an author of less than everything", with(mono,
		pr(1, "ana", touching("server/main.go"), reviewed("cy")), pr(2, "bo"), approve("ana")), gate.CheckApprovals, "@ana is an author of #1")
	r.grant("a change that does touch the stream does", with(mono,
		pr(1, "ana", touching("server/main.go"), reviewed("cy")), pr(2, "bo", touching("server/a.go")), approve("ana")))

	strict := stream(func(s *gate.Stream) { s.Separation = gate.Outsider })
	unread := func(ch *gate.Change) { ch.Opener = gate.Unknown[gate.Account]("500") }
	r.waits("strict: unread authors beside the stream", with(mono, strict,
		pr(1, "ana", touching("server/main.go")), pr(2, "dee", touching("docs/x"), unread), approve("bo")),
		gate.CheckApprovals, "@bo may be an author: of #2, who opened it could not be read")
	r.waits("strict: an author beside the stream", with(mono, strict,
		pr(1, "ana", touching("server/main.go")), pr(2, "bo", touching("docs/x")), approve("bo")),
		gate.CheckApprovals, "@bo is an author of #2")

	ghost := func(ch *gate.Change) { ch.Opener = gate.Known(gate.Account{Login: "ghost", Human: true}) }
	r.waits("an author without a number may be anybody", with(pr(1, "ana", ghost), approve("bo")),
		gate.CheckCoverage, `behind "opened it" could not be read: it has no number`)
	r.waits("a tagger without a number may be anybody", with(pr(1, "ana"), approve("bo"), evidence(func(e *gate.Evidence) {
		f, _ := e.Ref.Get()
		f.Tagger = gate.Known(gate.Account{Login: "ghost"})
		e.Ref = gate.Known(f)
	})), gate.CheckIndependent, `behind "made the tag"`)

	keep := func(*gate.Approval, *gate.Comment) {}
	lost := func(c *release) {
		c.Evidence.Comments[c.Denials[0].Source] = gate.Unknown[gate.Comment]("500")
	}
	r.ends("a denial stands, though its comment cannot be read again", with(pr(1, "ana"), approve("bo"),
		denies("dee", 0, keep), lost), gate.CheckHold, gate.StateDenied, "denied by @dee")
	rightless := func(c *release) { c.Evidence.Roles[who("dee").ID] = gate.Unknown[gate.Member]("500") }
	r.ends("a denial that holds, after one whose maker's right could not be read", with(pr(1, "ana"), approve("bo"),
		denies("dee", 0, keep), denies("cy", 1, keep), rightless), gate.CheckHold, gate.StateDenied, "denied by @cy")
	r.waits("a denial whose maker's right could not be read", with(pr(1, "ana"), approve("bo"), denies("dee", 0, keep), rightless),
		gate.CheckHold, "the denial by @dee")
}
