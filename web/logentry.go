package web

import (
	"context"
	"net/http"
	"strconv"

	"github.com/go-chi/chi/v5"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/ledger"
)

// openEntry are what the server says of itself to everybody: all of it is handed out
// elsewhere too.
func openEntry(kind string) bool {
	return kind == string(ledger.EpochBegun) || kind == string(ledger.TrustedRoot)
}

// personal reports whether documents of a kind hold an ID token's claims as they came: GitLab
// puts its user's address there, which is nothing for everybody even in public repositories.
func personal(kind string) bool {
	return kind == string(ledger.RequestOpened) || kind == string(ledger.RequestJoined)
}

// noEntry is how an entry that is not published looks, and one that may not be shown: the
// same, to the letter.
func noEntry() error {
	return &gate.Error{
		Kind: gate.NotFound, Code: gate.CodeLogRange, Text: "there is no such entry to show",
		Expected: "the index of a published entry that you may read", Got: "another",
		Fix: "those of private repositories are shown only to who may read them at their forge: sign in",
	}
}

// logEntry answers one entry of the ledger with what opens it: to a browser by its session,
// to everybody else as to anybody.
func (s *server) logEntry() http.HandlerFunc {
	anybody := s.api(s.showEntry)
	person := s.visited(anybody)
	return func(w http.ResponseWriter, r *http.Request) {
		if _, err := r.Cookie(s.sessions.Cookie()); err == nil {
			person(w, r)
			return
		}
		anybody(w, r)
	}
}

func (s *server) showEntry(w http.ResponseWriter, r *http.Request) error {
	v := visitorOf(r.Context())
	e, err := s.readableEntry(r.Context(), v, chi.URLParam(r, "index"))
	if err != nil {
		return err
	}
	out := api.LedgerEntry{
		Index: e.Index, Kind: e.Kind, ID: e.ID, At: e.At, Request: e.Request,
		Leaf: e.Bytes,
	}
	if v.SignedIn || !personal(e.Kind) {
		out.Salt, out.Document = e.Salt, e.Document
	}
	if out.Evidence, err = s.evidenceOf(r.Context(), e); err != nil {
		return err
	}
	if e.Kind == string(ledger.VerdictSignature) {
		v, _, _, err := s.Ledger.Verdict(r.Context(), e.Request)
		if err != nil {
			return err
		}
		out.Statement = v.Statement
	}
	return writeJSON(w, http.StatusOK, out)
}

// readableEntry finds a published entry that somebody may see.
func (s *server) readableEntry(ctx context.Context, v visitor, text string) (gate.LedgerEntry, error) {
	var none gate.LedgerEntry
	index, err := strconv.ParseInt(text, 10, 64)
	if err != nil || index < 0 || strconv.FormatInt(index, 10) != text {
		return none, noEntry()
	}
	c, err := s.published(ctx)
	switch {
	case gate.KindOf(err) == gate.NotFound, err == nil && index >= c.Size:
		return none, noEntry()
	case err != nil:
		return none, err
	}
	e, err := s.Ledger.LedgerEntry(ctx, index)
	if gate.KindOf(err) == gate.NotFound {
		return none, noEntry()
	}
	if err != nil {
		return none, err
	}
	may, err := s.mayReadEntry(ctx, v, e)
	switch {
	case err != nil:
		return none, err
	case !may:
		return none, noEntry()
	}
	return e, nil
}

// mayReadEntry reports whether somebody may see what an entry is about: a request's is as
// readable as the request, a policy's as its repository, and the server's own for its
// administrators.
func (s *server) mayReadEntry(ctx context.Context, v visitor, e gate.LedgerEntry) (bool, error) {
	var err error
	switch {
	case e.Request != "":
		var rec gate.Record
		if rec, err = s.readable(ctx, v, e.Request); err == nil && rec.Request.Repository != e.Repository {
			return false, nil
		}
	case e.Repository != (gate.RepositoryID{}):
		_, err = s.seenRepository(ctx, v, e.Repository)
	default:
		return openEntry(e.Kind) || v.SignedIn && v.Administrator, nil
	}
	if gate.KindOf(err) == gate.NotFound {
		return false, nil
	}
	return err == nil, err
}

// evidenceOf names the entries that an entry of signing rests on: the attempt that was begun
// last before it, and the decision that granted that.
func (s *server) evidenceOf(ctx context.Context, e gate.LedgerEntry) (*api.Evidence, error) {
	if e.Request == "" || !ofSigning(e.Kind) {
		return nil, nil
	}
	happened, err := s.Board.History(ctx, e.Request)
	if err != nil {
		return nil, err
	}
	out := api.Evidence{Decision: -1, Intents: -1}
	for _, h := range happened {
		if h.What == gate.HappenedSigning && h.Leaf <= e.Index {
			out.Intents = max(out.Intents, h.Leaf)
		}
	}
	for _, h := range happened {
		if h.What == gate.HappenedJudged && h.Outcome == gate.Granted && h.Leaf < out.Intents {
			out.Decision = max(out.Decision, h.Leaf)
		}
	}
	if out.Decision < 0 {
		return nil, nil
	}
	return &out, nil
}

// ofSigning reports whether an entry speaks of a release key's use.
func ofSigning(kind string) bool {
	switch ledger.Kind(kind) {
	case ledger.Intents, ledger.Signature, ledger.CertificateSignature, ledger.Orphaned, ledger.LateSignatureDiscarded:
		return true
	default:
		return false
	}
}
