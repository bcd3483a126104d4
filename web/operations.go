package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/web/frame"
	"github.com/countersign/countersign/web/session"
)

// How much the operations page shows.
const (
	deliveriesShown = 25
	untoldShown     = 40
	signingsShown   = 100
)

// operationsBody is what the operations page shows.
type operationsBody struct {
	Queues []gate.Queued
	// Signings is how many signings Median and Slow (the 95th percentile) are of.
	Signings     int
	Median, Slow time.Duration
	Untold       []Untold
	Deliveries   []gate.Received
	// Open is true where only those are listed that are still to be worked on.
	Open  bool
	First bool
	// Older is the path of the page that goes on; "" at the end.
	Older string
	// Health is what the doctor found last; nil where it was not asked of late.
	Health *examination
}

// operationsPage shows administrators how the work goes.
func (s *server) operationsPage(w http.ResponseWriter, r *http.Request) error {
	if err := s.mustAdministrator(visitorOf(r.Context())); err != nil {
		return err
	}
	values := r.URL.Query()
	before := int64(0)
	if raw := values.Get("before"); raw != "" {
		n, err := strconv.ParseInt(raw, 10, 64)
		if err != nil || n < 1 {
			return badParameter("before", "the position of a delivery", raw)
		}
		before = n
	}
	body, err := s.operations(r.Context(), before, values.Get("open") == "1")
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "operations", page{Title: "Operations", Area: frame.Operations, Body: body})
}

func (s *server) operations(ctx context.Context, before int64, open bool) (operationsBody, error) {
	body := operationsBody{Open: open, First: before == 0, Health: s.examined.last(gate.RepositoryID{})}
	var err error
	if body.Deliveries, err = s.Workshop.Deliveries(ctx, before, open, deliveriesShown+1); err != nil {
		return body, err
	}
	if len(body.Deliveries) > deliveriesShown {
		body.Deliveries = body.Deliveries[:deliveriesShown]
		next := url.Values{"before": {strconv.FormatInt(body.Deliveries[deliveriesShown-1].Seq, 10)}}
		if open {
			next.Set("open", "1")
		}
		body.Older = "/operations?" + next.Encode() + "#deliveries"
	}
	if body.Queues, err = s.Workshop.Queues(ctx); err != nil {
		return body, err
	}
	if body.Untold, err = s.Outbox.Untold(ctx, untoldShown); err != nil {
		return body, err
	}
	micros, err := s.Workshop.SigningMicros(ctx, signingsShown)
	if err != nil {
		return body, err
	}
	body.Signings = len(micros)
	body.Median, body.Slow = quantile(micros, 50), quantile(micros, 95)
	return body, nil
}

// quantile is the smallest value that percent of all do not exceed (nearest rank).
func quantile(micros []int64, percent int) time.Duration {
	if len(micros) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(micros))
	rank := (len(sorted)*percent + 99) / 100
	return time.Duration(sorted[max(rank, 1)-1]) * time.Microsecond
}

// spent says a duration as people read it: 840 µs, 12 ms, 1.4 s.
func spent(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// workAgain has a delivery worked on again.
func (s *server) workAgain(w http.ResponseWriter, r *http.Request) error {
	if err := s.mustAdministrator(visitorOf(r.Context())); err != nil {
		return err
	}
	raw := chi.URLParam(r, "seq")
	seq, err := strconv.ParseInt(raw, 10, 64)
	if err != nil || seq < 1 {
		return badParameter("delivery", "the position of a delivery", raw)
	}
	if err := s.Workshop.WorkAgain(r.Context(), seq); err != nil {
		return err
	}
	return s.backToOperations(w, r, "The delivery is worked on again.")
}

// tellAgain has the forge told once more what it refused.
func (s *server) tellAgain(w http.ResponseWriter, r *http.Request) error {
	if err := s.mustAdministrator(visitorOf(r.Context())); err != nil {
		return err
	}
	id := chi.URLParam(r, "id")
	if !isRequestID(id) {
		return badParameter("post", "the id of a post", id)
	}
	if err := s.Outbox.TellAgain(r.Context(), id); err != nil {
		return err
	}
	return s.backToOperations(w, r, "The forge is told again.")
}

func (s *server) backToOperations(w http.ResponseWriter, r *http.Request, said string) error {
	s.sessions.Tell(r.Context(), session.Notice{Text: said})
	http.Redirect(w, r, "/operations", http.StatusSeeOther)
	return nil
}
