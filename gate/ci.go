package gate

import (
	"fmt"
	"strings"
)

// ci judges the CI checks that the stream names. They are the forge's word about a build,
// not a signature (attack 82): who reported each is said, and they never stand in for
// an approval.
func (j *judge) ci() []Check {
	if len(j.stream.Checks) == 0 {
		return nil
	}
	const what = "the commit's CI checks"
	all, ok := j.c.Evidence.Checks.Get()
	if !ok {
		return []Check{unread(CheckCI, what, orNone(j.c.Evidence.Checks.Why()))}
	}
	var open []string
	for _, name := range j.stream.Checks {
		if why := lacking(all, name); why != "" {
			open = append(open, why)
		}
	}
	commit := ShortCommit(j.c.Request.Commit)
	if len(open) > 0 {
		return []Check{{
			Name: CheckCI, Outcome: Waiting, Expected: strings.Join(j.stream.Checks, ", ") + " passed",
			Reason: fmt.Sprintf("of %s, %s", commit, strings.Join(open, "; ")),
			Fix:    "let them run on the released commit until they pass; nothing else is needed then",
		}}
	}
	return []Check{granted(CheckCI, "%s passed on %s", strings.Join(j.stream.Checks, ", "), commit)}
}

// lacking says what a check lacks, or "". Of several that share a name every one has to
// have passed: whoever may add a check of the same name could hide a failed one.
func lacking(all []CommitCheck, name string) string {
	found := false
	for _, c := range all {
		if c.Name != name {
			continue
		}
		found = true
		switch by := orNone(c.By); {
		case !c.Done:
			return fmt.Sprintf("%s (by %s) still runs", name, by)
		case !c.Passed:
			return fmt.Sprintf("%s (by %s) did not pass", name, by)
		}
	}
	if !found {
		return name + " has not run"
	}
	return ""
}
