package attest

import (
	"fmt"
	"slices"
	"time"

	"github.com/countersign/countersign/gate"
)

// ApprovalType is the predicate type of an approval (docs/predicates/approval-v1.md).
const ApprovalType = "https://countersign.example/approval/v1"

// Approval is the statement of one approval.
type Approval struct {
	Head

	Predicate ApprovalPredicate `json:"predicate"`
}

// ApprovalPredicate says who approved which release, how, and which of its changes that
// covers.
type ApprovalPredicate struct {
	Gate     Verifier     `json:"gate"`
	Release  Released     `json:"release"`
	Approver gate.Account `json:"approver"`
	Source   Source       `json:"source"`
	// Bound is what was approved, as it was shown then.
	Bound     Bound  `json:"bound"`
	SaidAt    string `json:"saidAt"`    // by the forge's clock, or the gate's for its page
	CountedAt string `json:"countedAt"` // when the gate counted it
	// Covers are the changes that the approver stands for; Wrote those that they had a hand
	// in, which they never cover.
	Covers []ChangeNote `json:"covers"`
	Wrote  []ChangeNote `json:"wrote"`
}

// Bound is what an approval is bound to.
type Bound struct {
	Manifest  DigestSet `json:"manifest"`
	Commit    string    `json:"commit"`
	TagObject string    `json:"tagObject,omitempty"`
	Policy    DigestSet `json:"policy"`
}

// ChangeNote names one change.
type ChangeNote struct {
	Called string `json:"called"` // "#412", "!412", or the commit of a direct push
	Number int64  `json:"number,omitempty"`
	Head   string `json:"head,omitempty"` // "" where the forge does not tell
}

// SourceKind is how somebody spoke.
type SourceKind string

// Kinds of sources.
const (
	SourceComment SourceKind = "comment" // in a PR/MR or issue
	SourcePage    SourceKind = "page"    // signed in, on the gate's page of the release
	SourceReview  SourceKind = "review"  // an approving review of the release's own PR/MR
)

// Source is where somebody spoke, so that it can be looked up at the forge.
type Source struct {
	Kind SourceKind `json:"kind"`
	URI  string     `json:"uri,omitempty"`
	// Thread and Comment are the forge's numbers, Body the SHA-256 of the comment as it was
	// read: of comments alone.
	Thread  int64     `json:"thread,omitempty"`
	Comment int64     `json:"comment,omitempty"`
	Body    DigestSet `json:"body,omitzero"`
	// Head is the commit that was reviewed: of reviews alone.
	Head string `json:"head,omitempty"`
}

// approval is one approver's statement.
func (w *writer) approval(a gate.Approval) ApprovalPredicate {
	return ApprovalPredicate{
		Gate: Verifier{ID: w.server}, Release: w.released(), Approver: a.By, Source: w.source(a),
		Bound: Bound{
			Manifest: DigestSet{a.ManifestDigest}, Commit: a.Commit, TagObject: a.TagObject, Policy: DigestSet{a.PolicyDigest},
		},
		SaidAt: moment(a.Created), CountedAt: moment(w.Decision.At),
		Covers: w.changes(func(c gate.Coverage) bool {
			return slices.ContainsFunc(c.By, func(b gate.CoveredBy) bool { return b.Account.ID == a.By.ID })
		}),
		Wrote: w.changes(func(c gate.Coverage) bool {
			return slices.ContainsFunc(c.Authors, func(b gate.Authorship) bool { return b.Account.ID == a.By.ID })
		}),
	}
}

// changes are those that fit, never nil.
func (w *writer) changes(fit func(gate.Coverage) bool) []ChangeNote {
	out := []ChangeNote{}
	for _, c := range w.Decision.Coverage {
		if fit(c) {
			out = append(out, ChangeNote{Called: c.Called, Number: c.Number, Head: c.Head})
		}
	}
	return out
}

// source is where a statement was made. One that names no comment and was not made on the
// page is a review.
func (w *writer) source(a gate.Approval) Source {
	switch {
	case a.Page:
		return Source{Kind: SourcePage, URI: w.page()}
	case a.Source == gate.CommentRef{}:
		out := Source{Kind: SourceReview}
		for _, c := range w.Decision.Coverage {
			if a.Reason == "review of "+gate.ShortCommit(c.Head) {
				out.Head, out.URI = c.Head, c.URL
			}
		}
		return out
	}
	return Source{
		Kind: SourceComment, URI: w.commentURI(a.Source),
		Thread: a.Source.Thread.Number, Comment: a.Source.ID, Body: DigestSet{a.BodyHash},
	}
}

// commentURI is a comment's page. Comments of another repository have none here: names are
// known of this one alone.
func (w *writer) commentURI(c gate.CommentRef) string {
	if c.Repository != w.Request.Repository {
		return ""
	}
	if w.Request.Workload.Kind == gate.GitLab {
		where := "merge_requests"
		if c.Thread.Issue {
			where = "issues"
		}
		return fmt.Sprintf("%s/-/%s/%d#note_%d", w.repository, where, c.Thread.Number, c.ID)
	}
	where := "pull"
	if c.Thread.Issue {
		where = "issues"
	}
	return fmt.Sprintf("%s/%s/%d#issuecomment-%d", w.repository, where, c.Thread.Number, c.ID)
}

// ParseApproval reads an approval statement's payload. As in-toto asks, it ignores members
// that it does not know; everything that binds must be there and whole.
func ParseApproval(payload []byte) (Approval, error) {
	var s Approval
	if err := parseStatement(payload, ApprovalType, &s); err != nil {
		return Approval{}, err
	}
	p := s.Predicate
	switch {
	case p.Gate.ID == "":
		return Approval{}, fmt.Errorf("read approval: expected the gate that counted it, got none")
	case p.Approver.ID.ID <= 0 || p.Approver.ID.Forge == "":
		return Approval{}, fmt.Errorf("read approval: expected an approver by number, got %q", p.Approver.ID)
	case p.Bound.Manifest.SHA256 == (gate.Digest{}) || p.Bound.Commit == "" || p.Release.Request == "":
		return Approval{}, fmt.Errorf("read approval of %s: expected what it is bound to: request, manifest and commit", p.Approver.ID)
	}
	for _, at := range []string{p.SaidAt, p.CountedAt} {
		if _, err := time.Parse(time.RFC3339, at); err != nil {
			return Approval{}, fmt.Errorf("read approval of %s: %w", p.Approver.ID, err)
		}
	}
	return s, nil
}
