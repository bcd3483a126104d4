package web

import (
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/canonical"
	"github.com/countersign/countersign/gate/workload"
)

const (
	maxWait = time.Minute
	// pollPeriod finds what another replica stored, of which nobody here is woken.
	pollPeriod = time.Second
)

// requestID takes a request's id off the path. Whatever has not an id's form is the
// id of nothing, and is not looked for.
func requestID(r *http.Request) (string, error) {
	id := chi.URLParam(r, "id")
	if !isRequestID(id) {
		return "", &gate.Error{
			Kind: gate.NotFound, Code: gate.CodeRequestUnknown, Text: "there is no such request",
			Expected: "the id of a request", Got: quoted(id), Fix: "take the id from the answer to the ask",
		}
	}
	return id, nil
}

// speaker verifies the ID token that was made for the request on the path.
func (s *server) speaker(r *http.Request) (gate.Workload, string, error) {
	id, err := requestID(r)
	if err != nil {
		return gate.Workload{}, "", err
	}
	raw, err := bearer(r)
	if err != nil {
		return gate.Workload{}, "", err
	}
	job, err := s.identify(r, raw, canonical.RequestAudience(s.Server.Host, id), gate.Ask{})
	return job, id, err
}

// show answers the state of a request, at once or when it changes: to a job by its ID token,
// to a browser by its session.
func (s *server) show() http.HandlerFunc {
	job, person := s.api(s.showJob), s.visited(s.api(s.showPerson))
	return func(w http.ResponseWriter, r *http.Request) {
		if _, err := r.Cookie(s.sessions.Cookie()); err == nil && r.Header.Get("Authorization") == "" {
			person(w, r)
			return
		}
		job(w, r)
	}
}

func (s *server) showJob(w http.ResponseWriter, r *http.Request) error {
	wait, err := waitOf(r)
	if err != nil {
		return err
	}
	job, id, err := s.speaker(r)
	if err != nil {
		return err
	}
	woken := s.Wake() // before reading: what changes after is not missed
	rec, err := s.Releases.Show(r.Context(), job, id)
	if err != nil {
		return workload.Told(err, job, gate.Ask{}, s.Now())
	}
	if rec, err = s.changed(r, rec, wait, woken); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, s.view(rec))
}

func (s *server) showPerson(w http.ResponseWriter, r *http.Request) error {
	v := visitorOf(r.Context())
	if err := mustSignIn(v); err != nil {
		return err
	}
	wait, err := waitOf(r)
	if err != nil {
		return err
	}
	woken := s.Wake() // before reading: what changes after is not missed
	rec, err := s.readable(r.Context(), v, chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	if rec, err = s.changed(r, rec, wait, woken); err != nil {
		return err
	}
	if !s.mayRead(r.Context(), v, rec.Request.Repository, rec.Request.Private) {
		return none()
	}
	return writeJSON(w, http.StatusOK, s.view(rec))
}

func waitOf(r *http.Request) (time.Duration, error) {
	text := r.URL.Query().Get("wait")
	if text == "" {
		return 0, nil
	}
	wait, err := time.ParseDuration(text)
	if err != nil || wait < 0 || wait > maxWait {
		return 0, &gate.Error{
			Kind: gate.Invalid, Code: gate.CodeParameter, Text: "wait is no duration that can be waited",
			Expected: "0s to 60s", Got: quoted(text), Fix: "ask with ?wait=30s, and again after the answer",
		}
	}
	return wait, nil
}

// changed waits until the record is no longer as it is, or settled, or time is up, or
// the client or the server goes: whoever still listens then learns the state as it was.
func (s *server) changed(r *http.Request, rec gate.Record, wait time.Duration, woken <-chan struct{}) (gate.Record, error) {
	if wait == 0 {
		return rec, nil
	}
	over := time.NewTimer(wait)
	defer over.Stop()
	look := time.NewTicker(pollPeriod)
	defer look.Stop()
	for now := rec; ; {
		if now.State == gate.StateSigned || now.State.Ended() || now.Version != rec.Version {
			return now, nil
		}
		select {
		case <-r.Context().Done():
			return now, nil
		case <-drained(r.Context()):
			return now, nil
		case <-over.C:
			return now, nil
		case <-woken:
		case <-look.C:
		}
		woken = s.Wake()
		next, err := s.Shelf.Request(r.Context(), rec.Request.ID)
		switch {
		case err == nil:
			now = next
		case r.Context().Err() == nil:
			return now, err
		}
	}
}

// collect hands a signed request's files out.
func (s *server) collect(w http.ResponseWriter, r *http.Request) error {
	job, id, err := s.speaker(r)
	if err != nil {
		return err
	}
	rec, files, err := s.Releases.Collect(r.Context(), job, id)
	if err != nil {
		return workload.Told(err, job, gate.Ask{}, s.Now())
	}
	return writeJSON(w, http.StatusOK, api.Collected{Release: s.view(rec), Files: handedOut(files)})
}

// view is the record as the API shows it: lists are lists, even empty ones.
func (s *server) view(rec gate.Record) api.Release {
	v := s.Releases.View(rec)
	v.Subjects = list(v.Subjects)
	v.Checks = list(v.Checks)
	v.Coverage = list(v.Coverage)
	v.Statements = list(v.Statements)
	v.CanApprove = list(v.CanApprove)
	v.CannotApprove = list(v.CannotApprove)
	return v
}

// list is l as JSON shows a list, never null.
func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}
