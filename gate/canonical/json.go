package canonical

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/gowebpki/jcs"
)

// version is the member "v" of the documents of this package.
const version = 1

// maxExact is the largest integer that every IEEE 754 double holds exactly; RFC
// 8785 numbers are doubles, so anything larger would be rounded in silence.
const maxExact = 1<<53 - 1

// JSON encodes v and returns its RFC 8785 form. It refuses what that form cannot
// carry unchanged: integers beyond 2^53-1 and strings that are not UTF-8.
func JSON(v any) ([]byte, error) {
	var plain bytes.Buffer
	enc := json.NewEncoder(&plain)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	if err := checkExact(plain.Bytes()); err != nil {
		return nil, fmt.Errorf("canonical JSON of %T: %w", v, err)
	}
	out, err := jcs.Transform(plain.Bytes())
	if err != nil {
		return nil, fmt.Errorf("canonical JSON of %T: %w", v, err)
	}
	return out, nil
}

func checkExact(doc []byte) error {
	// encoding/json writes the escape only in place of bytes that are not UTF-8; the
	// character itself passes as it is. An even run of backslashes before it is text.
	for rest := doc; ; {
		i := bytes.Index(rest, []byte(`\ufffd`))
		if i < 0 {
			break
		}
		before := len(rest[:i]) - len(bytes.TrimRight(rest[:i], `\`))
		if before%2 == 0 {
			return fmt.Errorf("a string is not UTF-8")
		}
		rest = rest[i+1:]
	}
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	for dec.More() {
		if err := checkValue(dec); err != nil {
			return err
		}
	}
	return nil
}

// checkValue walks one value's tokens.
func checkValue(dec *json.Decoder) error {
	for depth := 0; ; {
		t, err := dec.Token()
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case json.Delim:
			if t == '{' || t == '[' {
				depth++
			} else {
				depth--
			}
		case json.Number:
			if !exact(t) {
				return fmt.Errorf("number %s: expected an integer up to 2^53-1 or a short fraction", t)
			}
		}
		if depth == 0 {
			return nil
		}
	}
}

// exact reports whether a JSON number survives RFC 8785. Only integers can lose
// digits in our documents: Go prints floats in the shortest form that reads back.
func exact(n json.Number) bool {
	i, err := n.Int64()
	if err == nil {
		return i <= maxExact && i >= -maxExact
	}
	f, err := n.Float64()
	return err == nil && (f < maxExact && f > -maxExact)
}
