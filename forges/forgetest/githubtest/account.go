package githubtest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
)

const (
	ghostID    = int64(10137)    // github.com/ghost
	webFlowID  = int64(19864447) // github.com/web-flow
	actionsID  = int64(41898282) // github-actions[bot]
	webFlow    = "web-flow"
	webEmail   = "noreply@github.com"
	noReply    = "users.noreply.github.com"
	actionsApp = int64(15368) // the GitHub Actions App
)

// account is a user, a bot or an organisation (`components.schemas.simple-user`).
type account struct {
	id      int64
	login   string
	kind    string // User, Bot, Organization
	emails  []string
	deleted bool
	created time.Time
	// suspended is when an administrator of GitHub Enterprise Server suspended the account.
	suspended time.Time
}

func (s *Server) addFixedAccounts() {
	for _, a := range []account{
		{id: ghostID, login: "ghost", kind: "User"},
		{id: webFlowID, login: webFlow, kind: "User", emails: []string{webEmail}},
		{id: actionsID, login: "github-actions[bot]", kind: "Bot"},
		{id: 1_000_000, login: "countersign-makers", kind: "Organization"},
		{id: 999_999, login: appSlug + "[bot]", kind: "Bot"},
	} {
		a.created = s.now()
		s.accounts[a.id] = &a
	}
}

// bot is the App's own account.
func (s *Server) bot() *account { return s.accounts[999_999] }

// GateAccount is the account under which the App comments and reacts.
func (s *Server) GateAccount() forgetest.Person { return s.person(s.bot()) }

// ActionsAccount is github-actions[bot], the account behind GITHUB_TOKEN.
func (s *Server) ActionsAccount() forgetest.Person { return s.person(s.accounts[actionsID]) }

// AddPerson makes a human account with login@example.org as its verified e-mail.
func (s *Server) AddPerson(login string) forgetest.Person { return s.addAccount(login, "User") }

// AddBot makes a bot account; GitHub ends their logins in "[bot]".
func (s *Server) AddBot(login string) forgetest.Person {
	if !strings.HasSuffix(login, "[bot]") {
		login += "[bot]"
	}
	return s.addAccount(login, "Bot")
}

func (s *Server) addAccount(login, kind string) forgetest.Person {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.account(login) != nil {
		panic(fmt.Sprintf("add account %q: expected a login that is free", login))
	}
	return s.person(s.newAccount(login, kind))
}

func (s *Server) newAccount(login, kind string) *account {
	a := &account{id: s.next("account"), login: login, kind: kind, created: s.now()}
	if kind == "User" {
		a.emails = []string{strings.ToLower(login) + "@example.org"}
	}
	s.accounts[a.id] = a
	return a
}

// AddEmail gives an account one more verified e-mail.
func (s *Server) AddEmail(p forgetest.Person, email string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.who(p)
	a.emails = append(a.emails, email)
}

// RenamePerson changes a login; the old one is free for somebody else.
func (s *Server) RenamePerson(p forgetest.Person, login string) forgetest.Person {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.who(p)
	a.login = login
	return s.person(a)
}

// DeletePerson deletes an account: its login is free, what it wrote is the ghost's
// (docs, "Deleting your personal account"), its e-mails resolve to nobody.
func (s *Server) DeletePerson(p forgetest.Person) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.who(p)
	a.deleted, a.emails = true, nil
	for _, repo := range s.repositories {
		delete(repo.roles, a.id)
	}
}

// SuspendPerson suspends an account, as administrators of GitHub Enterprise Server can.
// It reads as suspended_at, which go-github's User has and the API description lacks.
func (s *Server) SuspendPerson(p forgetest.Person) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.who(p).suspended = s.now()
}

func (s *Server) person(a *account) forgetest.Person {
	p := forgetest.Person{ID: a.id, Login: a.login, Bot: a.kind == "Bot"}
	if len(a.emails) > 0 {
		p.Email = a.emails[0]
	} else {
		p.Email = fmt.Sprintf("%d+%s@%s", a.id, a.login, noReply)
	}
	return p
}

// who returns the account of a person who acts.
func (s *Server) who(p forgetest.Person) *account {
	a := s.accounts[p.ID]
	if a == nil {
		panic(fmt.Sprintf("act as %q (ID %d): expected an account of this forge", p.Login, p.ID))
	}
	return a
}

// account finds a live account by login, in any case of letters.
func (s *Server) account(login string) *account {
	for _, a := range s.accounts {
		if !a.deleted && strings.EqualFold(a.login, login) {
			return a
		}
	}
	return nil
}

// byEmail resolves an e-mail to its account as GitHub links commits: by verified
// e-mails, and by the no-reply addresses ID+LOGIN@users.noreply.github.com, where
// the number counts (docs, "Email addresses reference"; "Why are my commits linked
// to the wrong user?").
func (s *Server) byEmail(email string) *account {
	if local, found := strings.CutSuffix(strings.ToLower(email), "@"+noReply); found {
		var id int64
		if number, _, has := strings.Cut(local, "+"); has {
			if _, err := fmt.Sscan(number, &id); err != nil {
				return nil
			}
			if a := s.accounts[id]; a != nil && !a.deleted {
				return a
			}
			return nil
		}
		return s.account(local)
	}
	for _, a := range s.accounts {
		if slices.ContainsFunc(a.emails, func(e string) bool { return strings.EqualFold(e, email) }) {
			return a
		}
	}
	return nil
}

// nodeID is a GraphQL global ID; resolvers read the number back.
func nodeID(prefix string, id int64) string { return fmt.Sprintf("%s_kgDO%d", prefix, id) }

// globalID is a user's node_id, or a bot's.
func (a *account) globalID() string {
	if a.kind == "Bot" {
		return nodeID("BOT", a.id)
	}
	return nodeID("U", a.id)
}

// userJSON is `components.schemas.simple-user`. A deleted account is the ghost.
func (s *Server) userJSON(a *account) obj {
	if a.deleted {
		a = s.accounts[ghostID]
	}
	api := s.api("/users/%s", a.login)
	page := s.web("/%s", strings.TrimSuffix(a.login, "[bot]"))
	if a.kind == "Bot" {
		page = s.web("/apps/%s", strings.TrimSuffix(a.login, "[bot]"))
	}
	return obj{
		"login": a.login, "id": a.id, "node_id": a.globalID(), "avatar_url": s.web("/avatars/u/%d", a.id),
		"gravatar_id": "", "url": api, "html_url": page,
		"followers_url": api + "/followers", "following_url": api + "/following{/other_user}",
		"gists_url": api + "/gists{/gist_id}", "starred_url": api + "/starred{/owner}{/repo}",
		"subscriptions_url": api + "/subscriptions", "organizations_url": api + "/orgs", "repos_url": api + "/repos",
		"events_url": api + "/events{/privacy}", "received_events_url": api + "/received_events",
		"type": a.kind, "user_view_type": "public", "site_admin": false,
	}
}

// userOrNull is userJSON for what a deleted account left behind (see Switches).
func (s *Server) userOrNull(a *account) any {
	if a == nil || (a.deleted && s.opts.Switches.DeletedUserIsNull) {
		return nil
	}
	return s.userJSON(a)
}

func getUser(c *call) reply { return publicUser(c, c.account(c.params["username"])) }

func getUserByID(c *call) reply { return publicUser(c, c.accounts[c.number("account_id")]) }

// publicUser is `components.schemas.public-user`; the e-mail is private.
func publicUser(c *call, a *account) reply {
	if a == nil || a.deleted {
		return notFound()
	}
	out := c.userJSON(a)
	for _, name := range []string{"name", "company", "blog", "location", "email", "hireable", "bio"} {
		out[name] = nil
	}
	for _, name := range []string{"public_repos", "public_gists", "followers", "following"} {
		out[name] = 0
	}
	out["created_at"], out["updated_at"] = stamp(a.created), stamp(a.created)
	if !a.suspended.IsZero() {
		out["suspended_at"] = stamp(a.suspended)
	}
	return ok(out)
}
