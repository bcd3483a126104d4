package github

import (
	"context"

	"github.com/countersign/countersign/gate"
)

// Right reads, now, what an account may do in a repository, both by number: a login or a
// name that was given to another counts for nothing. Absent where GitHub says that it is no
// collaborator, unknown where that could not be read, or the App is not there; RoleNone for
// an account that is suspended.
func (f *Forge) Right(ctx context.Context, r gate.RepositoryID, who gate.AccountID) gate.Fact[gate.Member] {
	repo, err := f.open(ctx, r, "")
	if err != nil {
		return gate.Unknown[gate.Member]("the repository could not be read: " + why(err))
	}
	rd := &reading{repository: repo}
	right := rd.readMember(ctx, gate.Account{ID: who})
	if m, ok := right.Get(); ok && !m.Active {
		m.Role = gate.RoleNone
		return gate.Known(m)
	}
	return right
}
