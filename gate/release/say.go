package release

import (
	"context"
	"fmt"

	"github.com/countersign/countersign/gate"
)

// Words is what somebody says of a release on its page.
type Words struct {
	Request string
	By      gate.Account // as the forge identified them when they signed in
	Verb    gate.Verb    // approve, deny, hold, unhold or withdraw
	// Manifest is the digest that the page showed: what was said binds to it.
	Manifest gate.Digest
	Reason   string
}

// maxReason bounds what a person gives as a reason, in bytes.
const maxReason = 1000

// Say stores what a signed-in person says of a release, by the same rules as a comment: it
// counts when a judgement, on rights read then, finds that it does. What is already known
// not to count is refused at once and not stored. Errors: CodeRequestUnknown, CodeEnded,
// CodePageStale, CodeNotEligible, CodeParameter; Unavailable while the ref is not read.
func (g *Gate) Say(ctx context.Context, w Words) (gate.Record, error) {
	rec, err := g.Store.Request(ctx, w.Request)
	if err != nil {
		return gate.Record{}, err
	}
	if err := objection(rec, w); err != nil {
		return gate.Record{}, err
	}
	r := rec.Request
	said := gate.Approval{
		ID: g.NewID(), Request: r.ID, Verb: w.Verb, By: w.By, Page: true,
		Source: gate.CommentRef{Repository: r.Repository}, Created: g.Now(),
		Commit: r.Commit, TagObject: earlier(rec).TagObject,
		ManifestDigest: r.Manifest.Digest(), PolicyDigest: r.PolicyDigest, Reason: w.Reason,
	}
	heard := gate.Heard{Approvals: []gate.Approval{said}, DueRequests: []string{r.ID}}
	if err := g.Store.Hear(ctx, heard); err != nil {
		return gate.Record{}, fmt.Errorf("store what was said of %s: %w", r.ID, err)
	}
	return g.Store.Request(ctx, w.Request)
}

// objection says why words cannot be taken.
func objection(rec gate.Record, w Words) error {
	r := rec.Request
	switch {
	case w.By.ID.Forge != r.Repository.Forge || !w.By.Human:
		return notEligible(fmt.Sprintf("@%s is no person's account of the forge that this release is on", w.By.Login))
	case done(rec.State):
		return &gate.Error{
			Kind: gate.Conflict, Code: gate.CodeEnded, Text: fmt.Sprintf("the release is %s: nothing to say about it any more", rec.State),
			Fix: "read its page again",
		}
	case w.Manifest != r.Manifest.Digest():
		return &gate.Error{
			Kind: gate.Conflict, Code: gate.CodePageStale, Text: "the page showed other files than this release has",
			Expected: r.Manifest.Digest().String(), Got: w.Manifest.String(), Fix: "load the page again, and compare what it shows",
		}
	case w.Verb == gate.VerbDeny && w.Reason == "":
		return &gate.Error{
			Kind: gate.Invalid, Code: gate.CodeParameter, Text: "a denial needs a reason",
			Expected: "why this must not be signed", Got: "nothing", Fix: "write a sentence for whoever asked",
		}
	case len(w.Reason) > maxReason:
		return &gate.Error{
			Kind: gate.Invalid, Code: gate.CodeParameter, Text: "the reason is too long",
			Expected: fmt.Sprintf("at most %d bytes", maxReason), Got: fmt.Sprintf("%d", len(w.Reason)), Fix: "say it shorter, and link to the rest",
		}
	case !spoken(w.Verb):
		return &gate.Error{
			Kind: gate.Invalid, Code: gate.CodeParameter, Text: "this cannot be said of a release on its page",
			Expected: "approve, deny, hold, unhold or withdraw", Got: string(w.Verb), Fix: "use the page's own buttons",
		}
	case w.Verb == gate.VerbApprove && !tagRead(rec):
		return &gate.Error{
			Kind: gate.Unavailable, Code: gate.CodePageStale, Text: "the release's ref is not read yet, and an approval binds to it",
			Fix: "wait until the page shows its checks, then approve",
		}
	}
	// Whoever may approve by their right may deny, authors too, and who approved before.
	if w.Verb == gate.VerbApprove && earlier(rec).CommentsOnly {
		return &gate.Error{
			Kind: gate.Refused, Code: gate.CodeNotEligible, Text: "the policy of this repository counts approvals in comments alone",
			Expected: "a comment in the release's conversation", Got: "an approval on its page", Fix: "comment /countersign approve there",
		}
	}
	if w.Verb == gate.VerbApprove {
		return ineligible(earlier(rec), w.By)
	}
	return nil
}

// spoken reports whether a verb is a statement.
func spoken(v gate.Verb) bool {
	switch v {
	case gate.VerbApprove, gate.VerbDeny, gate.VerbHold, gate.VerbUnhold, gate.VerbWithdraw:
		return true
	case gate.VerbRetry, gate.VerbStatus, gate.VerbHelp:
	}
	return false
}

// ineligible refuses an approval that the latest judgement already knows not to count.
func ineligible(d gate.Decision, by gate.Account) error {
	for _, x := range d.CannotApprove {
		if x.Account.ID == by.ID {
			return notEligible(fmt.Sprintf("@%s cannot approve this release: %s", by.Login, x.Why))
		}
	}
	return nil
}

func notEligible(text string) error {
	return &gate.Error{
		Kind: gate.Refused, Code: gate.CodeNotEligible, Text: text,
		Fix: "ask somebody whom the page names as able to approve",
	}
}
