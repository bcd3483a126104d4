package forges

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/countersign/countersign/gate"
)

// Classify turns what came of a call into the error that crosses rooms. Op names
// the operation and its object ("read pull request 12 of acme/app"). Status is
// the answer's, 0 where none came. It never returns nil.
//
//   - no answer, 429, 5xx: CodeForgeUnavailable, kind Unavailable;
//   - 401, 403: CodeForgeRefused, kind Refused;
//   - 404, 410: CodeForgeUnexpected, kind NotFound, for callers that know what it means;
//   - a success that does not decode, or a redirect: CodeForgeUnexpected, kind
//     Unavailable: a cut answer or a rename may be over when asked again;
//   - any other 4xx: CodeForgeUnexpected, kind Internal.
func Classify(op string, status int, err error) *gate.Error {
	var classified *gate.Error
	if errors.As(err, &classified) {
		return classified
	}
	e := &gate.Error{Text: op + ": ", Err: err}
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		e.Kind, e.Code = gate.Unavailable, gate.CodeForgeUnavailable
		e.Text += "the forge did not answer in time"
		e.Fix = "nothing to do: it is tried again"
	case status == 0:
		e.Kind, e.Code = gate.Unavailable, gate.CodeForgeUnavailable
		e.Text += "the forge did not answer"
		e.Fix = "nothing to do: it is tried again"
	case status == http.StatusTooManyRequests || status >= 500:
		e.Kind, e.Code = gate.Unavailable, gate.CodeForgeUnavailable
		e.Text += fmt.Sprintf("the forge answered %d", status)
		e.Fix = "nothing to do: it is tried again"
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		e.Kind, e.Code = gate.Refused, gate.CodeForgeRefused
		e.Text += fmt.Sprintf("the forge refused with %d", status)
		e.Fix = "an administrator checks the gate's credential and its permissions at the forge"
	case status == http.StatusNotFound || status == http.StatusGone:
		e.Kind, e.Code = gate.NotFound, gate.CodeForgeUnexpected
		e.Text += "the forge knows no such thing"
		e.Fix = "check that it still exists and that the gate is installed there"
	case status < 400:
		e.Kind, e.Code = gate.Unavailable, gate.CodeForgeUnexpected
		e.Text += "the forge answered what its description does not say"
		e.Fix = "it is tried again; if this stays, the operator finds the cause in the server's log"
	default:
		e.Kind, e.Code = gate.Internal, gate.CodeForgeUnexpected
		e.Text += fmt.Sprintf("the forge answered %d", status)
		e.Fix = "report it, with the line of the server's log"
	}
	return e
}
