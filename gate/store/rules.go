package store

import (
	"encoding/json"
	"slices"

	"github.com/countersign/countersign/gate"
)

// readRules reads a kept protection.
func readRules(doc string) (gate.Fact[gate.Protection], error) {
	var f gate.Fact[gate.Protection]
	err := json.Unmarshal([]byte(doc), &f)
	return f, err
}

// writeRules is how a protection is kept, lists in one order; bare is that without the
// wording of reasons, which is what tells one protection from another.
func writeRules(f gate.Fact[gate.Protection]) (doc, bare string, err error) {
	p, ok := f.Get()
	if !ok {
		doc, err = encoded(f)
		return doc, "absent", err
	}
	p.Sources, p.Rules = inOrder(p.Sources), inOrder(p.Rules)
	p.Push, p.Bypass = listInOrder(p.Push), listInOrder(p.Bypass)
	if doc, err = encoded(gate.Known(p)); err != nil {
		return "", "", err
	}
	p.Reviews, p.ForcePush, p.Deletion = wordless(p.Reviews), wordless(p.ForcePush), wordless(p.Deletion)
	p.AdminsEnforced, p.Push, p.Bypass = wordless(p.AdminsEnforced), wordless(p.Push), wordless(p.Bypass)
	bare, err = encoded(p)
	return doc, bare, err
}

func encoded(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}

// inOrder is a sorted copy, never nil: forges list as they like.
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

func wordless[T any](f gate.Fact[T]) gate.Fact[T] {
	switch {
	case f.IsKnown():
		return f
	case f.IsAbsent():
		return gate.Absent[T]("")
	}
	return gate.Unknown[T]("")
}
