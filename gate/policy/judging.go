package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/countersign/countersign/gate"
)

const (
	maxReviews = 10
	maxCount   = 20
	maxGroups  = 5
	maxChecks  = 20
	ownStatus  = "countersign/" // how the gate's own statuses begin
)

// judging reads what protection and which approvals a release needs.
func (r *reader) judging(f map[string]field, where Origin, s *gate.Stream) {
	if b, ok := f["branch"]; ok {
		r.branch(b, s)
	}
	if x, ok := f["checks"]; ok {
		s.Checks = r.checks(x)
	}
	if x, ok := f["codeowners"]; ok {
		s.Owners = r.boolean("codeowners", x.value)
	}
	if x, ok := f["bind"]; ok {
		s.Bind = gate.Bind(r.word("bind", x.value, string(gate.BindRequest), string(gate.BindCommit)))
	}
	if x, ok := f["separation"]; ok {
		s.Separation = gate.Separation(r.word("separation", x.value, string(gate.EachChange), string(gate.Outsider)))
	}
	if x, ok := f["reviews_count"]; ok {
		s.ReviewsCount = r.boolean("reviews_count", x.value)
	}
	if x, ok := f["page_counts"]; ok {
		s.PageCounts = r.boolean("page_counts", x.value)
	}
	if x, ok := f["approvals"]; ok {
		s.Approvals = r.approvals(x, where)
	}
	if x, ok := f["rules"]; ok {
		s.Rules = r.rules(x)
	}
	if x, ok := f["window"]; ok {
		s.Window = r.window(x)
	}
}

// branch reads what the branch's protection must hold.
func (r *reader) branch(f field, s *gate.Stream) {
	sub := r.fields("branch", f.value, nil, "min_reviews", "force_push", "admins", "bypass", "push", "settle")
	if m, ok := sub["min_reviews"]; ok {
		s.MinReviews = r.number("min_reviews", m.value, 0, maxReviews)
	}
	// Both are checked of every branch anyway: a file may say so, and nothing weaker.
	if x, ok := sub["force_push"]; ok {
		r.word("force_push", x.value, "deny")
	}
	if x, ok := sub["admins"]; ok {
		r.word("admins", x.value, "enforced")
	}
	for _, x := range []struct {
		name string
		into *gate.Rule
	}{{"bypass", &s.Bypass}, {"push", &s.Push}} {
		if w, ok := sub[x.name]; ok {
			*x.into = gate.Rule(r.word(x.name, w.value, string(gate.Report), string(gate.Deny)))
		}
	}
	if x, ok := sub["settle"]; ok {
		s.Settle = r.duration(x, 0, maxSettle, "0s asks for no time at all")
	}
}

// checks reads the names of CI checks. The gate's own statuses are none: a release would
// wait for itself.
func (r *reader) checks(f field) []string {
	var out []string
	entries := r.list(f)
	if len(entries) > maxChecks {
		r.bad(f.value, "too many checks", fmt.Sprintf("at most %d", maxChecks), fmt.Sprint(len(entries)), "name the one that needs the others")
	}
	for _, n := range entries {
		c := r.text("a check", n)
		switch {
		case r.err != nil:
			return nil
		case len(c) > maxText || strings.ContainsAny(c, "\r\n"):
			r.bad(n, "check "+quoted(c)+" is no check's name", fmt.Sprintf("one line of at most %d bytes", maxText), quoted(c), "write the name as the forge shows it")
		case strings.HasPrefix(c, ownStatus):
			r.bad(n, "check "+quoted(c)+" is the gate's own", "checks of your CI", quoted(c), "leave it out: what the gate itself says of a commit is no evidence")
		case slices.Contains(out, c):
			r.bad(n, "check "+quoted(c)+" stands twice", "every check once", quoted(c), "keep one of them")
		}
		out = append(out, c)
	}
	return out
}

// signing reads the key and how long a request stays open.
func (r *reader) signing(f map[string]field, n ast.Node, where Origin, s *gate.Stream) {
	key, named := f["key"]
	switch bound := strings.Join(where.Keys, ", "); {
	case named:
		s.Key = r.lineage(key)
	case len(where.Keys) == 1:
		s.Key = where.Keys[0]
	case len(where.Keys) == 0:
		r.bad(n, "no key is bound to this repository", "key: a lineage", "nothing", "the operator of the server binds a key to "+where.Repository.String())
	default:
		r.bad(n, "the release must say which key signs it: "+bound, "key: one of "+bound, "nothing", "add key: "+where.Keys[0])
	}
	expires, ok := f["expires"]
	if !ok {
		return
	}
	s.Expires = r.duration(expires, minExpires, maxExpires, "seven days are 168h")
}

// duration reads a time of hours, minutes and seconds.
func (r *reader) duration(f field, low, high time.Duration, fix string) time.Duration {
	text := r.text(f.name, f.value)
	d, err := time.ParseDuration(text)
	if r.err == nil && (err != nil || d < low || d > high) {
		r.bad(f.value, f.name+" "+quoted(text)+" is no such time", "hours or minutes such as "+spelledTime(high)+" or 90m, at most "+spelledTime(high), quoted(text), fix)
	}
	return d
}

// lineage: a key is named by its lineage, never by a version, so that it can be
// replaced without touching every repository.
func (r *reader) lineage(f field) string {
	s := r.text("key", f.value)
	odd := func(c rune) bool { return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' }
	if r.err == nil && (strings.ContainsFunc(s, odd) || len(s) > 63) {
		r.bad(f.value, "key "+quoted(s)+" is no lineage", "1 to 63 of a-z, 0-9 and hyphen", quoted(s), "name a lineage of the server, without a version")
	}
	return s
}
