package gitlab

import (
	"context"
	"fmt"

	"github.com/countersign/countersign/gate"
)

// account is a user inside other answers (source: lib/api/entities/user_basic.rb):
// it does not say whether it is a bot.
type account struct {
	ID       int64  `json:"id"`
	Username string `json:"username"`
}

// user is a user of its own (API docs: users, get a single user).
type user struct {
	account
	State  string `json:"state"`
	Locked bool   `json:"locked"`
	Bot    *bool  `json:"bot"`
}

func (u user) active() bool { return u.State == "active" && !u.Locked }

func (s *session) readUser(ctx context.Context, id int64) (user, error) {
	return s.users.get(id, func() (user, error) {
		u, err := fetch[user](ctx, s, fmt.Sprintf("users/%d", id), nil)
		if err != nil {
			return user{}, fmt.Errorf("read user %d: %w", id, err)
		}
		if u.ID != id || u.Username == "" || u.State == "" {
			return user{}, fmt.Errorf("read user %d: answer is of %d: %w", id, u.ID, errUnexpected)
		}
		return u, nil
	})
}

// toAccount takes an account for a person's only where GitLab says that it is no bot.
func (s *session) toAccount(u user) gate.Account {
	return gate.Account{
		ID: gate.AccountID{Forge: s.forge, ID: u.ID}, Login: u.Username, Human: u.Bot != nil && !*u.Bot,
	}
}

func (s *session) readAccount(ctx context.Context, id int64) (gate.Account, error) {
	if id <= 0 {
		return gate.Account{}, fmt.Errorf("read user %d: %w", id, errUnexpected)
	}
	s.look.answered() // it may name the account
	if a, ok := s.crowd.get(id); ok {
		return a, nil
	}
	u, err := s.readUser(ctx, id)
	if err != nil {
		return gate.Account{}, err
	}
	return s.toAccount(u), nil
}

func (s *session) accountFact(ctx context.Context, id int64) gate.Fact[gate.Account] {
	a, err := s.readAccount(ctx, id)
	if err != nil {
		return unknown[gate.Account](err)
	}
	return gate.Known(a)
}

// presentSelf takes the gate's own account from GraphQL, which spares a look.
func (s *session) presentSelf(u *graphUser) {
	if u == nil {
		return
	}
	_, _ = s.known(*u)
	if id, err := gidOf("User", u.ID); err == nil {
		_, _ = s.self.get("", func() (account, error) { return account{ID: id, Username: u.Username}, nil })
	}
}

// readSelf is the gate's own account.
func (s *session) readSelf(ctx context.Context) (account, error) {
	a, err := s.self.get("", func() (account, error) { return fetch[account](ctx, s, "user", nil) })
	if err == nil && a.ID <= 0 {
		err = errUnexpected
	}
	if err != nil {
		s.self.forget("")
		return account{}, fmt.Errorf("read the gate's own account: %w", err)
	}
	return a, nil
}
