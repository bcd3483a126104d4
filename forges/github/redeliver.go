package github

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// maxRedelivered bounds how many deliveries one call asks for again.
const maxRedelivered = 100

// deliveryJSON is REST API's schema hook-delivery-item, in part.
type deliveryJSON struct {
	ID          int64     `json:"id"`
	GUID        string    `json:"guid"`
	DeliveredAt time.Time `json:"delivered_at"`
	StatusCode  int       `json:"status_code"` // 0 where no answer came
	Event       string    `json:"event"`
}

func (d deliveryJSON) arrived() bool { return d.StatusCode >= 200 && d.StatusCode <= 299 }

// lostDelivery is a delivery none of whose attempts arrived.
type lostDelivery struct {
	deliveryJSON // the newest attempt

	attempts int
	first    time.Time
}

// Redeliver asks GitHub for the App's failed deliveries since a time, each once per call
// and at most 100, and reports how many it will get (attack 60). A delivery that arrived
// in any attempt is not asked for. Those asked for least often come first, then the
// oldest, so that what can never arrive does not keep out what can. GitHub keeps
// deliveries for three days; one that it has dropped is passed over. Of more than 10,000
// deliveries the newest are looked at. Errors are *gate.Error; the count is then of
// those asked for before.
func (f *Forge) Redeliver(ctx context.Context, since time.Time) (int, error) {
	const op = "find lost deliveries"
	app, err := f.app()
	if err != nil {
		return 0, classify(op, err)
	}
	lost, err := app.lost(ctx, since)
	if err != nil {
		return 0, classify(op, err)
	}
	asked := 0
	for _, d := range lost[:min(len(lost), maxRedelivered)] {
		_, _, err := app.send(ctx, http.MethodPost, nil, nil, "app", "hook", "deliveries", strconv.FormatInt(d.ID, 10), "attempts")
		switch status := statusOf(err); {
		case err == nil, status == http.StatusAccepted: // go-github takes a 202 for an error
			asked++
		case status == http.StatusNotFound, status == http.StatusUnprocessableEntity:
		default:
			return asked, classify(fmt.Sprintf("ask for delivery %d again", d.ID), err)
		}
	}
	return asked, nil
}

// lost lists the deliveries since a time of which no attempt arrived. It reads all of
// them: GitHub's filter by outcome knows answers only, and what met nobody is not among
// its failures.
func (c *caller) lost(ctx context.Context, since time.Time) ([]lostDelivery, error) {
	found := map[string]*lostDelivery{}
	arrived := map[string]bool{}
	read := 0
	err := pages(ctx, c, nil, func(page []deliveryJSON) (bool, error) { // newest first
		for _, d := range page {
			if d.ID <= 0 || d.GUID == "" || d.DeliveredAt.IsZero() {
				return false, errors.New("GitHub lists a delivery without number, GUID or time")
			}
			if d.DeliveredAt.Before(since) {
				return false, nil
			}
			if d.arrived() {
				arrived[d.GUID] = true
				continue
			}
			if found[d.GUID] == nil {
				found[d.GUID] = &lostDelivery{deliveryJSON: d}
			}
			found[d.GUID].attempts++
			found[d.GUID].first = d.DeliveredAt
		}
		read++
		return read < maxPages, nil
	}, "app", "hook", "deliveries")
	if err != nil {
		return nil, err
	}
	var out []lostDelivery
	for guid, d := range found {
		if !arrived[guid] {
			out = append(out, *d)
		}
	}
	slices.SortFunc(out, func(a, b lostDelivery) int {
		return cmp.Or(a.attempts-b.attempts, a.first.Compare(b.first), cmp.Compare(a.ID, b.ID))
	})
	return out, nil
}
