package gitlab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	lib "github.com/xanzy/go-gitlab"

	"github.com/countersign/countersign/forges"
	"github.com/countersign/countersign/gate"
)

// statusOf is the HTTP status behind an error; 0 where none came.
func statusOf(err error) int {
	if errors.Is(err, lib.ErrNotFound) {
		return http.StatusNotFound
	}
	var e *lib.ErrorResponse
	if errors.As(err, &e) && e.Response != nil {
		return e.Response.StatusCode
	}
	return 0
}

func isNotFound(err error) bool { return statusOf(err) == http.StatusNotFound }

// malformed reports whether the answer came whole but is not what it should be.
func malformed(err error) bool {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	var excess *forges.ExcessError
	return errors.As(err, &syntax) || errors.As(err, &kind) || errors.As(err, &excess) || errors.Is(err, errUnexpected)
}

// errUnexpected is an answer that contradicts itself or the API's description.
var errUnexpected = errors.New("unexpected answer")

// why puts an error into words for a maintainer. It repeats nothing that GitLab
// said: that could be another project's.
func why(err error) string {
	status := statusOf(err)
	var limit *forges.LimitError
	var excess *forges.ExcessError
	var classified *gate.Error
	switch {
	case errors.As(err, &limit) && errors.As(err, &classified):
		return classified.Text // ours: no call was made
	case errors.As(err, &excess):
		return excess.Error()
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), timedOut(err):
		return "GitLab did not answer in time"
	case errors.Is(err, errNoBaseline):
		return errNoBaseline.Error()
	case errors.Is(err, errPartial), errors.Is(err, io.ErrUnexpectedEOF):
		return "GitLab's answer is not complete"
	case status == http.StatusNotFound:
		return "GitLab does not show it to the gate's account"
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return fmt.Sprintf("GitLab refuses it to the gate's account (%d)", status)
	case status == http.StatusTooManyRequests:
		return "GitLab limits the gate's requests for now"
	case status != 0:
		return fmt.Sprintf("GitLab answered %d", status)
	case malformed(err):
		return "GitLab's answer is not what its API describes"
	}
	return "GitLab could not be reached"
}

// failure is err as the other rooms see it.
func failure(what string, err error) error {
	status := statusOf(err)
	switch {
	case malformed(err):
		status = http.StatusOK
	case errors.Is(err, errPartial), status == http.StatusConflict: // 409: another write is under way
		status = http.StatusServiceUnavailable
	}
	e := forges.Classify(what, status, err)
	if e.Kind == gate.Refused {
		e.Fix = "the operator checks that the gate's access token is valid and its account is Maintainer of the project"
	}
	return e
}

func unknown[T any](err error) gate.Fact[T] { return gate.Unknown[T](why(err)) }
