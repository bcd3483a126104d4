package store

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
	"github.com/countersign/countersign/gate/store/internal/db"
)

// history is what the tables say about one request, to be put in the order of its leaves.
type history struct {
	row       db.Request
	leaves    []db.LeavesAboutRow
	said      []db.StatementsOfRow
	decisions []db.DecisionsOfRow
	attempts  []db.AttemptsOfRow
	begun     int // attempts whose leaf of intents was told
}

// History tells what happened to a request, in the order of the ledger: the leaf of each
// entry is greater than that of the one before. Signatures of one attempt are one entry,
// with the leaf of the first. Errors: CodeRequestUnknown.
func (s *Store) History(ctx context.Context, request string) ([]gate.Happening, error) {
	h, err := s.readHistory(ctx, request)
	if err != nil {
		return nil, fault("read the history of request "+request, err)
	}
	out, err := h.tell()
	if err != nil {
		return nil, internal("tell the history of request %s: %w", request, err)
	}
	slices.SortFunc(out, func(a, b gate.Happening) int { return cmp.Compare(a.Leaf, b.Leaf) })
	return out, nil
}

// readHistory reads the leaves before what they are about: what comes in between has no
// leaf in the answer, and every leaf in it finds its row.
func (s *Store) readHistory(ctx context.Context, request string) (history, error) {
	q := s.read()
	var h history
	if !storable(request) {
		return h, unknownRequest(request)
	}
	var err error
	h.row, err = q.Request(ctx, request)
	ok, err := found(err)
	if err != nil {
		return h, err
	}
	if !ok {
		return h, unknownRequest(request)
	}
	if h.leaves, err = q.LeavesAbout(ctx, request); err != nil {
		return h, err
	}
	if h.said, err = q.StatementsOf(ctx, request); err != nil {
		return h, err
	}
	if h.decisions, err = q.DecisionsOf(ctx, request); err != nil {
		return h, err
	}
	h.attempts, err = q.AttemptsOf(ctx, request)
	return h, err
}

func (h *history) tell() ([]gate.Happening, error) {
	out := make([]gate.Happening, 0, len(h.leaves)+len(h.said)+len(h.attempts))
	for _, l := range h.leaves {
		x := gate.Happening{At: fromMicros(l.MadeAt), Leaf: l.Idx}
		ok, err := h.about(&x, l)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, x)
		}
	}
	for _, s := range h.said {
		var a gate.Approval
		if err := json.Unmarshal([]byte(s.Document), &a); err != nil {
			return nil, err
		}
		out = append(out, gate.Happening{
			At: fromMicros(s.MadeAt), What: gate.HappenedSaid, Leaf: s.Idx, By: a.By, Statement: &a,
		})
	}
	for _, a := range h.ended() {
		x := gate.Happening{At: fromMicros(a.EndedAt), What: gate.HappenedSigned, Leaf: a.Idx}
		if a.State == intentOrphaned {
			x.What = gate.HappenedOrphaned
		}
		attempted(&x, a)
		out = append(out, x)
	}
	return out, nil
}

// ended are the attempts that came to an end.
func (h *history) ended() []db.AttemptsOfRow {
	return slices.DeleteFunc(slices.Clone(h.attempts), func(a db.AttemptsOfRow) bool { return a.Idx < 0 })
}

func attempted(x *gate.Happening, a db.AttemptsOfRow) {
	x.Attempt, x.Count = int(a.Attempt), int(a.Intents)
	x.Key = gate.KeyVersion{Lineage: a.KeyLineage, Version: int(a.KeyVersion)}
}

// about reads a leaf of the request's own. The nth leaf of decisions or intents is that of
// the nth decision or attempt, since each was written with its row locked.
func (h *history) about(x *gate.Happening, l db.LeavesAboutRow) (bool, error) {
	switch ledger.Kind(l.Kind) {
	case ledger.RequestOpened:
		var doc struct {
			Workload struct{ Actor gate.Account } `json:"workload"`
		}
		err := json.Unmarshal([]byte(h.row.Document), &doc)
		x.What, x.By = gate.HappenedAsked, doc.Workload.Actor
		return true, err
	case ledger.RequestJoined:
		var doc joinedDoc
		err := document(l, &doc)
		x.What, x.By = gate.HappenedAsked, doc.Workload.Actor
		return true, err
	case ledger.Decision:
		return h.judged(x)
	case ledger.Intents:
		return h.signing(x), nil
	case ledger.LateSignatureDiscarded:
		var doc lateDoc
		err := document(l, &doc)
		x.What, x.Attempt, x.Count = gate.HappenedLate, doc.Attempt, len(doc.Signatures)
		return true, err
	case ledger.Failed:
		var doc failedDoc
		err := document(l, &doc)
		x.What, x.Attempt, x.Why = gate.HappenedFailed, doc.Attempt, doc.Why
		return true, err
	case ledger.Published:
		x.What = gate.HappenedPublished
		return true, nil
	default:
		return false, nil
	}
}

func (h *history) judged(x *gate.Happening) (bool, error) {
	if len(h.decisions) == 0 {
		return false, nil
	}
	d := h.decisions[0]
	h.decisions = h.decisions[1:]
	x.What, x.State, x.Why = gate.HappenedJudged, gate.State(d.State), d.Why
	return true, x.Outcome.UnmarshalText([]byte(d.Outcome))
}

func (h *history) signing(x *gate.Happening) bool {
	if h.begun == len(h.attempts) {
		return false
	}
	x.What = gate.HappenedSigning
	attempted(x, h.attempts[h.begun])
	h.begun++
	return true
}

// document reads what a leaf commits to, where it is still there.
func document(l db.LeavesAboutRow, into any) error {
	if len(l.Document) == 0 {
		return nil
	}
	return json.Unmarshal(l.Document, into)
}
