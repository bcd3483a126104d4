package voice

import (
	"fmt"
	"strings"

	"github.com/countersign/countersign/gate"
)

// Assets is a signed release's check once its files at the forge were compared with what was
// signed: a failure where some were replaced. Files that nobody signed are named, no more.
func Assets(state gate.PostState, title, body string, found []gate.AssetMismatch, unsigned []string) (gate.PostState, string, string) {
	var b strings.Builder
	if len(found) > 0 {
		state = gate.PostFailure
		title = plain(fmt.Sprintf("Not what was signed: %s", found[0].Asset), maxStatus)
		b.WriteString("**Some of the files at the forge are not the ones that were signed.** Do not use them, and find out who changed them.\n\n")
		b.WriteString("| File | Signed, SHA-256 | At the forge, SHA-256 |\n|---|---|---|\n")
		for _, m := range found {
			fmt.Fprintf(&b, "| %s | `%s` | `%s` |\n", escape(m.Asset, shortText), m.Signed, m.Found)
		}
		b.WriteString("\n")
	}
	if len(unsigned) > 0 {
		const shown = 20
		b.WriteString("Not signed:")
		for i, name := range unsigned[:min(shown, len(unsigned))] {
			if i > 0 {
				b.WriteString(",")
			}
			b.WriteString(" " + escape(name, shortText))
		}
		if more := len(unsigned) - shown; more > 0 {
			fmt.Fprintf(&b, ", and %d more", more)
		}
		b.WriteString(".\n\n")
	}
	return state, title, b.String() + body
}

// Replaced tells the thread that a file at the forge is not the one that was signed.
func Replaced(v View, m gate.AssetMismatch) string {
	return fmt.Sprintf("❌ The file %s of release %s is not the one that was signed.\n\n"+
		"- signed: `%s`\n- at %s now: `%s`\n\nDo not use it. Find out who replaced it; the change is on record in the ledger. %s\n",
		escape(m.Asset, shortText), escape(gate.ShortRef(v.Request.Ref), shortText), m.Signed, v.forge(), m.Found, link("The release", v.ReleaseURL))
}

// Unpublished tells the thread that the evidence did not get where the policy wants it.
func Unpublished(v View, text, fix string) string {
	return fmt.Sprintf("The release is signed, but its evidence is not at %s: %s.\n\nTo mend it: %s. The signatures are good all the same. %s\n",
		v.forge(), said(text), said(fix), link("The release", v.ReleaseURL))
}
