package release

import (
	"errors"
	"time"

	"github.com/countersign/countersign/gate"
)

// unjudged is the decision on a request whose case cannot even be put together. It
// waits, says why, and expires as every other does; it never grants.
func unjudged(c gate.Case, err error, at time.Time) gate.Decision {
	reason := "the server cannot judge it"
	var known *gate.Error
	if errors.As(err, &known) && known.Kind != gate.Internal {
		reason += ": " + known.Text
	}
	expiry, _ := gate.Decide(c, at).Check(gate.CheckTime)
	return gate.Decision{
		At: at, Request: c.Request.ID, PolicyDigest: c.Request.PolicyDigest,
		Outcome: min(gate.Waiting, expiry.Outcome),
		Checks: []gate.Check{
			{
				Name: gate.CheckPolicy, Outcome: gate.Waiting, Reason: reason,
				Fix: "the operator of the server finds the cause in its log (" + gate.CodeOf(err).String() +
					"); adopting a policy that this version reads lets releases be asked for anew",
			},
			expiry,
		},
	}
}

// nextUnjudged is the state in which such a decision leaves a record. Nothing was
// read, so nothing is void, even after a signing attempt that ended unknown.
func nextUnjudged(d gate.Decision) gate.State {
	if end := d.Ends(); end != "" {
		return end
	}
	return gate.StateWaiting
}
