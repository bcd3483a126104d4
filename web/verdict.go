package web

import (
	"context"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/attest"
	"github.com/countersign/countersign/gate/workload"
)

// Refusals gives what was signed about a denied request. Errors as those of the gate's
// Refusal.
type Refusals interface {
	Refusal(ctx context.Context, rec gate.Record) ([]attest.File, error)
}

// verdictOf answers the signed statement that the gate refused a release: to a job by its ID
// token, to anybody who may see the release's page without one.
func (s *server) verdictOf() http.HandlerFunc {
	job, person := s.api(s.verdictForJob), s.visited(s.api(s.verdictForVisitor))
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			person(w, r)
			return
		}
		job(w, r)
	}
}

func (s *server) verdictForJob(w http.ResponseWriter, r *http.Request) error {
	job, id, err := s.speaker(r)
	if err != nil {
		return err
	}
	rec, err := s.Releases.Show(r.Context(), job, id)
	if err != nil {
		return workload.Told(err, job, gate.Ask{}, s.Now())
	}
	return s.writeVerdict(w, r, rec)
}

func (s *server) verdictForVisitor(w http.ResponseWriter, r *http.Request) error {
	rec, err := s.readable(r.Context(), visitorOf(r.Context()), chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	return s.writeVerdict(w, r, rec)
}

func (s *server) writeVerdict(w http.ResponseWriter, r *http.Request, rec gate.Record) error {
	files, err := s.Refusals.Refusal(r.Context(), rec)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, api.Collected{Release: s.view(rec), Files: handedOut(files)})
}

// handedOut are files as the API gives them.
func handedOut(files []attest.File) []api.File {
	out := make([]api.File, 0, len(files))
	for _, f := range files {
		out = append(out, api.File{Name: f.Name, Content: f.Content})
	}
	return out
}
