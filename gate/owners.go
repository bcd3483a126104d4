package gate

import (
	"fmt"
	"slices"
	"strings"
)

// owners asks for the word of an owner, outside the change's AUTHORS, for every file that
// the change set touches and that has owners. The file that names them is that of
// before the change set: nobody makes themselves an owner in it (attack 77).
func (j *judge) owners() []Check {
	if !j.stream.Owners {
		return nil
	}
	const what = "the code owners"
	file, ok := j.c.Evidence.Owners.Get()
	switch {
	case j.c.Evidence.Owners.IsAbsent():
		return []Check{granted(CheckOwners, "there is no code owners' file before these changes: nothing has owners yet")}
	case !ok:
		return []Check{unread(CheckOwners, what, j.c.Evidence.Owners.Why())}
	case j.c.Owners == nil:
		return []Check{unread(CheckOwners, what, file.Path+" of "+ShortCommit(file.Commit)+" does not read")}
	}
	var open []string
	covered := j.coverage // of the changes that count, in order
	for _, change := range j.set {
		if !change.counts {
			continue
		}
		by := covered[0].By
		covered = covered[1:]
		paths, ok := change.Paths.Get()
		if !ok {
			return []Check{unread(CheckOwners, "the files of "+j.called(change.Change), change.Paths.Why())}
		}
		open = append(open, j.unowned(change, paths, by)...)
	}
	if len(open) > 0 {
		return []Check{{
			Name: CheckOwners, Outcome: Waiting,
			Reason: fmt.Sprintf("%d files still need the word of an owner: %s", len(open), few(open, 5)),
			Fix:    "an owner who did not write the change comments /countersign approve",
		}}
	}
	return []Check{granted(CheckOwners, "an owner of every owned file approved (%s of %s)", file.Path, ShortCommit(file.Commit))}
}

// unowned lists the files of a change that no owner spoke for.
func (j *judge) unowned(change weighed, paths []string, by []CoveredBy) []string {
	var people []Member
	for _, who := range by {
		people = append(people, j.memberOf(who.Account.ID))
	}
	var open []string
	for _, path := range paths {
		for _, owners := range j.c.Owners.Sections(path) {
			if len(owners) > 0 && !slices.ContainsFunc(people, func(m Member) bool { return m.owns(owners) }) {
				open = append(open, fmt.Sprintf("%s (%s) of %s", path, strings.Join(owners, " "), j.called(change.Change)))
			}
		}
	}
	return open
}

// owns compares the member's login of now, teams, and GitLab's owners by right
// ("@@maintainers"); an owner by e-mail address is nobody that the forge could tell.
func (m Member) owns(owners []string) bool {
	teams, _ := m.Teams.Get()
	return slices.ContainsFunc(owners, func(o string) bool {
		name, ok := strings.CutPrefix(o, "@")
		if !ok || name == "" {
			return false
		}
		if right, ok := strings.CutPrefix(name, "@"); ok {
			return m.hasRight(right)
		}
		return strings.EqualFold(name, m.Account.Login) ||
			slices.ContainsFunc(teams, func(t string) bool { return strings.EqualFold(t, name) })
	})
}

// hasRight compares GitLab's name of a right, in the singular or the plural.
func (m Member) hasRight(name string) bool {
	want, ok := map[string]Role{"developer": RoleWrite, "maintainer": RoleMaintain, "owner": RoleAdmin}[strings.TrimSuffix(strings.ToLower(name), "s")]
	return ok && m.Role == want
}

// few is the first n of a list, and how many more there are.
func few(list []string, n int) string {
	if len(list) <= n {
		return strings.Join(list, "; ")
	}
	return fmt.Sprintf("%s; and %d more", strings.Join(list[:n], "; "), len(list)-n)
}
