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

// MarshalText is the "forge:number" form, which JSON uses too.
func (a AccountID) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// MarshalText is the "forge:number" form, which JSON uses too.
func (r RepositoryID) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads the "forge:number" form, and that of the zero AccountID.
func (a *AccountID) UnmarshalText(b []byte) error {
	var r RepositoryID
	if err := r.UnmarshalText(b); err != nil {
		return err
	}
	*a = AccountID(r)
	return nil
}

// UnmarshalText reads the "forge:number" form, and that of the zero RepositoryID.
func (r *RepositoryID) UnmarshalText(b []byte) error {
	if string(b) == (RepositoryID{}).String() {
		*r = RepositoryID{}
		return nil
	}
	id, err := ParseRepositoryID(string(b))
	*r = id
	return err
}

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
	ID    AccountID `json:"id"`
	Login string    `json:"login"`
	// Human is true only where the forge says that a person owns the account:
	// GitHub's type "User", GitLab's bot=false.
	Human bool `json:"human"`
}
