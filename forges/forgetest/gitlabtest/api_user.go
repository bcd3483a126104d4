package gitlabtest

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// version4 answers /version (API docs: version).
func version4(c *call) (any, error) {
	return obj{"version": c.opts.Version, "revision": "6a3f3a9c1b2"}, nil
}

// metadata answers /metadata (API docs: metadata).
func metadata(c *call) (any, error) {
	return obj{
		"version": c.opts.Version, "revision": "6a3f3a9c1b2", "enterprise": c.opts.Premium,
		"kas": obj{"enabled": false, "externalUrl": nil, "externalK8sProxyUrl": nil, "version": nil},
	}, nil
}

// basicUser is a user inside other answers (source: lib/api/entities/user_basic.rb).
func (s *Server) basicUser(a *account) any {
	if a == nil {
		return nil
	}
	return obj{
		"id": a.id, "username": a.login, "public_email": orNil(a.publicEmail), "name": a.name, "state": a.state,
		"locked": a.locked, "avatar_url": s.avatar(a), "web_url": s.base + "/" + a.login,
	}
}

func (s *Server) avatar(a *account) string {
	return "https://www.gravatar.com/avatar/" + strconv.FormatInt(a.id, 16) + "?s=80&d=identicon"
}

func orNil(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// fullUser is /users/:id as a non-administrator sees it: no e-mail but a public
// one (source: lib/api/entities/user.rb; library data: testdata/get_user.json).
func (s *Server) fullUser(a *account) obj {
	u, _ := s.basicUser(a).(obj)
	for name, value := range map[string]any{
		"created_at": stamp(time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)), "bio": "", "location": "", "bot": a.bot,
		"organization": "", "job_title": "", "pronouns": nil, "website_url": "", "linkedin": "", "twitter": "",
		"discord": "", "github": "", "work_information": nil, "local_time": nil, "followers": 0, "following": 0,
		"is_followed": false,
	} {
		u[name] = value
	}
	return u
}

func showUser(c *call) (any, error) {
	id, err := c.number("user")
	if err != nil {
		return nil, err
	}
	a := c.accounts[id]
	if a == nil {
		return nil, notFound("User")
	}
	return c.fullUser(a), nil
}

// currentUser answers /user with the caller's own private fields (API docs: users,
// retrieve the current user).
func currentUser(c *call) (any, error) {
	u := c.fullUser(c.me)
	for name, value := range map[string]any{
		"email": c.me.email, "commit_email": c.me.email, "two_factor_enabled": true, "external": false,
		"private_profile": false, "can_create_group": false, "can_create_project": false, "identities": []obj{},
		"theme_id": 1, "color_scheme_id": 1, "projects_limit": 0, "confirmed_at": u["created_at"],
		"last_sign_in_at": nil, "current_sign_in_at": nil, "last_activity_on": nil,
	} {
		u[name] = value
	}
	return u, nil
}

// searchUsers finds by exact username, or by part of name or username, or by an
// exact public e-mail. Private addresses are found by administrators alone, and
// the gate is none (API docs: users, list users).
func searchUsers(c *call) (any, error) {
	var found []*account
	username, search := c.param("username"), c.param("search")
	for _, a := range c.accounts {
		switch {
		case username != "" && !strings.EqualFold(a.login, username):
		case search != "" && !a.found(search):
		default:
			found = append(found, a)
		}
	}
	slices.SortFunc(found, func(a, b *account) int { return int(b.id - a.id) })
	return list(found, func(a *account) obj { u, _ := c.basicUser(a).(obj); return u }), nil
}

func (a *account) found(search string) bool {
	if strings.Contains(search, "@") {
		return a.publicEmail != "" && strings.EqualFold(a.publicEmail, search)
	}
	search = strings.ToLower(search)
	return strings.Contains(strings.ToLower(a.login), search) || strings.Contains(strings.ToLower(a.name), search)
}

// showMemberRow is one member (source: lib/api/entities/member.rb; API docs: members).
func (s *Server) showMemberRow(m *member) obj {
	row, _ := s.basicUser(m.account).(obj)
	row["access_level"] = m.level
	row["created_at"] = stamp(m.created)
	row["expires_at"] = nil
	if !m.expires.IsZero() {
		row["expires_at"] = m.expires.Format(time.DateOnly)
	}
	row["membership_state"] = m.state
	row["created_by"] = nil
	if s.opts.Premium {
		row["member_role"] = nil
	}
	return row
}

func listMembers(c *call) (any, error) {
	var found []*member
	for _, m := range c.p.sortedMembers() {
		if query := c.param("query"); query == "" || m.account.found(query) {
			found = append(found, m)
		}
	}
	return list(found, c.showMemberRow), nil
}

func showMember(c *call) (any, error) {
	id, err := c.number("user")
	if err != nil {
		return nil, err
	}
	m := c.p.members[id]
	if m == nil {
		return nil, notFound("")
	}
	return c.showMemberRow(m), nil
}

// stamp is a time as Rails prints it in JSON; the zero time is null.
func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}
