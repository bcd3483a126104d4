package gate

import (
	"encoding/json"
	"fmt"
)

// Fact is one thing read from a forge: known, known to be absent, or unknown. The
// zero Fact is unknown, and unknown never grants.
type Fact[T any] struct {
	state factState
	value T
	why   string
}

type factState int

const (
	unknown factState = iota
	absent
	known
)

// Known is a fact that was read in full.
func Known[T any](v T) Fact[T] { return Fact[T]{state: known, value: v} }

// Absent is the forge's own word that there is no such thing.
func Absent[T any](why string) Fact[T] { return Fact[T]{state: absent, why: why} }

// Unknown is what could not be read, with the reason in words for a maintainer.
func Unknown[T any](why string) Fact[T] { return Fact[T]{why: why} }

// Get returns the value of a known fact.
func (f Fact[T]) Get() (T, bool) { return f.value, f.state == known }

// IsKnown reports whether the value was read.
func (f Fact[T]) IsKnown() bool { return f.state == known }

// IsAbsent reports whether the forge said that there is none.
func (f Fact[T]) IsAbsent() bool { return f.state == absent }

// IsUnknown reports whether nothing is known.
func (f Fact[T]) IsUnknown() bool { return f.state == unknown }

// Why says why a fact is absent or unknown.
func (f Fact[T]) Why() string {
	if f.state == unknown && f.why == "" {
		return "it was not read"
	}
	return f.why
}

// MarshalJSON writes {"known": value}, {"absent": why} or {"unknown": why}.
func (f Fact[T]) MarshalJSON() ([]byte, error) {
	switch f.state {
	case known:
		return json.Marshal(map[string]T{"known": f.value})
	case absent:
		return json.Marshal(map[string]string{"absent": f.why})
	case unknown:
	}
	return json.Marshal(map[string]string{"unknown": f.Why()})
}

// UnmarshalJSON reads what MarshalJSON writes. Anything else is an error and leaves the fact
// unknown.
func (f *Fact[T]) UnmarshalJSON(b []byte) error {
	var read map[string]json.RawMessage
	*f = Fact[T]{}
	if err := json.Unmarshal(b, &read); err != nil {
		return err
	}
	if len(read) != 1 {
		return fmt.Errorf("fact of %d members: expected one of known, absent and unknown", len(read))
	}
	var out Fact[T]
	for word, raw := range read {
		state, into := unknown, any(&out.why)
		switch word {
		case "known":
			state, into = known, &out.value
		case "absent":
			state = absent
		case "unknown":
		default:
			return fmt.Errorf("fact %q: expected one of known, absent and unknown", word)
		}
		if err := json.Unmarshal(raw, into); err != nil {
			return fmt.Errorf("fact %s: %w", word, err)
		}
		out.state = state
	}
	*f = out
	return nil
}
