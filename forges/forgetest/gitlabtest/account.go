package gitlabtest

import (
	"fmt"

	"github.com/countersign/countersign/forges/forgetest"
)

// account is one user row: people, bots and the gate itself.
type account struct {
	id          int64
	login       string
	name        string
	email       string
	publicEmail string // empty unless its owner shows it
	state       string // active, blocked, deactivated, banned
	bot         bool
	locked      bool
}

func (a *account) person() forgetest.Person {
	return forgetest.Person{ID: a.id, Login: a.login, Email: a.email, Bot: a.bot}
}

func (s *Server) newAccount(login string, bot bool) *account {
	for _, a := range s.accounts {
		if a.login == login {
			panic(fmt.Sprintf("add account %q: expected a new username, this one is taken", login))
		}
	}
	a := &account{
		id: s.id("user"), login: login, name: displayName(login), email: login + "@example.com",
		state: "active", bot: bot,
	}
	if bot {
		// source: the noreply address of a bot user, lib/gitlab/email/service
		a.email = login + "@noreply.example.com"
	}
	s.accounts[a.id] = a
	return a
}

func displayName(login string) string {
	if login[0] >= 'a' && login[0] <= 'z' {
		return string(login[0]-'a'+'A') + login[1:]
	}
	return login
}

// account finds who acts; a stranger is a mistake of the test.
func (s *Server) account(p forgetest.Person) *account {
	a := s.accounts[p.ID]
	if a == nil {
		panic(fmt.Sprintf("person %d %q: expected an account of this GitLab", p.ID, p.Login))
	}
	return a
}

// byEmail finds the account of a confirmed address, as Commit.author does
// (source: app/models/commit.rb lazy_author, User.by_any_email confirmed).
func (s *Server) byEmail(email string) *account {
	if email == "" {
		return nil
	}
	for _, a := range s.accounts {
		if a.email == email {
			return a
		}
	}
	return nil
}

// AddPerson makes a human account with a private e-mail that resolves to it.
func (s *Server) AddPerson(login string) forgetest.Person {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newAccount(login, false).person()
}

// AddBot makes an account whose `bot` is true.
func (s *Server) AddBot(login string) forgetest.Person {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newAccount(login, true).person()
}

// BotToken is the gate's own access token. It goes into PRIVATE-TOKEN or
// Authorization: Bearer (API docs: authentication).
func (s *Server) BotToken() string { return s.botToken }

// BotUser is the gate's own account: the bot of its access token.
func (s *Server) BotUser() forgetest.Person { return s.bot.person() }

// PersonalToken makes an access token of p's own.
func (s *Server) PersonalToken(p forgetest.Person) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newToken(s.account(p))
}

// RevokeToken makes a token stop working.
func (s *Server) RevokeToken(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tokens, token)
}

// SetState sets an account's state: "active", "blocked", "deactivated" or "banned".
func (s *Server) SetState(p forgetest.Person, state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.account(p).state = state
}

// SetLocked locks an account, as after too many failed sign-ins.
func (s *Server) SetLocked(p forgetest.Person, locked bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.account(p).locked = locked
}

// ShowEmail makes p's address public, or private again.
func (s *Server) ShowEmail(p forgetest.Person, public bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.account(p)
	a.publicEmail = ""
	if public {
		a.publicEmail = a.email
	}
}

// DeleteAccount removes p. What p wrote passes to the Ghost User
// (docs: delete a user, associated records).
func (s *Server) DeleteAccount(p forgetest.Person) {
	s.mu.Lock()
	defer s.mu.Unlock()
	gone := s.account(p)
	ghost := s.ghost()
	delete(s.accounts, gone.id)
	for token, t := range s.tokens {
		if t.account == gone {
			delete(s.tokens, token)
		}
	}
	for _, project := range s.projects {
		delete(project.members, gone.id)
		for _, t := range project.threads() {
			t.replaceAuthor(gone, ghost)
		}
	}
}

func (s *Server) ghost() *account {
	for _, a := range s.accounts {
		if a.login == "ghost" {
			return a
		}
	}
	g := s.newAccount("ghost", false)
	g.name = "Ghost User"
	return g
}
