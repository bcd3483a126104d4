package policy

import (
	"encoding/json"
	"fmt"
)

// kind is what a value of the file is.
type kind string

const (
	aText    kind = "string"
	aNumber  kind = "integer"
	aBoolean kind = "boolean"
	aList    kind = "array"
	aGroup   kind = "object"
)

// shape describes one value of the file: the one source of its schema and of the
// manual's page. The reader has the last word; tests hold the two together.
type shape struct {
	name     string
	kind     kind
	doc      string
	def      string // the default, in words; "" where the field must stand or has none
	example  string
	required bool
	words    []string // the only values of a text
	pattern  string   // an ECMA-262 regular expression that a text matches
	low      int      // of a number, or of a list's or text's length
	high     int
	fields   []shape // of a group
	anyOf    []string
	item     *shape // of a list
}

// Schema is the JSON Schema (draft 7, which editors read) of the policy file. What it
// accepts may still be refused by [Parse], which knows more: the forge, the keys, the
// language of rules.
func Schema() []byte {
	top := fileShape().schema()
	top["$schema"] = "http://json-schema.org/draft-07/schema#"
	top["title"] = "Countersign policy file, version 1"
	b, err := json.MarshalIndent(top, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("schema of the policy file: %v", err)) // maps of texts and numbers always encode
	}
	return append(b, '\n')
}

func (s shape) schema() map[string]any {
	out := map[string]any{"type": string(s.kind)}
	if s.doc != "" {
		out["description"] = s.doc
	}
	if s.def != "" {
		out["description"] = s.doc + " Default: " + s.def + "."
	}
	switch s.kind {
	case aText:
		s.text(out)
	case aNumber:
		out["minimum"], out["maximum"] = s.low, s.high
	case aList:
		out["items"], out["minItems"] = s.item.schema(), 1
		if s.high > 0 {
			out["maxItems"] = s.high
		}
	case aGroup:
		s.group(out)
	case aBoolean:
	}
	return out
}

func (s shape) text(out map[string]any) {
	out["minLength"] = 1
	if len(s.words) > 0 {
		out["enum"] = s.words
	}
	if s.pattern != "" {
		out["pattern"] = s.pattern
	}
	if s.high > 0 {
		out["maxLength"] = s.high
	}
}

func (s shape) group(out map[string]any) {
	properties, required := map[string]any{}, []string{}
	for _, f := range s.fields {
		properties[f.name] = f.schema()
		if f.required {
			required = append(required, f.name)
		}
	}
	out["properties"], out["additionalProperties"], out["minProperties"] = properties, false, 1
	if len(required) > 0 {
		out["required"] = required
	}
	var oneAtLeast []map[string]any
	for _, name := range s.anyOf {
		oneAtLeast = append(oneAtLeast, map[string]any{"required": []string{name}})
	}
	if len(oneAtLeast) > 0 {
		out["anyOf"] = oneAtLeast
	}
}

// Field is one field of the file, for people.
type Field struct {
	Path     string // "releases[].branch.min_reviews"
	Type     string // "a text", "a list of texts", …
	Required bool
	Default  string // in words; "" where there is none
	Values   []string
	Doc      string
	Example  string // a line of YAML; "" where the doc says enough
}

// Fields are all fields of the file, in the order in which they are explained.
func Fields() []Field { return fileShape().flatten("") }

func (s shape) flatten(at string) []Field {
	var out []Field
	for _, f := range s.fields {
		path := at + f.name
		out = append(out, Field{
			Path: path, Type: f.called(), Required: f.required, Default: f.def, Values: f.allowed(), Doc: f.doc, Example: f.example,
		})
		if f.kind == aList {
			out = append(out, f.item.flatten(path+"[].")...)
		} else {
			out = append(out, f.flatten(path+".")...)
		}
	}
	return out
}

func (s shape) allowed() []string {
	if s.item != nil {
		return s.item.words
	}
	return s.words
}

func (s shape) called() string {
	switch s.kind {
	case aText:
		return "a text"
	case aNumber:
		return span(s.low, s.high)
	case aBoolean:
		return "true or false"
	case aGroup:
		return "a group of fields"
	case aList:
	}
	most := ""
	if s.high > 0 {
		most = fmt.Sprintf(", at most %d", s.high)
	}
	if s.item.kind == aGroup {
		return "a list of groups of fields" + most
	}
	return "a list of texts" + most
}
