package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/web/frame"
)

// How much the inbox shows, and how far it looks for it.
const (
	inboxOpen   = 50
	inboxRecent = 20
	listBatch   = 100
	listRounds  = 5 // of listBatch: behind more that somebody may not see, they see nothing
)

// inboxBody is what the inbox shows.
type inboxBody struct {
	// Mine wait for the visitor; Others for somebody else. Both are open. On later pages
	// there are neither.
	Mine, Others []inboxRow
	Recent       []inboxRow
	// Repositories are those shown, to narrow the list to; Repository is the one chosen.
	Repositories []inboxFilter
	Repository   string
	// Older is the path of the page that goes on; "" at the end.
	Older string
	First bool
	// made is what the page was made of, for its events.
	made []gate.Record
}

type inboxFilter struct{ ID, Name string }

type inboxRow struct {
	api.Release

	In gate.RepositoryID
	// Forge names it where the server has several; else "".
	Forge string
	Dots  dots
}

// dots are the checks of a release, one mark each, with what they say together.
type dots struct {
	Marks   []tone
	Summary string
}

// dotsOf makes the marks of a release's checks.
func dotsOf(r api.Release) dots {
	if len(r.Checks) == 0 {
		return dots{}
	}
	out, good := dots{}, 0
	var open []string
	for _, c := range r.Checks {
		out.Marks = append(out.Marks, toneOfOutcome(c.Outcome))
		if c.Outcome == gate.Granted {
			good++
			continue
		}
		open = append(open, c.Title)
	}
	out.Summary = fmt.Sprintf("%d of %d checks passed", good, len(r.Checks))
	if len(open) > 0 {
		out.Summary += ". Not yet: " + strings.Join(open, "; ")
	}
	return out
}

// inboxPage shows what needs the visitor first, then what waits for others, then the past.
func (s *server) inboxPage(w http.ResponseWriter, r *http.Request) error {
	q, err := inboxQuery(r)
	if err != nil {
		return err
	}
	body, err := s.inbox(r.Context(), visitorOf(r.Context()), q)
	if err != nil {
		return err
	}
	live := ""
	if body.First {
		live = liveAt(narrowed(body.Repository), body.made...)
	}
	return s.render(w, r, http.StatusOK, "inbox", page{Title: "Inbox", Area: frame.Inbox, Live: live, Body: body})
}

func narrowed(repository string) url.Values {
	if repository == "" {
		return url.Values{}
	}
	return url.Values{"repository": {repository}}
}

// inboxQuery reads ?repository= and ?before=.
func inboxQuery(r *http.Request) (gate.ListQuery, error) {
	var q gate.ListQuery
	values := r.URL.Query()
	if raw := values.Get("repository"); raw != "" {
		id, err := gate.ParseRepositoryID(raw)
		if err != nil {
			return q, badParameter("repository", "forge:number, such as github:1296269", raw)
		}
		q.Repository = id
	}
	if raw := values.Get("before"); raw != "" {
		if !isRequestID(raw) {
			return q, badParameter("before", "the id of a request", raw)
		}
		q.Before = raw
	}
	return q, nil
}

func badParameter(name, expected, got string) error {
	return &gate.Error{
		Kind: gate.Invalid, Code: gate.CodeParameter, Text: name + " does not read",
		Expected: expected, Got: quoted(got), Fix: "start at the inbox again",
	}
}

// isRequestID reports whether s has the form of a request's id, a UUID.
func isRequestID(s string) bool {
	ok, err := regexp.MatchString(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`, s)
	return err == nil && ok
}

func (s *server) inbox(ctx context.Context, v visitor, q gate.ListQuery) (inboxBody, error) {
	body := inboxBody{First: q.Before == ""}
	if q.Repository.ID != 0 {
		body.Repository = q.Repository.String()
	}
	seen := map[string]string{}
	if body.First {
		recs, err := s.inboxSight(ctx, v, q)
		if err != nil {
			return inboxBody{}, err
		}
		body.made = recs
		for _, rec := range recs {
			row := s.inboxRow(rec, seen)
			if needs(rec, v) {
				body.Mine = append(body.Mine, row)
			} else {
				body.Others = append(body.Others, row)
			}
		}
	}
	past, more, err := s.visible(ctx, v, q, inboxRecent, func(rec gate.Record) bool { return !isOpen(rec.State) })
	if err != nil {
		return inboxBody{}, err
	}
	for _, rec := range past {
		body.Recent = append(body.Recent, s.inboxRow(rec, seen))
	}
	if more {
		next := narrowed(body.Repository)
		next.Set("before", past[len(past)-1].Request.ID)
		body.Older = "/?" + next.Encode()
	}
	for id, name := range seen {
		body.Repositories = append(body.Repositories, inboxFilter{id, name})
	}
	slices.SortFunc(body.Repositories, func(a, b inboxFilter) int { return strings.Compare(a.Name+a.ID, b.Name+b.ID) })
	return body, nil
}

// inboxSight is what of the inbox is live: the open requests that somebody may see. What
// leaves them, ended or signed, changes it too.
func (s *server) inboxSight(ctx context.Context, v visitor, q gate.ListQuery) ([]gate.Record, error) {
	q.Open = true
	recs, _, err := s.visible(ctx, v, q, inboxOpen, func(gate.Record) bool { return true })
	return recs, err
}

func (s *server) inboxRow(rec gate.Record, seen map[string]string) inboxRow {
	view, in := s.view(rec), rec.Request.Repository
	if _, known := seen[in.String()]; !known {
		seen[in.String()] = view.Repository
	}
	row := inboxRow{Release: view, In: in, Dots: dotsOf(view)}
	if len(s.Forges) > 1 {
		row.Forge = s.forgeLabel(in.Forge)
	}
	return row
}

// needs reports whether a release waits for this visitor's approval.
func needs(rec gate.Record, v visitor) bool {
	return rec.State == gate.StateWaiting && seatOf(rec, v).MayApprove
}

// decisionOf is the record's effective decision; the zero one where there is none, or none
// that reads.
func decisionOf(rec gate.Record) gate.Decision {
	var d gate.Decision
	if len(rec.Decision) == 0 || json.Unmarshal(rec.Decision, &d) != nil {
		return gate.Decision{}
	}
	return d
}

// visible lists at most want of the requests that somebody may see and keep takes, newest
// first, and whether there are more of them.
func (s *server) visible(
	ctx context.Context, v visitor, q gate.ListQuery, want int, keep func(gate.Record) bool,
) ([]gate.Record, bool, error) {
	var out []gate.Record
	q.Limit = listBatch
	for range listRounds {
		batch, err := s.Board.List(ctx, q)
		if err != nil {
			return nil, false, err
		}
		private := map[gate.RepositoryID]bool{}
		for _, rec := range batch {
			private[rec.Request.Repository] = private[rec.Request.Repository] || rec.Request.Private
		}
		may := s.mayReadAll(ctx, v, private)
		for _, rec := range batch {
			if (rec.Request.Private && !may[rec.Request.Repository]) || !keep(rec) {
				continue
			}
			if len(out) == want {
				return out, true, nil
			}
			out = append(out, rec)
		}
		if len(batch) < q.Limit {
			return out, false, nil
		}
		q.Before = batch[len(batch)-1].Request.ID
	}
	return out, false, nil
}

// left says how long it is until then.
func (s *server) left(t time.Time) string {
	d := t.Sub(s.Now())
	switch {
	case d <= 0:
		return "over"
	case d < time.Hour:
		return fmt.Sprintf("%d min left", int(d.Minutes())+1)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h left", int(d.Hours()))
	}
	return fmt.Sprintf("%d days left", int(d.Hours())/24)
}

// ago says how long it was since then.
func (s *server) ago(t time.Time) string {
	d := s.Now().Sub(t)
	switch {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return frame.Count(int(d.Minutes()), "minute") + " ago"
	case d < 48*time.Hour:
		return frame.Count(int(d.Hours()), "hour") + " ago"
	}
	return frame.Count(int(d.Hours())/24, "day") + " ago"
}
