package web

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
)

// handler is an HTTP handler that may fail. Errors become problems in one place.
type handler func(http.ResponseWriter, *http.Request) error

// serve is the one adapter from errors to problem+json (RFC 9457).
func (s *server) serve(h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		err := h(w, r)
		if err == nil {
			return
		}
		if gate.KindOf(err) == gate.Internal {
			s.Log.ErrorContext(r.Context(), "request failed", "path", r.URL.Path, "error", err)
		} else {
			s.Log.InfoContext(r.Context(), "request refused", "path", r.URL.Path, "code", gate.CodeOf(err).String(), "error", err)
		}
		s.problem(w, err)
	}
}

// problem writes what may be shown of err. What nobody classified shows nothing but
// that it is ours.
func (s *server) problem(w http.ResponseWriter, err error) {
	p := &gate.Error{Code: gate.CodeInternal, Text: "something went wrong here", Fix: "try again; the operator finds it in the log"}
	var e *gate.Error
	if errors.As(err, &e) && e.Kind != gate.Internal {
		p = e
	}
	status := statusOf(p)
	switch status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="countersign"`)
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", strconv.Itoa(5))
	}
	body, merr := json.Marshal(api.Problem{
		Type: s.Server.JoinPath("errors", p.Code.String()).String(), Title: p.Text, Status: status,
		Code: p.Code.String(), Expected: p.Expected, Got: p.Got, Fix: p.Fix,
	})
	if merr != nil {
		http.Error(w, "CS-1901", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", api.MediaProblem)
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client is gone: nobody is left to tell
}

func statusOf(e *gate.Error) int {
	switch e.Kind {
	case gate.Invalid:
		if e.Code == gate.CodeBodyTooLarge || e.Code == gate.CodeDeliveryTooLarge {
			return http.StatusRequestEntityTooLarge
		}
		return http.StatusBadRequest
	case gate.Unidentified:
		return http.StatusUnauthorized
	case gate.Refused:
		return http.StatusForbidden
	case gate.NotFound:
		return http.StatusNotFound
	case gate.Conflict:
		return http.StatusConflict
	case gate.Unavailable:
		return http.StatusServiceUnavailable
	case gate.Internal:
	}
	return http.StatusInternalServerError
}

func writeJSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // as above
	return nil
}
