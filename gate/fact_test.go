package gate_test

import (
	"encoding/json"
	"testing"

	"github.com/countersign/countersign/gate"
)

// A fact that was stored reads back as what it was, and never as more.
func TestFactReadsBack(t *testing.T) {
	for name, f := range map[string]gate.Fact[[]string]{
		"known":       gate.Known([]string{"a"}),
		"known empty": gate.Known([]string{}),
		"absent":      gate.Absent[[]string]("404"),
		"unknown":     gate.Unknown[[]string]("500"),
	} {
		b, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		var got gate.Fact[[]string]
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatal(err)
		}
		_, known := got.Get()
		if _, was := f.Get(); known != was || got.IsAbsent() != f.IsAbsent() || got.Why() != f.Why() {
			t.Errorf("%s: expected %s back, got %+v", name, b, got)
		}
	}
	for _, bad := range []string{`{}`, `{"known":["a"],"absent":"x"}`, `{"knwon":["a"]}`, `{"known":7}`, `"known"`, `[]`, `{"unknown":1}`} {
		got := gate.Known([]string{"kept from before"})
		if err := json.Unmarshal([]byte(bad), &got); err == nil || !got.IsUnknown() {
			t.Errorf("%s: expected an error and an unknown fact, got %v and %+v", bad, err, got)
		}
	}
}
