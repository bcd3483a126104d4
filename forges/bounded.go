package forges

import (
	"fmt"
	"io"
	"net/http"
)

// What one answer may hold. The largest that a forge's API describes (a hundred rows of a
// list, a GraphQL answer with all its connections full) is a fifth of it.
const (
	// MaxValues bounds the values of one answer: elements, members, and the lists and
	// objects around them.
	MaxValues = 200_000
	// MaxDepth bounds how deep lists and objects lie in each other.
	MaxDepth = 100
)

// ExcessError is an answer that holds more than a decoder should be given: decoded, 25
// million bytes of "[0,0,…]" take gigabytes.
type ExcessError struct {
	What string // "values", "levels"
	Most int
}

func (e *ExcessError) Error() string {
	return fmt.Sprintf("the forge's answer holds too much: expected at most %d %s", e.Most, e.What)
}

// scan counts what a JSON text holds, in constant memory, without judging whether it is
// well-formed: that is the decoder's part. Empty lists and objects count twice.
type scan struct {
	values, depth int
	quoted        bool // inside a string
	escaped       bool // after a backslash inside one
}

// take goes on with the next part of the text.
func (s *scan) take(part []byte) error {
	for _, c := range part {
		if s.quoted {
			switch {
			case s.escaped:
				s.escaped = false
			case c == '\\':
				s.escaped = true
			case c == '"':
				s.quoted = false
			}
			continue
		}
		switch c {
		case '"':
			s.quoted = true
		case ',':
			s.values++
		case '[', '{':
			s.values++
			s.depth++
		case ']', '}':
			s.depth--
		default:
			continue
		}
		if s.values >= MaxValues {
			return &ExcessError{What: "values", Most: MaxValues}
		}
		if s.depth > MaxDepth {
			return &ExcessError{What: "levels", Most: MaxDepth}
		}
	}
	return nil
}

// CheckJSON refuses, with an [ExcessError], a JSON text that holds more than [MaxValues]
// values or [MaxDepth] levels. It is asked before the text is decoded.
func CheckJSON(text []byte) error {
	var s scan
	return s.take(text)
}

// BoundJSON reads what CheckJSON accepts, and fails with its error where the text goes
// beyond: a decoder that reads a whole value first (encoding/json's does) then decodes
// nothing of it.
func BoundJSON(body io.ReadCloser) io.ReadCloser { return &countedBody{ReadCloser: body} }

type countedBody struct {
	io.ReadCloser
	scan   scan
	excess error // lasting
}

func (b *countedBody) Read(p []byte) (int, error) {
	if b.excess != nil {
		return 0, b.excess
	}
	n, err := b.ReadCloser.Read(p)
	if b.excess = b.scan.take(p[:n]); b.excess != nil {
		return 0, b.excess
	}
	return n, err //nolint:wrapcheck // a reader's io.EOF has to stay what it is
}

// BoundAnswers gives every answer of a client whose answers are all JSON to [BoundJSON],
// whoever decodes them. The client itself stays as it is.
func BoundAnswers(client *http.Client) *http.Client {
	out := *client
	next := client.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	out.Transport = countedAnswers{next}
	return &out
}

type countedAnswers struct{ next http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (t countedAnswers) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	if err != nil {
		return nil, err //nolint:wrapcheck // the client says what it was doing
	}
	resp.Body = BoundJSON(resp.Body)
	return resp, nil
}
