package release

import (
	"fmt"
	"slices"

	"github.com/countersign/countersign/gate"
)

// transitions is the life of a request. What is not in it is an error.
var transitions = map[gate.State][]gate.State{ //nolint:gochecknoglobals // a constant table; Go has no constant maps
	gate.StateWaiting: {gate.StateWaiting, gate.StateGranted, gate.StateDenied, gate.StateWithdrawn, gate.StateExpired, gate.StateVoid},
	gate.StateGranted: {gate.StateGranted, gate.StateWaiting, gate.StateSigning, gate.StateDenied, gate.StateWithdrawn, gate.StateExpired, gate.StateVoid},
	gate.StateSigning: {gate.StateSigned, gate.StateGranted, gate.StateFailed},
	gate.StateSigned:  {gate.StatePublished},
}

// Transition checks one step of a request's life. Errors: CodeTransition.
func Transition(from, to gate.State) error {
	if slices.Contains(transitions[from], to) {
		return nil
	}
	return &gate.Error{
		Kind: gate.Conflict, Code: gate.CodeTransition,
		Text:     fmt.Sprintf("a %s request cannot become %s", from, to),
		Expected: fmt.Sprint(transitions[from]), Got: string(to),
		Fix: "look at the request again: it moved meanwhile",
	}
}

// next is the state in which a decision leaves a record.
//
// A request whose signing attempt ended unknown may have a signature that nobody
// recorded: if the evidence, fully read, grants no longer, it is void and never
// signed again (the orphaned intent stays on record). What cannot be read waits.
func next(rec gate.Record, d gate.Decision) gate.State {
	if end := d.Ends(); end != "" {
		return end
	}
	if d.Outcome == gate.Granted {
		return gate.StateGranted
	}
	if rec.Orphans > 0 && !d.Unread() {
		return gate.StateVoid
	}
	return gate.StateWaiting
}
