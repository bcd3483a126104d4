package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/countersign/countersign/gate"
)

// handler is an HTTP handler that may fail. Errors become problems in one place.
type handler func(http.ResponseWriter, *http.Request) error

// statusGone is logged where the client left before there was an answer for it.
const statusGone = 499

// api serves machines: every error is a problem document.
func (s *server) api(h handler) http.HandlerFunc { return s.serve(h, s.problem) }

// page serves people, whom it knows by their session: an error is a page to whoever reads
// HTML.
func (s *server) page(h handler) http.HandlerFunc {
	return s.visited(s.serve(h, s.refusePage))
}

// refusePage answers an error in the form that its reader asks for.
func (s *server) refusePage(w http.ResponseWriter, r *http.Request, err error) {
	w.Header().Add("Vary", "Accept")
	if acceptsHTML(r) {
		s.problemPage(w, r, err)
		return
	}
	s.problem(w, r, err)
}

// serve is the one adapter of handlers: it answers their errors and panics with
// refuse and logs one line per request, without query and headers.
func (s *server) serve(h handler, refuse func(http.ResponseWriter, *http.Request, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		began := s.Now()
		out := &response{ResponseWriter: w}
		err := guarded(h, out, r)
		if err != nil && out.status == 0 {
			// Even to a client that seems gone: left to itself, net/http would answer 200.
			refuse(out, r, err)
		}
		status := out.status
		if r.Context().Err() != nil && errors.Is(err, context.Canceled) {
			status = statusGone
		}
		s.logged(r, status, s.Now().Sub(began), err)
	}
}

// guarded turns a panic into an error, with the stack for the log.
func guarded(h handler, w http.ResponseWriter, r *http.Request) (err error) {
	defer func() {
		v := recover()
		if v == http.ErrAbortHandler { //nolint:errorlint // the very value, as net/http compares it
			panic(v)
		}
		if v != nil {
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	return h(w, r)
}

func (s *server) logged(r *http.Request, status int, took time.Duration, err error) {
	level := slog.LevelInfo
	attrs := []slog.Attr{
		slog.String("method", r.Method), slog.String("route", chi.RouteContext(r.Context()).RoutePattern()),
		slog.String("path", r.URL.Path), slog.Int("status", status), slog.Int64("duration_ms", took.Milliseconds()),
	}
	if err != nil {
		attrs = append(attrs, slog.String("code", gate.CodeOf(err).String()), slog.Any("error", err))
		switch {
		case status == statusGone:
		case gate.KindOf(err) == gate.Internal:
			level = slog.LevelError
		case gate.KindOf(err) == gate.Unavailable:
			level = slog.LevelWarn
		}
	}
	s.Log.LogAttrs(r.Context(), level, "request served", attrs...)
}

// response remembers what was answered.
type response struct {
	http.ResponseWriter

	status int // 0 before the header is written
}

func (w *response) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *response) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// shown is the error as its reader sees it. What nobody classified shows nothing
// but that it is ours.
func shown(err error) *gate.Error {
	var e *gate.Error
	if errors.As(err, &e) && e.Kind != gate.Internal {
		return e
	}
	return &gate.Error{Code: gate.CodeInternal, Text: "something went wrong here", Fix: "try again; the operator finds it in the log"}
}
