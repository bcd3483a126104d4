package probe

import (
	"maps"
	"slices"
	"strings"
)

// rank orders GitHub's levels of a permission.
func rank(level string) int {
	return slices.Index([]string{"", "read", "write", "admin"}, level)
}

// Missing are the permissions of want that have lacks, as "name: level", sorted. A level
// that is not known counts as none.
func Missing(want, have map[string]string) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if rank(have[name]) < rank(want[name]) {
			out = append(out, name+": "+want[name])
		}
	}
	return out
}

// usable are the permissions that mean something to an owner: a person has no members.
func usable(want map[string]string, owner account) map[string]string {
	if owner.Type != "User" {
		return want
	}
	out := maps.Clone(want)
	delete(out, "members")
	return out
}

func list(names []string) string { return strings.Join(names, ", ") }

// cutName cuts OWNER/NAME; on GitLab the owner may have slashes itself.
func cutName(full string) (owner, name string, ok bool) {
	at := strings.LastIndex(full, "/")
	if at <= 0 || at == len(full)-1 {
		return "", "", false
	}
	return full[:at], full[at+1:], true
}
