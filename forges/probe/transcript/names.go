package transcript

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// names hands out stand-ins, the same one for the same text, however it is spelled in
// upper and lower case: the forges compare logins and addresses so.
type names struct {
	of    map[string]string // by text in lower case
	count map[string]int    // by kind
}

func newNames() *names { return &names{of: map[string]string{}, count: map[string]int{}} }

// standIn is the text's stand-in. Kind counts only where the text is new.
func (n *names) standIn(kind, text string) string {
	key := strings.ToLower(text)
	if known, ok := n.of[key]; ok {
		return known
	}
	n.count[kind]++
	made := fmt.Sprintf("%s-%d", kind, n.count[kind])
	n.of[key] = made
	return made
}

// name is what stands for one name: a login, a branch, a folder, an address.
func (n *names) name(kind, s string) string {
	base, bot := strings.CutSuffix(s, "[bot]")
	switch {
	case s == "" || isOwnName(s) || plain.MatchString(s):
		return s
	case bot && base != "":
		return n.name(kind, base) + "[bot]"
	case strings.Contains(s, "@") && address.FindString(s) == s:
		return n.standIn("user", s) + "@invalid"
	}
	return n.standIn(kind, s)
}

// path is what stands for names joined by slashes, or by the dots of a range.
func (n *names) path(kind, s string) string {
	for _, joint := range []string{"/", "...", ".."} {
		if strings.Contains(s, joint) && !isOwnName(s) {
			parts := strings.Split(s, joint)
			for i, p := range parts {
				parts[i] = n.path(kind, p)
			}
			return strings.Join(parts, joint)
		}
	}
	return n.name(kind, s)
}

// kept is a text of the forge, such as an error's message or a query, without the names
// known so far, and without addresses.
func (n *names) kept(s string) string {
	s = address.ReplaceAllStringFunc(s, func(a string) string { return n.name("user", a) })
	known := slices.SortedFunc(maps.Keys(n.of), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b))
	})
	for _, name := range known {
		if len(name) > 1 && len(name) <= 200 {
			s = replaceWord(s, name, n.of[name])
		}
	}
	return s
}

// replaceWord replaces a text in lower case where it stands for itself in s, whatever the case there.
func replaceWord(s, text, by string) string {
	lower := strings.ToLower(s)
	if len(lower) != len(s) {
		lower = s // a letter whose cases differ in length: then as it stands
	}
	var b strings.Builder
	done := 0
	for from := 0; ; {
		at := strings.Index(lower[from:], text)
		if at < 0 {
			b.WriteString(s[done:])
			return b.String()
		}
		at += from
		from = at + len(text)
		if (at == 0 || !inWord(lower[at-1])) && (from == len(lower) || !inWord(lower[from])) {
			b.WriteString(s[done:at])
			b.WriteString(by)
			done = from
		}
	}
}

func inWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// escaped is the stand-in of a URL's escaped path: the API's own words stay.
func (n *names) escaped(p string) string {
	parts := strings.Split(p, "/")
	for i, part := range parts {
		text, err := url.PathUnescape(part)
		if err != nil {
			text = part
		}
		if !slices.Contains(pathWords(), text) {
			text = n.path("name", text)
		}
		parts[i] = url.PathEscape(text)
	}
	return strings.Join(parts, "/")
}
