package store

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/countersign/countersign/gate"
)

// rules is a protection as it is kept: [gate.Fact] writes JSON and reads none.
type rules struct {
	Ref            string         `json:"ref"`
	Sources        []string       `json:"sources"`
	Reviews        fact[int]      `json:"reviews"`
	ForcePush      fact[bool]     `json:"force_push"`
	Deletion       fact[bool]     `json:"deletion"`
	AdminsEnforced fact[bool]     `json:"admins_enforced"`
	Push           fact[[]string] `json:"push"`
	Bypass         fact[[]string] `json:"bypass"`
	Rules          []string       `json:"rules"`
}

// fact is what [gate.Fact] writes.
type fact[T any] struct {
	Known   *T      `json:"known"`
	Absent  *string `json:"absent"`
	Unknown *string `json:"unknown"`
}

func (f fact[T]) fact() gate.Fact[T] {
	switch {
	case f.Known != nil:
		return gate.Known(*f.Known)
	case f.Absent != nil:
		return gate.Absent[T](*f.Absent)
	case f.Unknown != nil:
		return gate.Unknown[T](*f.Unknown)
	}
	return gate.Fact[T]{}
}

// readRules reads a kept protection, and holds it against what was kept: a field that is
// forgotten here must not be forgotten silently.
func readRules(doc string) (gate.Fact[gate.Protection], error) {
	var f fact[rules]
	if err := json.Unmarshal([]byte(doc), &f); err != nil {
		return gate.Fact[gate.Protection]{}, err
	}
	out := gate.Unknown[gate.Protection]("")
	switch {
	case f.Known != nil:
		r := *f.Known
		out = gate.Known(gate.Protection{
			Ref: r.Ref, Sources: r.Sources, Reviews: r.Reviews.fact(), ForcePush: r.ForcePush.fact(),
			Deletion: r.Deletion.fact(), AdminsEnforced: r.AdminsEnforced.fact(), Push: r.Push.fact(),
			Bypass: r.Bypass.fact(), Rules: r.Rules,
		})
	case f.Absent != nil:
		out = gate.Absent[gate.Protection](*f.Absent)
	}
	again, err := json.Marshal(out)
	if err != nil {
		return out, err
	}
	if string(again) != doc {
		return out, fmt.Errorf("expected a protection that reads back as %s, got %s", doc, again)
	}
	return out, nil
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
