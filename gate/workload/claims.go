package workload

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/canonical"
)

// claims reads members strictly, lists each that it was asked for with what was
// expected of it, and keeps the first refusal: a reader lists what it needs, reads on
// after a refusal, and asks once.
type claims struct {
	members map[string]json.RawMessage
	rows    []gate.ClaimCheck
	err     error
}

// maxExact is the largest number that every JSON reader reads alike.
const maxExact = 1<<53 - 1

func (c *claims) row(name string) *gate.ClaimCheck {
	i := slices.IndexFunc(c.rows, func(r gate.ClaimCheck) bool { return r.Claim == name })
	if i < 0 {
		return nil
	}
	return &c.rows[i]
}

// list adds a claim to the table, where it is not there yet.
func (c *claims) list(name, expected string) *gate.ClaimCheck {
	if c.row(name) == nil {
		c.rows = append(c.rows, gate.ClaimCheck{Claim: name, Expected: expected, Got: c.shown(name), OK: true})
	}
	return c.row(name)
}

// pin says in the table what is expected of a claim. What was refused stays as it is.
func (c *claims) pin(name, expected string) {
	if r := c.list(name, expected); r.OK {
		r.Expected = expected
	}
}

// expectations says of claims that read well what is still to be held against them, and by
// whom.
func (c *claims) expectations(of []gate.ClaimCheck) {
	for _, x := range of {
		c.pin(x.Claim, x.Expected)
	}
}

// doubt marks a claim as not what is expected.
func (c *claims) doubt(name, expected string) {
	c.pin(name, expected)
	c.row(name).OK = false
}

// fine reports whether none of the claims was refused, so that one mistake is not told
// of the claims that depend on it too.
func (c *claims) fine(names ...string) bool {
	return !slices.ContainsFunc(names, func(name string) bool { r := c.row(name); return r != nil && !r.OK })
}

func (c *claims) refuse(err error, name, expected string) {
	c.doubt(name, expected)
	if c.err == nil {
		c.err = err
	}
}

func (c *claims) contradict(name, expected, got string) {
	c.refuse(refuse(gate.CodeTokenClaims, "claim "+name+" is not that of a CI job that may ask", expected, got,
		"ask from a CI job of the repository to release"), name, expected)
}

func (c *claims) has(name string) bool {
	raw, ok := c.members[name]
	return ok && string(raw) != "null"
}

// text is a claim that must be there and say something.
func (c *claims) text(name string) string {
	c.list(name, "a text")
	if !c.has(name) {
		c.contradict(name, "a text", nothing)
		return ""
	}
	return c.string(name)
}

// optional is a claim that may be missing or empty.
func (c *claims) optional(name string) string {
	c.list(name, "any, or nothing")
	if !c.has(name) || string(c.members[name]) == `""` {
		return ""
	}
	return c.string(name)
}

func (c *claims) string(name string) string {
	var s string
	// encoding/json puts U+FFFD where bytes are not UTF-8.
	if err := json.Unmarshal(c.members[name], &s); err != nil || s == "" || strings.ContainsRune(s, utf8.RuneError) {
		c.contradict(name, "a text", quoted(string(c.members[name])))
		return ""
	}
	return s
}

// audience is the one audience of the ID token, bare or as a list of one, and one of
// those accepted: a list would let an ID token serve another service too (attack 2).
func (c *claims) audience(accepted []string) string {
	const fix = "get an ID token for exactly this audience; the countersign client does"
	expected := strings.Join(accepted, " or ")
	if expected == "" {
		expected = "an audience of another kind of forge"
	}
	c.list("aud", expected)
	var several []string
	got := ""
	if json.Unmarshal(c.members["aud"], &several) == nil && c.has("aud") {
		if len(several) != 1 || several[0] == "" {
			c.refuse(refuse(gate.CodeAudience, "the ID token is made for several services, or for none", "exactly one audience",
				fmt.Sprintf("%d", len(several)), "get an ID token for this server alone"), "aud", expected)
			return ""
		}
		got = several[0]
	} else {
		got = c.text("aud")
	}
	if c.fine("aud") && !slices.Contains(accepted, got) {
		c.refuse(refuse(gate.CodeAudience, "the ID token was made for something else", expected, quoted(got), fix), "aud", expected)
	}
	return got
}

// id is a numeric identity. Both forges write them as strings of digits.
func (c *claims) id(name string) int64 {
	c.list(name, "a positive number as a text")
	s := c.text(name)
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n <= 0 || n > maxExact || strconv.FormatInt(n, 10) != s {
		c.contradict(name, "a positive number as a text", quoted(s))
		return 0
	}
	return n
}

// seconds is a NumericDate in whole seconds.
func (c *claims) seconds(name string) int64 {
	c.list(name, "a time in whole seconds")
	raw := string(c.members[name])
	n, err := strconv.ParseInt(raw, 10, 64)
	if err != nil || n <= 0 || n > maxExact {
		c.contradict(name, "a time in whole seconds", quoted(raw))
		return 0
	}
	return n
}

func (c *claims) commit(name string) string {
	c.list(name, "40 or 64 lower-case hex digits")
	s := c.text(name)
	if canonical.CheckCommit(s) != nil {
		c.contradict(name, "40 or 64 lower-case hex digits", quoted(s))
	}
	return s
}

// ref checks a full ref against the type that the issuer gives it (attack 22).
func (c *claims) ref(name, ref string) string {
	c.list("ref_type", "branch or tag")
	kind := c.text("ref_type")
	prefix := map[string]string{"branch": "refs/heads/", "tag": "refs/tags/"}[kind]
	if prefix == "" {
		c.contradict("ref_type", "branch or tag", quoted(kind))
		return ref
	}
	if !strings.HasPrefix(ref, prefix) || canonical.CheckRef(ref) != nil {
		c.contradict(name, prefix+"… with a plain name", quoted(ref))
	}
	c.pin(name, "a plain name of the kind that ref_type says")
	return ref
}

// located splits "where@ref". The run's own ref is tried first: both a file's and a
// ref's name may hold an @.
func (c *claims) located(name, own string) (where, ref string) {
	c.list(name, "a file and its ref: file@refs/…")
	s := c.text(name)
	if where, ok := strings.CutSuffix(s, "@"+own); ok {
		return where, own
	}
	i := strings.LastIndex(s, "@refs/")
	if i < 0 || strings.Contains(s[:i], "@refs/") || canonical.CheckRef(s[i+1:]) != nil {
		c.contradict(name, "a file and its ref: file@refs/…", quoted(s))
		return "", ""
	}
	return s[:i], s[i+1:]
}
