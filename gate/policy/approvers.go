package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/countersign/countersign/gate"
)

const (
	teamPrefix  = "team:"
	teamSegment = "[A-Za-z0-9_][A-Za-z0-9_.-]*"
	fromPattern = "^(write|maintain|admin|" + teamPrefix + teamSegment + "(/" + teamSegment + ")*)$"
)

// approvals reads the groups of approvers.
func (r *reader) approvals(f field, where Origin) []gate.ApprovalGroup {
	var out []gate.ApprovalGroup
	entries := r.list(f)
	if len(entries) > maxGroups {
		r.bad(f.value, "too many groups of approvals", fmt.Sprintf("at most %d", maxGroups), fmt.Sprint(len(entries)), "merge some")
	}
	for _, n := range entries {
		sub := r.fields("a group of approvals", n, nil, "from", "count")
		g := gate.ApprovalGroup{Count: 1}
		if from, ok := sub["from"]; ok {
			r.approvers(from, where, &g)
		} else {
			r.bad(n, "the group does not say from whom", "from: [write]", "nothing", "name the right or the team that approvers need")
		}
		if count, ok := sub["count"]; ok {
			g.Count = r.number("count", count.value, 1, maxCount)
		}
		out = append(out, g)
	}
	return out
}

// approvers reads rights and teams. Reading alone may never approve, or everybody could
// approve a public repository's releases.
func (r *reader) approvers(f field, where Origin, g *gate.ApprovalGroup) {
	const expected = "write, maintain, admin or team:…"
	named := map[string]gate.Role{"write": gate.RoleWrite, "maintain": gate.RoleMaintain, "admin": gate.RoleAdmin}
	for _, n := range r.list(f) {
		s, joined := joinedTeam(n)
		switch {
		case !joined && member(n, "team") != nil:
			r.bad(n, "a team with a space after the colon", "team:security", "team: security", "write it without the space")
		case !joined:
			s = r.text("an approver", n)
		}
		if r.err != nil {
			return
		}
		if team, ok := strings.CutPrefix(s, teamPrefix); ok {
			r.team(n, team, where, g)
			continue
		}
		role, ok := named[s]
		if !ok {
			r.bad(n, "approvers "+quoted(s)+" are not known", expected, quoted(s),
				"name a right in the repository or a team; on GitLab write is Developer, maintain is Maintainer, admin is Owner")
			return
		}
		if slices.Contains(g.From, role) {
			r.bad(n, quoted(s)+" stands twice", "every right once", quoted(s), "keep one of them")
		}
		g.From = append(g.From, role)
	}
}

// team reads one team: on GitHub "team" of the owner's organisation or
// "organisation/team", on GitLab a group's full path.
func (r *reader) team(n ast.Node, team string, where Origin, g *gate.ApprovalGroup) {
	expected, fix := "team:security, or team:acme/security", "write the team's name as its page's address has it, in lower case"
	if where.Kind == gate.GitLab {
		expected, fix = "team:acme/security", "write the group's full path as its page's address has it"
	}
	switch {
	case !isTeamOf(where.Kind, team):
		r.bad(n, "team "+quoted(team)+" is no team's name", expected, quoted(team), fix)
	case where.OwnerIsUser && where.Kind == gate.GitHub:
		r.bad(n, "team "+quoted(team)+" cannot be: the repository belongs to a person's account, and those have no teams", "write, maintain or admin",
			teamPrefix+team, "name a right in the repository, or move it to an organisation")
	case slices.Contains(g.Teams, team):
		r.bad(n, "team "+quoted(team)+" stands twice", "every team once", quoted(team), "keep one of them")
	}
	g.Teams = append(g.Teams, team)
}

// isTeamOf reports whether a forge of the kind may have such a team. GitHub's own names of
// teams are in lower case, and stand alone or behind their organisation's.
func isTeamOf(kind gate.ForgeKind, team string) bool {
	if !regexp.MustCompile("^"+teamSegment+"(/"+teamSegment+")*$").MatchString(team) || len(team) > maxText {
		return false
	}
	slug := team[strings.LastIndex(team, "/")+1:]
	return kind != gate.GitHub || strings.Count(team, "/") <= 1 && slug == strings.ToLower(slug)
}

// joinedTeam reads team:security within brackets within braces, where the parser takes it for
// a mapping though YAML does not: only a space after the colon makes one.
func joinedTeam(n ast.Node) (string, bool) {
	if m, ok := n.(*ast.MappingNode); ok && len(m.Values) == 1 && m.Start.Value == ":" {
		n = m.Values[0]
	}
	v, ok := n.(*ast.MappingValueNode)
	if !ok || v.Key.String() != "team" {
		return "", false
	}
	colon, value := v.Start, v.Value.GetToken()
	if colon == nil || value == nil || value.Position.Line != colon.Position.Line || value.Position.Column != colon.Position.Column+1 {
		return "", false
	}
	return teamPrefix + strings.TrimSpace(value.Origin), true
}
