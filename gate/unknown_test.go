package gate_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/gate"
)

// A variant is a value in which one fact, at path, is unknown.
type variant struct {
	path  string
	value reflect.Value
}

// unknowns are all variants of e. A fact within a fact, a list or a map counts, and so
// does a map's entry that is missing; fields that come later count by themselves.
func unknowns(e gate.Evidence) map[string]gate.Evidence {
	out := map[string]gate.Evidence{}
	for _, v := range variants(reflect.ValueOf(e), "") {
		out[v.path] = v.value.Interface().(gate.Evidence)
	}
	return out
}

func variants(v reflect.Value, path string) []variant {
	switch {
	case isFact(v.Type()):
		return factVariants(v, path)
	case v.Kind() == reflect.Struct:
		return structVariants(v, path)
	case v.Kind() == reflect.Slice:
		return sliceVariants(v, path)
	case v.Kind() == reflect.Map:
		return mapVariants(v, path)
	}
	return nil
}

func isFact(t reflect.Type) bool {
	return t.PkgPath() == reflect.TypeFor[gate.Evidence]().PkgPath() && strings.HasPrefix(t.Name(), "Fact[")
}

func factVariants(v reflect.Value, path string) []variant {
	out := []variant{{path, reflect.Zero(v.Type())}}
	got := v.MethodByName("Get").Call(nil)
	if !got[1].Bool() {
		return out
	}
	for _, inner := range variants(got[0], path) {
		fact := clone(v)
		writable(fact.FieldByName("value")).Set(inner.value)
		out = append(out, variant{inner.path, fact})
	}
	return out
}

func structVariants(v reflect.Value, path string) []variant {
	var out []variant
	for i := range v.NumField() {
		if !v.Type().Field(i).IsExported() {
			continue
		}
		for _, inner := range variants(v.Field(i), path+"."+v.Type().Field(i).Name) {
			s := clone(v)
			s.Field(i).Set(inner.value)
			out = append(out, variant{inner.path, s})
		}
	}
	return out
}

func sliceVariants(v reflect.Value, path string) []variant {
	var out []variant
	for i := range v.Len() {
		for _, inner := range variants(v.Index(i), fmt.Sprintf("%s[%d]", path, i)) {
			s := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
			reflect.Copy(s, v)
			s.Index(i).Set(inner.value)
			out = append(out, variant{inner.path, s})
		}
	}
	return out
}

func mapVariants(v reflect.Value, path string) []variant {
	var out []variant
	for _, key := range v.MapKeys() {
		at := fmt.Sprintf("%s[%v]", path, key)
		out = append(out, variant{at + " missing", mapWith(v, key, reflect.Value{})})
		for _, inner := range variants(v.MapIndex(key), at) {
			out = append(out, variant{inner.path, mapWith(v, key, inner.value)})
		}
	}
	return out
}

// mapWith is a copy of m with another element, or none.
func mapWith(m, key, elem reflect.Value) reflect.Value {
	out := reflect.MakeMap(m.Type())
	for _, k := range m.MapKeys() {
		out.SetMapIndex(k, m.MapIndex(k))
	}
	out.SetMapIndex(key, elem)
	return out
}

func clone(v reflect.Value) reflect.Value {
	c := reflect.New(v.Type()).Elem()
	c.Set(v)
	return c
}

// writable opens an unexported field of an addressable struct.
func writable(field reflect.Value) reflect.Value {
	return reflect.NewAt(field.Type(), field.Addr().UnsafePointer()).Elem()
}

// The walk must reach what the properties are about.
func TestUnknownsReachEveryFact(t *testing.T) {
	c := with(pr(1, "ana", reviewed("bo")), approve("bo"))
	paths := slices.Sorted(maps.Keys(unknowns(c.Evidence)))
	for _, want := range []string{
		".Repository", ".Ref", ".Ref.Tagger", ".Commit", ".Commit.People[0].Account", ".Branch", ".Branch.Protection",
		".Branch.Protection.ForcePush", ".TagProtection", ".Changes", ".Changes[0].Opener", ".Changes[0].Pushers",
		".Changes[0].Commits[0].People[1].Account", ".Changes[0].Reviews[0].Role", ".Changes[0].Paths",
		".Comments[{github:10 {1 false} 1}] missing", ".Roles[github:2]", ".Candidates",
	} {
		if !slices.Contains(paths, want) {
			t.Errorf("%s is not among %v", want, paths)
		}
	}
}
