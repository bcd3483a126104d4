package canonical

import (
	"cmp"
	"slices"

	"github.com/countersign/countersign/gate"
)

// ProtectionSnapshot is the canonical form of the rules in force: the same rules
// give the same bytes whatever order the forge listed them in. What could not be
// read stands there as {"unknown": why}; there are no times in it.
func ProtectionSnapshot(all []gate.Protection) ([]byte, error) {
	sorted := make([]gate.Protection, 0, len(all))
	for _, p := range all {
		p.Sources = inOrder(p.Sources)
		p.Rules = inOrder(p.Rules)
		p.Push = listInOrder(p.Push)
		p.Bypass = listInOrder(p.Bypass)
		sorted = append(sorted, p)
	}
	slices.SortStableFunc(sorted, func(a, b gate.Protection) int { return cmp.Compare(a.Ref, b.Ref) })
	return JSON(struct {
		V           int               `json:"v"`
		Protections []gate.Protection `json:"protections"`
	}{version, sorted})
}

// inOrder is a sorted copy, never nil: an empty list is [] whoever made it.
func inOrder(in []string) []string {
	out := append([]string{}, in...)
	slices.Sort(out)
	return out
}

func listInOrder(f gate.Fact[[]string]) gate.Fact[[]string] {
	if list, ok := f.Get(); ok {
		return gate.Known(inOrder(list))
	}
	return f
}
