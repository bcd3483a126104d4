package github

import (
	"strings"

	"github.com/countersign/countersign/gate"
)

// cut splits owner/name.
func cut(fullName string) (owner, name string, ok bool) {
	owner, name, ok = strings.Cut(fullName, "/")
	return owner, name, ok && owner != "" && name != "" && !strings.Contains(name, "/")
}

// isSHA reports whether s is a full object name: nothing else goes where GitHub would
// resolve names (attack 21).
func isSHA(s string) bool {
	if len(s) != 40 && len(s) != 64 {
		return false
	}
	return strings.Trim(s, "0123456789abcdef") == ""
}

// userJSON is REST API's schema simple-user, in part.
type userJSON struct {
	ID    int64  `json:"id"`
	Login string `json:"login"`
	Type  string `json:"type"`
}

// toAccount takes an account only with its number.
func (f *Forge) toAccount(u *userJSON) (gate.Account, bool) {
	if u == nil || u.ID <= 0 {
		return gate.Account{}, false
	}
	return gate.Account{ID: f.account(u.ID), Login: u.Login, Human: u.Type == "User" && !machine(u.Login)}, true
}

// machine reports whether a login is no person's, although GitHub may call its account a
// user: a bot's, GitHub's own for what it commits on the web, and the one that stands for
// deleted accounts. GitHub lets nobody register brackets.
func machine(login string) bool {
	return strings.HasSuffix(login, "[bot]") || login == "web-flow" || isGhost(login)
}

func isGhost(login string) bool { return login == "ghost" }
