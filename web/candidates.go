package web

import (
	"context"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/web/frame"
)

// Reach tells which repositories the gate's credential reaches at a forge.
type Reach interface {
	// Repositories lists them by name. Errors are *gate.Error.
	Repositories(ctx context.Context) ([]gate.RepositoryFacts, error)
}

const (
	reachWithin = 10 * time.Second // reading them, of all forges at once
	reachShown  = 500              // per forge
)

// candidatesBody is the list of the repositories to choose a first policy's from, so that
// nobody copies a number.
type candidatesBody struct{ Forges []candidates }

// candidates are those of one forge.
type candidates struct {
	Forge gate.ForgeID
	Rows  []candidate
	// Fault is why they cannot be listed; nil where they can.
	Fault *gate.Error
	More  bool
}

// candidate is a repository that the gate reaches.
type candidate struct {
	gate.RepositoryFacts

	Enrolled bool // a policy of it is in force
}

// candidatesPage lists what the gate reaches, to an administrator: each may be private.
func (s *server) candidatesPage(w http.ResponseWriter, r *http.Request) error {
	if err := s.mustAdministrator(visitorOf(r.Context())); err != nil {
		return err
	}
	all, err := s.Board.Enrolled(r.Context(), reachShown)
	if err != nil {
		return err
	}
	enrolled := map[gate.RepositoryID]bool{}
	for _, e := range all {
		enrolled[e.Adoption.Repository] = true
	}
	body := candidatesBody{Forges: make([]candidates, len(s.Forges))}
	ctx, cancel := context.WithTimeout(r.Context(), reachWithin)
	defer cancel()
	var group errgroup.Group
	for i, f := range s.Forges {
		group.Go(func() error {
			body.Forges[i] = s.candidatesOf(ctx, gate.ForgeID(f.Name), enrolled)
			return nil
		})
	}
	_ = group.Wait() // none fails: what cannot be listed says so
	return s.render(w, r, http.StatusOK, "candidates", page{Title: "Choose a repository", Area: frame.Repositories, Body: body})
}

func (s *server) candidatesOf(ctx context.Context, forge gate.ForgeID, enrolled map[gate.RepositoryID]bool) candidates {
	out := candidates{Forge: forge}
	port := s.Reaches[forge]
	if port == nil {
		return out
	}
	all, err := port.Repositories(ctx)
	if err != nil {
		out.Fault = shown(err)
		return out
	}
	if len(all) > reachShown {
		all, out.More = all[:reachShown], true
	}
	for _, r := range all {
		out.Rows = append(out.Rows, candidate{RepositoryFacts: r, Enrolled: enrolled[r.ID]})
	}
	return out
}
