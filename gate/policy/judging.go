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
)

// judging reads what protection and which approvals a release needs.
func (r *reader) judging(f map[string]field, s *gate.Stream) {
	if b, ok := f["branch"]; ok {
		sub := r.fields("branch", b.value, nil, "min_reviews", "force_push", "admins", "bypass")
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
		if b, ok := sub["bypass"]; ok {
			s.Bypass = gate.Rule(r.word("bypass", b.value, string(gate.Report), string(gate.Deny)))
		}
	}
	if x, ok := f["separation"]; ok {
		s.Separation = gate.Separation(r.word("separation", x.value, string(gate.EachChange), string(gate.Outsider)))
	}
	if x, ok := f["reviews_count"]; ok {
		s.ReviewsCount = r.boolean("reviews_count", x.value)
	}
	if x, ok := f["approvals"]; ok {
		s.Approvals = r.approvals(x)
	}
	if x, ok := f["rules"]; ok {
		s.Rules = r.rules(x)
	}
	if x, ok := f["window"]; ok {
		s.Window = r.window(x)
	}
}

func (r *reader) approvals(f field) []gate.ApprovalGroup {
	var out []gate.ApprovalGroup
	entries := r.list(f)
	if len(entries) > maxGroups {
		r.bad(f.value, "too many groups of approvals", fmt.Sprintf("at most %d", maxGroups), fmt.Sprint(len(entries)), "merge some")
	}
	for _, n := range entries {
		sub := r.fields("a group of approvals", n, nil, "from", "count")
		g := gate.ApprovalGroup{Count: 1}
		if from, ok := sub["from"]; ok {
			g.From = r.roles(from)
		} else {
			r.bad(n, "the group does not say from whom", "from: [write]", "nothing", "name the right that approvers need")
		}
		if count, ok := sub["count"]; ok {
			g.Count = r.number("count", count.value, 1, maxCount)
		}
		out = append(out, g)
	}
	return out
}

// roles: reading alone may never approve, or everybody could approve a public
// repository's releases.
func (r *reader) roles(f field) []gate.Role {
	named := map[string]gate.Role{"write": gate.RoleWrite, "maintain": gate.RoleMaintain, "admin": gate.RoleAdmin}
	var out []gate.Role
	for _, n := range r.list(f) {
		if isTeam(n) {
			r.bad(n, "approvals from a team are not supported by this version yet", "write, maintain or admin", "a team", "name a right in the repository")
			return nil
		}
		s := r.text("an approver", n)
		role, ok := named[s]
		if !ok {
			r.bad(n, "approvers "+quoted(s)+" are not known", "write, maintain or admin", quoted(s),
				"name a right in the repository; on GitLab write is Developer, maintain is Maintainer, admin is Owner")
			return nil
		}
		if slices.Contains(out, role) {
			r.bad(n, quoted(s)+" stands twice", "every right once", quoted(s), "keep one of them")
		}
		out = append(out, role)
	}
	return out
}

// isTeam recognises team:name, which the parser takes for a mapping inside brackets.
func isTeam(n ast.Node) bool {
	if m, ok := n.(*ast.MappingNode); ok && len(m.Values) == 1 {
		n = m.Values[0]
	}
	if v, ok := n.(*ast.MappingValueNode); ok {
		return v.Key.String() == "team"
	}
	s, ok := n.(*ast.StringNode)
	return ok && strings.HasPrefix(s.Value, "team:")
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
	text := r.text("expires", expires.value)
	d, err := time.ParseDuration(text)
	if r.err == nil && (err != nil || d < minExpires || d > maxExpires) {
		r.bad(expires.value, "expires "+quoted(text)+" is no such time", "hours or minutes such as 168h or 90m, at most 2160h", quoted(text), "seven days are 168h")
	}
	s.Expires = d
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
