package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

const (
	maxAliases = 5
	maxAlias   = 40 // without the slash
	command    = "/countersign"
)

// chatops reads other spellings of the command to approve.
func (r *reader) chatops(f field) []string {
	sub := r.fields("chatops", f.value, nil, "aliases")
	aliases, ok := sub["aliases"]
	if !ok {
		r.bad(f.value, "chatops names no aliases", `aliases: ["/approve-release"]`, "nothing", "leave chatops out to have /countersign alone")
		return nil
	}
	entries := r.list(aliases)
	if len(entries) > maxAliases {
		r.bad(aliases.value, "too many aliases", fmt.Sprintf("at most %d", maxAliases), fmt.Sprint(len(entries)), "keep those that people use")
	}
	spelling := regexp.MustCompile(fmt.Sprintf("^/[a-z0-9-]{2,%d}$", maxAlias))
	var out []string
	for _, n := range entries {
		a := r.text("an alias", n)
		switch {
		case r.err != nil:
			return nil
		case a == command:
			r.bad(n, "alias "+quoted(a)+" is the command itself", "another word", quoted(a), "leave it out: it always counts")
		case !spelling.MatchString(a):
			r.bad(n, "alias "+quoted(a)+" is no command", fmt.Sprintf("/ and 2 to %d of a-z, 0-9 and hyphen", maxAlias), quoted(a), "choose one such as /approve-release")
		case slices.Contains(out, a):
			r.bad(n, "alias "+quoted(a)+" stands twice", "every alias once", quoted(a), "keep one of them")
		}
		out = append(out, strings.TrimSpace(a))
	}
	return out
}
