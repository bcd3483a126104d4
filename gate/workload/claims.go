package workload

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/canonical"
)

// claims reads members strictly and keeps the first refusal, so that a reader
// lists what it needs and asks once.
type claims struct {
	members map[string]json.RawMessage
	err     error
}

// maxExact is the largest number that every JSON reader reads alike.
const maxExact = 1<<53 - 1

func (c *claims) contradict(name, expected, got string) {
	if c.err == nil {
		c.err = refuse(gate.CodeTokenClaims, "claim "+name+" is not that of a CI job that may ask", expected, got,
			"ask from a CI job of the repository to release")
	}
}

func (c *claims) has(name string) bool {
	raw, ok := c.members[name]
	return ok && string(raw) != "null"
}

// text is a claim that must be there and say something.
func (c *claims) text(name string) string {
	if !c.has(name) {
		c.contradict(name, "a text", "nothing")
		return ""
	}
	return c.string(name)
}

// optional is a claim that may be missing or empty.
func (c *claims) optional(name string) string {
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

// one is a claim that is one text, bare or as a list of one.
func (c *claims) one(name string) string {
	var list []string
	if json.Unmarshal(c.members[name], &list) == nil && c.has(name) {
		if len(list) == 1 && list[0] != "" {
			return list[0]
		}
		if c.err == nil {
			c.err = refuse(gate.CodeAudience, "the ID token is made for several services, or for none", "exactly one audience",
				fmt.Sprintf("%d", len(list)), "get an ID token for this server alone")
		}
		return ""
	}
	return c.text(name)
}

// id is a numeric identity. Both forges write them as strings of digits.
func (c *claims) id(name string) int64 {
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
	raw := string(c.members[name])
	n, err := strconv.ParseInt(raw, 10, 64)
	if err != nil || n <= 0 || n > maxExact {
		c.contradict(name, "a time in whole seconds", quoted(raw))
		return 0
	}
	return n
}

func (c *claims) commit(name string) string {
	s := c.text(name)
	if canonical.CheckCommit(s) != nil {
		c.contradict(name, "40 or 64 lower-case hex digits", quoted(s))
	}
	return s
}

// ref checks a full ref against the type that the issuer gives it (attack 22).
func (c *claims) ref(name, ref string) string {
	kind := c.text("ref_type")
	prefix := map[string]string{"branch": "refs/heads/", "tag": "refs/tags/"}[kind]
	if prefix == "" {
		c.contradict("ref_type", "branch or tag", quoted(kind))
		return ref
	}
	if !strings.HasPrefix(ref, prefix) || canonical.CheckRef(ref) != nil {
		c.contradict(name, prefix+"… with a plain name", quoted(ref))
	}
	return ref
}

// located splits "where@ref". The run's own ref is tried first: both a file's and a
// ref's name may hold an @.
func (c *claims) located(name, own string) (where, ref string) {
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
