package gate

import (
	"fmt"
	"strconv"
	"strings"
)

// ForgeID is the name by which the configuration knows one GitHub or GitLab
// instance. It is part of every stored identity and never renamed.
type ForgeID string

// ForgeKind is the product a forge runs.
type ForgeKind string

// The two products.
const (
	GitHub ForgeKind = "github"
	GitLab ForgeKind = "gitlab"
)

// AccountID identifies an account. Names are recycled, numbers are not: equality
// of people is always equality of AccountIDs.
type AccountID struct {
	Forge ForgeID
	ID    int64
}

// RepositoryID identifies a repository or project, by number for the same reason.
type RepositoryID struct {
	Forge ForgeID
	ID    int64
}

func (a AccountID) String() string    { return fmt.Sprintf("%s:%d", a.Forge, a.ID) }
func (r RepositoryID) String() string { return fmt.Sprintf("%s:%d", r.Forge, r.ID) }

// ParseRepositoryID reads the "forge:number" form of [RepositoryID.String].
func ParseRepositoryID(s string) (RepositoryID, error) {
	forge, number, ok := strings.Cut(s, ":")
	id, err := strconv.ParseInt(number, 10, 64)
	if !ok || forge == "" || err != nil || id <= 0 {
		return RepositoryID{}, fmt.Errorf("repository %q: expected forge:number, such as github:1296269", s)
	}
	return RepositoryID{Forge: ForgeID(forge), ID: id}, nil
}

// Account is an account as it was seen at the forge. Login is for display only.
type Account struct {
	ID    AccountID
	Login string
	// Human is true only where the forge says that a person owns the account:
	// GitHub's type "User", GitLab's bot=false.
	Human bool
}
