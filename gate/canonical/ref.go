package canonical

import (
	"strings"

	"github.com/countersign/countersign/gate"
)

// MaxRef is the longest ref, in bytes.
const MaxRef = 255

// refCharacters are what a ref may be made of, beside letters and digits. What is
// missing on purpose: `#`, `%`, `?` and `&` (they change the meaning of an API
// path), everything git itself refuses, and everything outside ASCII, where names
// that look alike differ (attack 21).
const refCharacters = "._-/+@=,"

// CheckRef accepts full refs of branches and tags only: refs/heads/… and
// refs/tags/…, so that a tag is never taken for a branch (attack 22). The rules
// of git-check-ref-format(1) hold, and the characters are few.
func CheckRef(ref string) error {
	bad := func(why, expected string) error {
		return badAsk("ref "+shown(ref)+" "+why, expected, shown(ref), "release from a branch or tag with a plain name")
	}
	short := gate.ShortRef(ref)
	switch {
	case short == ref:
		return bad("is not a full ref", "refs/tags/… or refs/heads/…")
	case len(ref) > MaxRef:
		return bad("is too long", "at most 255 bytes")
	case short == "" || short == "@" || strings.HasPrefix(short, "-"):
		return bad("names nothing", "a name after refs/tags/ or refs/heads/ that starts with no hyphen")
	case strings.Contains(ref, "..") || strings.Contains(ref, "@{"):
		return bad("reads as an expression", "a name without .. and @{")
	case strings.HasSuffix(ref, "."):
		return bad("ends in a dot", "a name that git accepts")
	}
	for _, r := range short {
		if !isASCIIAlnum(r) && !strings.ContainsRune(refCharacters, r) {
			return bad("holds a character that is not allowed", "ASCII letters, digits and any of "+refCharacters)
		}
	}
	for part := range strings.SplitSeq(short, "/") {
		if part == "" || strings.HasPrefix(part, ".") || strings.HasSuffix(part, ".lock") {
			return bad("has a segment that git refuses", "segments that are not empty, start with no dot and do not end in .lock")
		}
	}
	return nil
}

// CheckCommit accepts a full object name: 40 (SHA-1) or 64 (SHA-256) lower-case hex
// digits.
func CheckCommit(commit string) error {
	if (len(commit) == 40 || len(commit) == 64) && strings.Trim(commit, "0123456789abcdef") == "" {
		return nil
	}
	return badAsk("commit "+shown(commit)+" is not a full object name", "40 or 64 lower-case hex digits", shown(commit),
		"send the whole commit SHA, such as GITHUB_SHA or CI_COMMIT_SHA")
}

// CheckStream accepts a stream's name: 1 to 63 of a-z, 0-9, dot, hyphen and
// underscore, starting with a letter or digit.
func CheckStream(name string) error {
	if name != "" && len(name) <= 63 && strings.IndexFunc(name, func(r rune) bool {
		return !isLowerAlnum(r) && !strings.ContainsRune(".-_", r)
	}) < 0 && isLowerAlnum(rune(name[0])) {
		return nil
	}
	return badAsk("stream name "+shown(name)+" is not allowed",
		"1 to 63 of a-z, 0-9, dot, hyphen and underscore, starting with a letter or digit", shown(name),
		"use a stream name of the policy, such as stable")
}

func isLowerAlnum(r rune) bool { return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' }

func isASCIIAlnum(r rune) bool { return isLowerAlnum(r) || r >= 'A' && r <= 'Z' }
