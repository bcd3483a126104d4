package main_test

import (
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/gate"

	main "github.com/countersign/countersign/cmd/countersign"
)

func TestTerminal(t *testing.T) {
	w := newWorld(t)
	draw := func(env map[string]string) string {
		var out strings.Builder
		main.Drawn(&out, env, time.Time{}, w.at(gate.StateWaiting), w.at(gate.StateWaiting), w.at(gate.StateSigned))
		return out.String()
	}
	got := draw(nil)
	for _, want := range []string{
		"\x1b[33m  waiting  Every change seen by a second person", "\x1b[32m  passed   1 of 2 checks", "\r\x1b[Kwaiting, 1m30s left", "release v1.4.0 of acme/app: signed",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("terminal: expected %q in %q", want, got)
		}
	}
	if n := strings.Count(got, "release v1.4.0 of acme/app: waiting"); n != 1 {
		t.Errorf("what did not change was shown %d times", n)
	}
	if got := draw(map[string]string{"NO_COLOR": "1"}); strings.Contains(got, "\x1b[3") {
		t.Errorf("NO_COLOR: expected no colours in %q", got)
	}
}
