package release

import (
	"slices"

	"github.com/countersign/countersign/gate"
)

// Binding lets repositories, or everything of their owners, use one key.
type Binding struct {
	Version      gate.KeyVersion
	Repositories []gate.RepositoryID
	Owners       []gate.AccountID
}

// Keyring is the server's word on who may use which key. What is bound to nobody
// may be used by nobody (attack 80).
type Keyring []Binding

// Key is the newest version of a lineage, and whether the repository may use it.
func (k Keyring) Key(lineage string, r gate.RepositoryID, owner gate.AccountID) gate.KeyFacts {
	var out gate.KeyFacts
	for _, b := range k {
		if b.Version.Lineage != lineage || b.Version.Version < out.Version.Version {
			continue
		}
		out = gate.KeyFacts{Version: b.Version, Bound: b.admits(r, owner)}
	}
	return out
}

// Lineages are the lineages that the repository may use, in the order configured.
func (k Keyring) Lineages(r gate.RepositoryID, owner gate.AccountID) []string {
	var out []string
	for _, b := range k {
		if b.admits(r, owner) && !slices.Contains(out, b.Version.Lineage) {
			out = append(out, b.Version.Lineage)
		}
	}
	return out
}

func (b Binding) admits(r gate.RepositoryID, owner gate.AccountID) bool {
	return slices.Contains(b.Repositories, r) || slices.Contains(b.Owners, owner)
}
