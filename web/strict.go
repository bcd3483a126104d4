package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// decodeStrict decodes one JSON object into v and refuses what encoding/json lets
// pass in silence: unknown members, members given twice (it keeps the last, other
// readers the first), member names in another case, strings that are not Unicode, and
// anything after the object. Errors are phrases for people and hold at most
// a line of the input.
func decodeStrict(doc []byte, v any) error {
	if first := bytes.TrimLeft(doc, " \t\r\n"); len(first) == 0 || first[0] != '{' {
		return errors.New("no JSON object")
	}
	d := json.NewDecoder(bytes.NewReader(doc))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return inWords(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more after the object")
	}
	return checkTokens(doc)
}

func inWords(err error) error {
	var mistyped *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &mistyped):
		return fmt.Errorf("a JSON %s as %q", mistyped.Value, mistyped.Field)
	case errors.As(err, &syntax):
		return fmt.Errorf("no JSON at byte %d", syntax.Offset)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("an object that breaks off")
	}
	// What is left is "unknown field", already quoted by the package.
	text := strings.TrimPrefix(err.Error(), "json: ")
	if len(text) > 120 {
		text = strings.ToValidUTF8(text[:120], "") + "…"
	}
	return errors.New(text)
}

// level is one object or array that is open; names are the members so far, nil in
// an array.
type level struct {
	names  []string
	isName bool // the next token is a member's name
	object bool
}

// checkTokens walks a document that decoded.
func checkTokens(doc []byte) error {
	if !utf8.Valid(doc) {
		return errors.New("a string that is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	var open []level
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return inWords(err)
		}
		// The decoder puts U+FFFD in place of half a surrogate pair.
		if s, ok := t.(string); ok && strings.ContainsRune(s, utf8.RuneError) {
			return errors.New("a string that is not Unicode, or holds U+FFFD")
		}
		switch {
		case t == json.Delim('}') || t == json.Delim(']'):
			open = open[:len(open)-1]
		case len(open) > 0 && open[len(open)-1].isName:
			if err := open[len(open)-1].name(t); err != nil {
				return err
			}
			continue
		case t == json.Delim('{') || t == json.Delim('['):
			object := t == json.Delim('{')
			open = append(open, level{object: object, isName: object})
			continue
		}
		if len(open) > 0 { // a value ended: what follows in an object is a name
			open[len(open)-1].isName = open[len(open)-1].object
		}
	}
}

// name takes a member's name. All known ones are lower-case: of the others, those that
// decoded did so only because encoding/json ignores case.
func (l *level) name(t json.Token) error {
	name, _ := t.(string)
	switch {
	case name != strings.ToLower(name) || strings.ContainsFunc(name, func(r rune) bool { return r >= utf8.RuneSelf }):
		return fmt.Errorf("unknown field %s", quoted(name))
	case slices.Contains(l.names, name):
		return fmt.Errorf("field %s twice", quoted(name))
	}
	l.names = append(l.names, name)
	l.isName = false
	return nil
}
