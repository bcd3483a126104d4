package main

import (
	"strings"
	"unicode"

	"github.com/countersign/countersign/gate/api"
)

// headline is the state in the server's words; a server of an older version has none.
func headline(r api.Release) string { return orElse(plain(r.Headline), plain(string(r.State))) }

// title is a check's name for people, likewise.
func title(c api.Check) string { return orElse(plain(c.Title), plain(string(c.Name))) }

// plain makes foreign text safe to print: what is not graphic (control, escape, bidi
// and zero-width characters, line ends) becomes a space, and nothing in it can be
// read as a workflow command by a CI runner.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) || unicode.IsSpace(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	s = strings.ReplaceAll(s, "##[", "# #[")
	s = strings.TrimSpace(s)
	if strings.HasPrefix(s, "::") {
		s = "'" + s
	}
	return s
}

// markdown makes foreign text inert in a job summary.
func markdown(s string) string {
	var b strings.Builder
	for _, r := range plain(s) {
		if strings.ContainsRune("\\`*_{}[]()#+-.!|~:@/", r) {
			b.WriteByte('\\')
		}
		switch r {
		case '<':
			b.WriteString("&lt;")
		case '>':
			b.WriteString("&gt;")
		case '&':
			b.WriteString("&amp;")
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
