package gate_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"
)

// arbitrary puts any value into a few of c's fields, so that the rest still leads
// deep into the judgement. Matchers stay: a compiled policy has no nil among them.
func arbitrary(t *rapid.T, c release) release {
	out := reflect.New(reflect.TypeFor[release]()).Elem()
	out.Set(reflect.ValueOf(c))
	mess(t, out, rapid.IntRange(1, 40).Draw(t, "one in"))
	return out.Interface().(release)
}

// mess changes about one in n of v's leaves.
func mess(t *rapid.T, v reflect.Value, n int) {
	hit := func() bool { return rapid.IntRange(1, n).Draw(t, "hit") == n }
	switch v.Kind() {
	case reflect.Struct:
		messStruct(t, v, n)
	case reflect.Slice:
		if hit() {
			v.Set(reflect.MakeSlice(v.Type(), rapid.IntRange(0, 2).Draw(t, "length"), 2))
		} else {
			c := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
			reflect.Copy(c, v)
			v.Set(c)
		}
		for i := range v.Len() {
			if e := v.Index(i); e.Kind() != reflect.Interface || !e.IsNil() {
				mess(t, e, n)
			} else {
				e.Set(reflect.ValueOf(starting("v")))
			}
		}
	case reflect.Map:
		messMap(t, v, n)
	default:
		if hit() {
			messLeaf(t, v)
		}
	}
}

func messStruct(t *rapid.T, v reflect.Value, n int) {
	if v.Type() == reflect.TypeFor[time.Time]() {
		if rapid.IntRange(1, n).Draw(t, "hit") == n {
			at := rapid.SampledFrom([]time.Time{{}, now, now.Add(-24 * time.Hour), now.Add(24 * time.Hour), time.Unix(-1<<61, 0)})
			v.Set(reflect.ValueOf(at.Draw(t, "time")))
		}
		return
	}
	for i := range v.NumField() {
		f := v.Field(i)
		if !v.Type().Field(i).IsExported() {
			f = writable(f)
		}
		mess(t, f, n)
	}
}

func messMap(t *rapid.T, v reflect.Value, n int) {
	if v.IsNil() || v.Type().Elem().Kind() == reflect.Interface {
		return
	}
	out := reflect.MakeMap(v.Type())
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	for _, k := range keys {
		key, elem := clone(k), clone(v.MapIndex(k))
		mess(t, key, 10*n)
		mess(t, elem, n)
		out.SetMapIndex(key, elem)
	}
	v.Set(out)
}

func messLeaf(t *rapid.T, v reflect.Value) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	case reflect.Int, reflect.Int64:
		v.SetInt(rapid.SampledFrom([]int64{-1 << 63, -1, 0, 1, 2, 3, 5, 7, 77, 1<<63 - 1}).Draw(t, "int"))
	case reflect.Uint8:
		v.SetUint(uint64(rapid.Byte().Draw(t, "byte")))
	case reflect.String:
		words := []string{"", head, "main", "release", "refs/heads/main", "refs/tags/v1", "push", "github", "gitlab", "approve", "r1", "é\x00\xff"}
		v.SetString(rapid.SampledFrom(words).Draw(t, "text"))
	default:
	}
}
