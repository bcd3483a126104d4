package policy

import (
	"regexp"
	"strings"

	"github.com/countersign/countersign/gate"
)

const (
	commitDigits = 40
	usesPath     = `[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+/\.github/workflows/[A-Za-z0-9_.-]+\.ya?ml`
	usesPattern  = "^" + usesPath + "@[0-9a-f]{40}$"
)

// uses reads a reusable workflow. Only a commit says what runs: whoever owns a tag or a
// branch there could change it after the policy was adopted (attack 18).
func (r *reader) uses(f field) *gate.ReusableWorkflow {
	const expected = "acme/ci/.github/workflows/sign.yml@ and the 40 hex digits of a commit"
	text := r.text("uses", f.value)
	path, ref, pinned := strings.Cut(text, "@")
	switch {
	case r.err != nil:
		return nil
	case strings.HasPrefix(text, "./"):
		r.bad(f.value, "uses "+quoted(text)+" names no repository", expected, quoted(text), "write owner/name/ before .github, as ID tokens do")
	case len(text) > maxText || !regexp.MustCompile("^"+usesPath+"$").MatchString(path):
		r.bad(f.value, "uses "+quoted(text)+" is no reusable workflow", expected, quoted(text), "name one file of .github/workflows of one repository")
	case !pinned:
		r.bad(f.value, "uses "+quoted(text)+" is not pinned", expected, quoted(text), "add @ and the full commit that the job calls")
	case !isCommit(ref):
		r.bad(f.value, "uses is pinned to "+quoted(ref)+", which is no full commit", expected, quoted(ref),
			"a tag or a branch may move: write the full commit that it points to now, here and in the job that calls it; git ls-remote shows it")
	}
	return &gate.ReusableWorkflow{Path: path, Commit: ref}
}

func isCommit(s string) bool {
	return len(s) == commitDigits && strings.Trim(s, "0123456789abcdef") == ""
}
