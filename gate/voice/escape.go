package voice

import (
	"strings"
	"unicode"

	"github.com/countersign/countersign/gate"
)

// plain makes one line of visible characters out of any text, without mentions: an @
// before a name is left out, so that "someone other than @ana" names her and does not
// call her.
func plain(s string, limit int) string {
	var b strings.Builder
	last, space := ' ', false
	for _, r := range strings.ToValidUTF8(s, "�") {
		switch {
		case unicode.IsSpace(r) || unicode.IsControl(r):
			space = b.Len() > 0
			continue
		case !unicode.IsGraphic(r): // bidi controls, zero-width, unassigned
			continue
		case r == '@' && (space || !isWord(last)): // the @ of an address follows a letter
			continue
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		b.WriteRune(r)
		last = r
	}
	return cut(b.String(), limit)
}

func isWord(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r == '_'
}

func cut(s string, limit int) string {
	runes := []rune(s)
	if len(runes) <= limit {
		return s
	}
	return strings.TrimSpace(string(runes[:limit-1])) + "…"
}

// What a line of Markdown may give meaning to: CommonMark, and on top of it what
// GitHub and GitLab do with # ! ~ % $ { }. The rest stays as it is, to be readable in
// e-mails too.
const marked = "\\`*_{}[]<>#!|~$%&^@"

// escape is text from outside as inline Markdown.
func escape(s string, limit int) string {
	var b strings.Builder
	for _, r := range plain(s, limit) {
		if strings.ContainsRune(marked, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	// Bare addresses become links; somebody's title is no place for one.
	return strings.NewReplacer("://", `:\//`, "www.", `www\.`, "WWW.", `WWW\.`).Replace(b.String())
}

// Limits of texts from outside, in characters.
const (
	shortText = 80
	longText  = 600
)

// said is a gate's own sentence: it may quote names from outside.
func said(s string) string { return escape(s, longText) }

// login is an account's name without calling it.
func login(a gate.Account) string {
	if a.Login == "" {
		return escape(a.ID.String(), shortText)
	}
	return escape(a.Login, shortText)
}

// mention calls a person. A name that is no plain login is only named.
func mention(a gate.Account) string {
	if !a.Human || a.Login == "" || strings.Trim(a.Login, loginCharacters) != "" || !isWord(rune(a.Login[0])) {
		return login(a)
	}
	return "@" + a.Login
}

const loginCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."
