package policy

import (
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/countersign/countersign/gate"
)

// Bounds of one pattern: matching costs time for every combination of these.
const (
	maxGlob    = 200
	maxStars   = 16
	maxDeep    = 4 // `**`
	maxChoices = 4 // `{a,b}`
)

// glob is a pattern that was checked once; it always matches the whole name
// (attack 10).
type glob string

// Match reports whether the whole of s fits.
func (g glob) Match(s string) bool { return doublestar.MatchUnvalidated(string(g), s) }

// String is the pattern.
func (g glob) String() string { return string(g) }

// exact matches one name, whatever characters are in it.
type exact string

// Match reports whether s is the name.
func (e exact) Match(s string) bool { return string(e) == s }

// String is the name.
func (e exact) String() string { return string(e) }

func globs(patterns ...string) []gate.Matcher {
	var out []gate.Matcher
	for _, p := range patterns {
		out = append(out, glob(p))
	}
	return out
}

// patterns reads a list of globs.
func (r *reader) patterns(f field) []gate.Matcher {
	var out []gate.Matcher
	for _, n := range r.list(f) {
		p := r.text("a pattern of "+f.name, n)
		if r.err != nil {
			return nil
		}
		if why, fix := misfit(p); why != "" {
			r.bad(n, "pattern "+quoted(p)+" "+why, "a glob of short names, such as v* or release/*", quoted(p), fix)
			return nil
		}
		out = append(out, glob(p))
	}
	return out
}

// misfit says what is wrong with a pattern. Regular expressions are refused by the
// characters that only they need: read as a glob they would match what nobody meant.
func misfit(p string) (why, fix string) {
	switch {
	case len(p) > maxGlob, strings.Count(p, "*") > maxStars, strings.Count(p, "**") > maxDeep, strings.Count(p, "{") > maxChoices:
		return "is too complicated", "split it into several patterns"
	case strings.HasPrefix(p, "!"):
		return "starts with !", "there is no negation; for tags there is not_tags"
	case strings.HasPrefix(p, "refs/"):
		return "is a full ref", "write the short name: tags and branches have their own fields"
	case strings.HasPrefix(p, "^") || strings.ContainsAny(p, "|$()"):
		return "looks like a regular expression", "write a glob: * for any characters but /, ** for any folders, {a,b} for a choice"
	case strings.HasPrefix(p, "/") || strings.HasSuffix(p, "/") || strings.Contains(p, "//"):
		return "has an empty segment", "start at the top without /, and write folder/** for all in a folder"
	case !doublestar.ValidatePattern(p):
		return "does not close a bracket or ends in a backslash", "close every [ and {"
	}
	return "", ""
}
