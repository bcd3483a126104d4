package gate_test

import (
	"testing"
	"time"

	"github.com/countersign/countersign/gate"
)

// What is said on the release's page counts as a comment does, and is refused as one is.
func TestApprovalsOnThePage(t *testing.T) {
	r := row{t}
	r.grant("an approval on the page", with(pr(1, "ana"), onPage("bo")))
	r.grant("one on the page, one in a comment", with(pr(1, "ana"), pr(2, "bo"), onPage("bo"), approve("ana"), onPage("dee")))
	r.waits("attack 32: the author approves on the page", with(pr(1, "ana"), onPage("ana")), gate.CheckApprovals, "author of #1")
	r.waits("page and comment of one person count once", with(
		pr(1, "ana", commits(gate.Commit{SHA: sha("g", 1), People: []gate.Person{unlinked("G")}})), approve("bo"), onPage("bo")),
		gate.CheckCoverage, "(#1)")
	r.waits("the policy counts comments alone", with(stream(func(s *gate.Stream) { s.PageCounts = false }), pr(1, "ana"), onPage("bo")),
		gate.CheckApprovals, "counts comments alone")
	r.grant("the policy counts comments alone, and there is one", with(stream(func(s *gate.Stream) { s.PageCounts = false }), pr(1, "ana"), approve("bo")))
	for name, x := range map[string]struct {
		edit func(*gate.Approval)
		why  string
	}{
		"attack 44: approval of an older head":    {func(a *gate.Approval) { a.Commit = sha("old", 1) }, "another commit"},
		"attack 68: approval of other files":      {func(a *gate.Approval) { a.ManifestDigest = gate.Digest{} }, "manifest"},
		"attack 57: approval of another":          {func(a *gate.Approval) { a.Request = "r0" }, "another request"},
		"approval under another policy":           {func(a *gate.Approval) { a.PolicyDigest = gate.Digest{} }, "policy"},
		"attack 24: tag made anew":                {func(a *gate.Approval) { a.TagObject = "t" }, "made anew"},
		"said before the request":                 {func(a *gate.Approval) { a.Created = now.Add(-2 * time.Hour) }, "not said on this release's page"},
		"a comment that claims to be of the page": {func(a *gate.Approval) { a.Source.ID = 7 }, "not said on this release's page"},
		"nowhere said: neither page nor comment":  {func(a *gate.Approval) { a.Page = false }, "could not be read again"},
		"a denial is no approval":                 {func(a *gate.Approval) { a.Verb = gate.VerbDeny }, "0 of 1"},
	} {
		r.waits(name, with(pr(1, "ana"), onPage("bo", x.edit)), gate.CheckApprovals, x.why)
	}
	r.waits("attack 47: signed in, but the right is gone", with(pr(1, "ana"), onPage("bo"), evidence(func(e *gate.Evidence) {
		e.Roles[who("bo").ID] = gate.Absent[gate.Member]("404")
	})), gate.CheckApprovals, "no right")
	r.waits("signed in, and the right could not be read", with(pr(1, "ana"), onPage("bo"), evidence(func(e *gate.Evidence) {
		e.Roles[who("bo").ID] = gate.Unknown[gate.Member]("500")
	})), gate.CheckApprovals, "could not be read")
}
