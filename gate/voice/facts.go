package voice

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/countersign/countersign/gate"
)

// facts is the line of what does not change.
func (v View) facts() string {
	r := v.Request
	parts := []string{count(len(r.Manifest.Subjects), "file"), "key " + escape(r.Key, shortText)}
	if v.mood() == moodWaiting {
		parts = append(parts, "expires "+r.Expires.UTC().Format("Mon 2 Jan 15:04 UTC"))
	}
	parts = append(parts, v.commit(r.Commit))
	if v.CompareURL != "" {
		parts = append(parts, link("compare", v.CompareURL))
	}
	parts = append(parts, link("release page", v.ReleaseURL))
	return strings.Join(parts, " · ")
}

// invitation says how to approve. The code always works; it is needed only where
// several requests are open in the thread.
func (v View) invitation() string {
	code, page := v.Request.Code, "; or use the "+link("release page", v.ReleaseURL)
	if v.Decision.CommentsOnly {
		page = "" // what is pressed there does not approve
	}
	if v.Several && code != "" {
		return fmt.Sprintf("Comment `%s`, or `%s` and why%s. Several releases wait here: the code says which you mean.",
			Approve(code, true), Deny(code, true), page)
	}
	line := fmt.Sprintf("Comment `%s`, or `%s` and why%s.", Approve(code, false), Deny(code, false), page)
	if code != "" {
		line += fmt.Sprintf(" (This request's code is `%s`; a comment needs it only where several wait in one thread.)", code)
	}
	return line
}

// details is what few people open: the files and every change.
func (v View) details() string {
	var b strings.Builder
	b.WriteString("<details><summary>Files and changes</summary>\n\n")
	subjects := v.Request.Manifest.Subjects
	b.WriteString("~~~~text\n")
	for _, s := range subjects[:min(len(subjects), maxFiles)] {
		fmt.Fprintf(&b, "%s  %s\n", s.SHA256, fileName(s.Name))
	}
	b.WriteString("~~~~\n")
	if more := len(subjects) - maxFiles; more > 0 {
		fmt.Fprintf(&b, "…and %d more files, on the %s.\n", more, link("release page", v.ReleaseURL))
	}
	fmt.Fprintf(&b, "\nSHA-256 of the whole list: `%s`\n", v.Request.Manifest.Digest())
	changes := v.Decision.Coverage
	if len(changes) > 0 {
		b.WriteString("\n")
	}
	for _, c := range changes[:min(len(changes), maxFiles)] {
		fmt.Fprintf(&b, "- %s: %s\n", v.change(c), covering(c))
	}
	if more := len(changes) - maxFiles; more > 0 {
		fmt.Fprintf(&b, "- …and %d more changes, on the %s\n", more, link("release page", v.ReleaseURL))
	}
	b.WriteString("\n</details>\n")
	return b.String()
}

// fileName is a name as it is, for a code block: people compare it with their own
// list. Behind a digest no name can close the block; one that looks like a marker of
// ours would mislead us.
func fileName(s string) string {
	visible := strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) || unicode.IsSpace(r) && r != ' ' {
			return '�'
		}
		return r
	}, s)
	return cut(strings.ReplaceAll(visible, "<!--", "‹!--"), 2*shortText)
}

func covering(c gate.Coverage) string {
	if !c.Covered {
		return "not yet covered"
	}
	var by []string
	for _, x := range c.By[:min(len(c.By), maxPeople)] {
		by = append(by, login(x.Account)+" ("+escape(x.How, shortText)+")")
	}
	return "covered by " + strings.Join(by, ", ")
}
