package github_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// member is one field of a JSON object, as it stands there.
type member struct {
	name string
	raw  json.RawMessage
}

// members are the fields of an object in the order of their names; nil for what is none.
func members(raw json.RawMessage) []member {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return nil
	}
	var out []member
	for name, v := range fields {
		out = append(out, member{name, v})
	}
	slices.SortFunc(out, func(a, b member) int { return bytes.Compare([]byte(a.name), []byte(b.name)) })
	return out
}

// object writes fields, the one at i as value in place of its own; none where value is nil.
func object(fields []member, i int, value json.RawMessage) json.RawMessage {
	var b bytes.Buffer
	b.WriteByte('{')
	for j, f := range fields {
		raw := f.raw
		if j == i {
			raw = value
		}
		if raw == nil {
			continue
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%q:", f.name)
		b.Write(raw)
	}
	b.WriteByte('}')
	return b.Bytes()
}

// spoiled are what stands in place of a value: nothing, null, another type, and a number
// beyond all.
func spoiled(value json.RawMessage) []member {
	other := json.RawMessage(`"text"`)
	switch value[0] {
	case '"':
		other = json.RawMessage(`{"text":1}`)
	case '[':
		other = json.RawMessage(`{"0":[]}`)
	}
	return []member{
		{"removed", nil},
		{"null", json.RawMessage("null")},
		{"of another type", other},
		{"a huge number", json.RawMessage("123456789012345678901234567890e12")},
	}
}

// mutate calls take with every mutation of the first two levels of a payload, where first
// says that the path is new. All but the field in question is lean.
func mutate(body []byte, first func(path string) bool, take func(what string, body []byte)) {
	top := members(body)
	thin := slices.Clone(top)
	for i := range thin {
		thin[i].raw = lean(top[i].raw)
	}
	for i, field := range top {
		if first(field.name) {
			for _, bad := range spoiled(field.raw) {
				take(field.name+" "+bad.name, object(thin, i, bad.raw))
			}
		}
		inner := members(field.raw)
		within := slices.Clone(inner)
		for j := range within {
			within[j].raw = lean(inner[j].raw)
		}
		for j, sub := range inner {
			path := field.name + "." + sub.name
			if !first(path) {
				continue
			}
			for _, bad := range spoiled(sub.raw) {
				take(path+" "+bad.name, object(thin, i, object(within, j, bad.raw)))
			}
		}
	}
}

// lean leaves out the links of objects, which are most of a payload's bytes, and what
// lies three levels down.
func lean(raw json.RawMessage) json.RawMessage {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return raw
	}
	out, err := json.Marshal(leaner(v, 3))
	if err != nil {
		return raw
	}
	return out
}

func leaner(v any, levels int) any {
	switch v := v.(type) {
	case map[string]any:
		for name, field := range v {
			if link, is := field.(string); is && strings.HasPrefix(link, "http") || levels == 0 {
				delete(v, name)
				continue
			}
			v[name] = leaner(field, levels-1)
		}
	case []any:
		for i := range v {
			v[i] = leaner(v[i], levels-1)
		}
	}
	return v
}
