package web

import (
	"context"
	"net/http"
	"net/url"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/web/frame"
)

// releaseBody is what a release's page shows.
type releaseBody struct {
	Release api.Release
	Forge   gate.ForgeID
	Seat    seat
	Dots    dots
	Steps   []step
	History []entry
	Origin  string
	// Ledger says that each line of the history has its page.
	Ledger bool
	// Unsealed is what the evidence of a signed release waits for; nil where it waits for nothing.
	Unsealed *gate.CodeInfo
}

// unsealed explains what keeps a seal away.
func unsealed(rec gate.Record) *gate.CodeInfo {
	for _, c := range gate.Codes() {
		if rec.Sealing && c.Code.String() == rec.Unsealed {
			return &c
		}
	}
	return nil
}

// none is how a release that is not there looks, or not for this visitor: the same, to the
// letter.
func none() error {
	return &gate.Error{
		Kind: gate.NotFound, Code: gate.CodeRequestUnknown, Text: "There is no such release to show",
		Fix: "Compare the address. Those of private repositories are shown only to who may read them at their forge.",
	}
}

// readable finds a request that somebody may see.
func (s *server) readable(ctx context.Context, v visitor, id string) (gate.Record, error) {
	if !isRequestID(id) {
		return gate.Record{}, none()
	}
	rec, err := s.Shelf.Request(ctx, id)
	switch {
	case gate.KindOf(err) == gate.NotFound,
		err == nil && !s.mayRead(ctx, v, rec.Request.Repository, rec.Request.Private):
		return gate.Record{}, none()
	case err != nil:
		return gate.Record{}, err
	}
	return rec, nil
}

// releasePage shows one request: what stands in its way first, and what the visitor can do.
func (s *server) releasePage(w http.ResponseWriter, r *http.Request) error {
	id, err := requestID(r)
	if err != nil {
		return none()
	}
	v := visitorOf(r.Context())
	rec, err := s.readable(r.Context(), v, id)
	if err != nil {
		return err
	}
	happened, err := s.Board.History(r.Context(), id)
	if err != nil {
		return err
	}
	view := s.view(rec)
	body := releaseBody{
		Release: view, Forge: rec.Request.Repository.Forge, Seat: s.seat(r.Context(), rec, v), Dots: dotsOf(view),
		Steps: stepsOf(view), History: entriesOf(happened), Origin: s.origin(), Ledger: s.Ledger != nil && s.Book != nil, Unsealed: unsealed(rec),
	}
	live := ""
	if isOpen(rec.State) || rec.State == gate.StateSigned {
		live = liveAt(url.Values{"release": {id}}, rec)
	}
	return s.render(w, r, http.StatusOK, "release", page{
		Title: view.Repository + " " + gate.ShortRef(view.Ref), Area: frame.Inbox, Live: live, Body: body,
	})
}

// seat is [seatOf] with the right that was read within the last minute.
func (s *server) seat(ctx context.Context, rec gate.Record, v visitor) seat {
	out := seatOf(rec, v)
	if !out.SignedIn || !isOpen(rec.State) {
		return out
	}
	role, known := s.role(ctx, v, rec.Request.Repository)
	switch {
	case known && role < gate.RoleRead:
		out.MayApprove, out.MayTry = false, false
		out.WhyNot = "no right in " + rec.Request.RepositoryName
	case known && role < gate.RoleWrite && out.MayTry:
		out.MayTry, out.WhyNot = false, "you have "+role.String()+" in "+rec.Request.RepositoryName+"; approving takes more"
	case !known:
		out.MayApprove, out.MayTry = false, out.MayApprove || out.MayTry
	}
	out.Writes = known && role >= gate.RoleWrite
	return out
}

// deed is one button of a release's page.
type deed struct {
	ID, Manifest string
	Verb         gate.Verb
	Label        string
}

func deedOf(r api.Release, verb gate.Verb, label string) deed {
	return deed{ID: r.ID, Manifest: r.ManifestDigest.String(), Verb: verb, Label: label}
}
