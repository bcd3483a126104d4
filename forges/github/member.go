package github

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/countersign/countersign/gate"
)

// permissionJSON is REST API's schema repository-collaborator-permission, in part.
type permissionJSON struct {
	Permission string    `json:"permission"`
	RoleName   string    `json:"role_name"`
	User       *userJSON `json:"user"`
}

// roleOf maps GitHub's words. `permission` is the legacy base role, in which maintain
// reads as write and triage as read; role_name names the role itself, and an
// organisation may invent names (attack 52): such a role counts as its base, and a
// name that contradicts its base is not believed.
func roleOf(permission, name string) gate.Role {
	base := map[string]gate.Role{"admin": gate.RoleAdmin, "write": gate.RoleWrite, "read": gate.RoleRead}[permission]
	if name == "maintain" && base == gate.RoleWrite {
		return gate.RoleMaintain
	}
	return base
}

// member reads an account's right in the repository by its number: the number gives
// the login of today, the login the right, and the right has to name the same
// number again (attacks 47 and 48). A login that this reading saw with the number will
// do where GitHub knows no suspended accounts. One account is read once per reading.
func (rd *reading) member(ctx context.Context, who gate.Account) gate.Fact[gate.Member] {
	rd.mu.Lock()
	read, has := rd.members[who.ID.ID]
	if !has {
		read = sync.OnceValue(func() gate.Fact[gate.Member] { return rd.readMember(ctx, who) })
		rd.members[who.ID.ID] = read
	}
	rd.mu.Unlock()
	return read()
}

// userOfToday is REST API's schema public-user, in part. Only GitHub Enterprise Server
// suspends accounts and leaves them in sight.
type userOfToday struct {
	userJSON
	SuspendedAt *time.Time `json:"suspended_at"`
}

func (rd *reading) readMember(ctx context.Context, who gate.Account) gate.Fact[gate.Member] {
	id := who.ID
	if id.Forge != rd.forge.cfg.Forge || id.ID <= 0 {
		return gate.Unknown[gate.Member](fmt.Sprintf("account %s is none of this forge", id))
	}
	listed, inList := rd.listed(id)
	if who.Login != "" { // whoever named the account also knew whether it is a person's
		listed.Account.Human = listed.Account.Human && who.Human
	}
	if inList && !rd.forge.enterprise() {
		return gate.Known(listed)
	}
	user := userOfToday{userJSON: userJSON{ID: id.ID, Login: who.Login}}
	if who.Login == "" || rd.forge.enterprise() {
		user = userOfToday{}
		err := rd.get(ctx, &user, nil, "user", strconv.FormatInt(id.ID, 10))
		switch {
		case isNotFound(err):
			return gate.Absent[gate.Member]("the account is gone")
		case err != nil:
			return gate.Unknown[gate.Member](why(err))
		case user.ID != id.ID:
			return gate.Unknown[gate.Member](fmt.Sprintf("GitHub answered for account %d", user.ID))
		}
	}
	if inList {
		account, _ := rd.forge.toAccount(&user.userJSON)
		return gate.Known(gate.Member{Account: account, Role: listed.Role, Active: user.SuspendedAt == nil})
	}
	var p permissionJSON
	err := rd.get(ctx, &p, nil, rd.at("collaborators", user.Login, "permission")...)
	switch {
	case isNotFound(err):
		return gate.Absent[gate.Member]("@" + user.Login + " is no collaborator")
	case err != nil:
		return gate.Unknown[gate.Member](why(err))
	case p.User == nil || p.User.ID != id.ID:
		return gate.Unknown[gate.Member]("the login @" + user.Login + " was given to another account meanwhile")
	}
	account, _ := rd.forge.toAccount(p.User)
	role := roleOf(p.Permission, p.RoleName)
	if role == gate.RoleNone {
		return gate.Absent[gate.Member]("@" + user.Login + " has no right in the repository")
	}
	return gate.Known(gate.Member{Account: account, Role: role, Active: user.SuspendedAt == nil})
}

// candidates lists everyone who may write. It names people to people; no decision
// rests on it.
func (rd *reading) candidates(ctx context.Context) gate.Fact[[]gate.Member] {
	if !rd.needs.Candidates {
		return gate.Unknown[[]gate.Member]("nobody asked who could approve")
	}
	if all, ok := rd.everyone(); ok {
		return gate.Known(rd.sorted(ctx, all))
	}
	type collaborator struct {
		userJSON
		RoleName    string          `json:"role_name"`
		Permissions map[string]bool `json:"permissions"`
	}
	q := url.Values{"permission": {"push"}}
	if len(rd.needs.Teams) > 0 {
		q = nil // a team's member may approve who only reads
	}
	all, err := list[collaborator](ctx, rd.caller, q, rd.at("collaborators")...)
	if err != nil {
		return gate.Unknown[[]gate.Member](why(err))
	}
	out := []gate.Member{}
	for _, c := range all {
		account, ok := rd.forge.toAccount(&c.userJSON)
		role := gate.RoleNone
		switch {
		case c.Permissions["admin"]:
			role = gate.RoleAdmin
		case c.Permissions["maintain"]:
			role = gate.RoleMaintain
		case c.Permissions["push"]:
			role = gate.RoleWrite
		case len(rd.needs.Teams) > 0 && (c.Permissions["pull"] || c.Permissions["triage"]):
			role = gate.RoleRead
		}
		if ok && role != gate.RoleNone {
			out = append(out, gate.Member{Account: account, Role: role, Active: true})
		}
	}
	return gate.Known(rd.sorted(ctx, out))
}

// sorted is the candidates by name, with their teams.
func (rd *reading) sorted(ctx context.Context, out []gate.Member) []gate.Member {
	if len(rd.needs.Teams) > 0 {
		rd.listTeams(ctx, out)
	}
	slices.SortFunc(out, func(a, b gate.Member) int { return cmp.Compare(a.Account.Login, b.Account.Login) })
	return out
}
