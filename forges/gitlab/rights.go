package gitlab

import (
	"context"

	"github.com/countersign/countersign/gate"
)

// Right reads from GitLab, now, what an account may do in a project, by their numbers:
// memberships of groups and of groups above them included, expired ones and those of
// accounts that are blocked not. Teams are not read. It is Absent where GitLab knows no
// membership, and Unknown where the project or the account cannot be read.
func (f *Forge) Right(ctx context.Context, r gate.RepositoryID, who gate.AccountID) gate.Fact[gate.Member] {
	if r.Forge != f.forge || who.Forge != f.forge || r.ID <= 0 || who.ID <= 0 {
		return gate.Unknown[gate.Member]("the account or the project is not of this GitLab")
	}
	got := f.session(r).readMember(ctx, who.ID)
	if m, ok := got.Get(); ok && !m.Active {
		m.Role = gate.RoleNone
		return gate.Known(m)
	}
	return got
}
