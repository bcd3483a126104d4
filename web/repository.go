package web

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/policy"
	"github.com/countersign/countersign/web/frame"
)

// stripShown is how many releases a repository's strip shows.
const stripShown = 30

// repositoryBody is what the page of a repository shows.
type repositoryBody struct {
	Name    string
	ID      gate.RepositoryID
	InForce gate.Adoption
	// Strip are the last releases, the oldest first; Newest is the last one.
	Strip  []markOf
	Newest *api.Release
	// Newer is the version of the policy that is not in force; nil where there is none.
	Newer  *newerVersion
	Lines  []policyLine
	Fields []policyStream
	// Fault says why the policy in force does not read as it is; "" where it does.
	Fault string
	Past  []gate.Adoption // the newest first, without the one in force
	// Readiness is what the doctor found last; nil where it was not asked of late.
	Readiness *examination
	// May says what the visitor may do here.
	May struct{ Compare, Examine, Adopt bool }
}

// newerVersion is a proposal, told to people.
type newerVersion struct {
	gate.Proposal

	// Done is true where somebody covered it, and only time is still to pass.
	Done bool
}

// policyLine is one line of a policy file.
type policyLine struct {
	N    int
	Text string
}

// policyStream is one stream's values with who says so.
type policyStream struct {
	Name   string
	Line   int
	Values []policyValue
}

type policyValue struct {
	policy.Value

	// From tells of what the value is made beside the file's line.
	From string
	// Default is true where nobody said anything.
	Default bool
}

// repositoryPage shows what a repository's next release would meet.
func (s *server) repositoryPage(w http.ResponseWriter, r *http.Request) error {
	id, err := s.repositoryOf(r)
	if err != nil {
		return err
	}
	v := visitorOf(r.Context())
	seen, err := s.seenRepository(r.Context(), v, id)
	if err != nil {
		return err
	}
	if len(seen.adoptions) == 0 {
		http.Redirect(w, r, repositoryPath(id)+"/policy", http.StatusSeeOther) // an administrator puts the first in force
		return nil
	}
	body := s.repositoryBody(v, seen)
	if p, ok, err := s.Proposals.Proposal(r.Context(), id); err != nil {
		return err
	} else if ok {
		body.Newer = &newerVersion{Proposal: p, Done: !p.Covered.IsZero()}
	}
	return s.render(w, r, http.StatusOK, "repository", page{Title: body.Name, Area: frame.Repositories, Body: body})
}

// seenRepository is what the visitor may see of a repository.
type seenRepository struct {
	id        gate.RepositoryID
	adoptions []gate.Adoption // the newest first; none only for administrators
	records   []gate.Record   // the newest first
}

func (o seenRepository) name() string {
	if len(o.adoptions) == 0 {
		return o.id.String()
	}
	return o.adoptions[0].Name
}

// seenRepository reads a repository for a visitor. What somebody may not see is not there:
// the error is the same.
func (s *server) seenRepository(ctx context.Context, v visitor, id gate.RepositoryID) (seenRepository, error) {
	out := seenRepository{id: id}
	var err error
	if out.adoptions, err = s.Board.Adoptions(ctx, id); err != nil {
		return out, err
	}
	if len(out.adoptions) == 0 {
		if v.SignedIn && v.Administrator {
			return out, nil
		}
		return out, noRepository()
	}
	if out.records, err = s.Board.List(ctx, gate.ListQuery{Repository: id, Limit: stripShown}); err != nil {
		return out, err
	}
	if !s.mayRead(ctx, v, id, hidden(out.adoptions[0], out.records)) {
		return out, noRepository()
	}
	return out, nil
}

// seenSignedIn is what a signed-in visitor may see of the repository on the path.
func (s *server) seenSignedIn(r *http.Request) (visitor, seenRepository, error) {
	v := visitorOf(r.Context())
	id, err := s.repositoryOf(r)
	if err != nil {
		return v, seenRepository{}, err
	}
	if err := mustSignIn(v); err != nil {
		return v, seenRepository{}, err
	}
	seen, err := s.seenRepository(r.Context(), v, id)
	return v, seen, err
}

func (s *server) repositoryBody(v visitor, seen seenRepository) repositoryBody {
	in := seen.adoptions[0]
	body := repositoryBody{
		Name: in.Name, ID: seen.id, InForce: in, Past: seen.adoptions[1:],
		Lines: numbered(in.File), Readiness: s.examined.last(seen.id),
	}
	for _, rec := range slices.Backward(seen.records) {
		body.Strip = append(body.Strip, s.markOf(rec))
	}
	if len(seen.records) > 0 {
		newest := s.view(seen.records[0])
		body.Newest = &newest
	}
	streams, err := s.Policies.Explain(in)
	if err != nil {
		body.Fault = shown(err).Text
	}
	body.Fields = explained(streams)
	body.May.Compare, body.May.Examine, body.May.Adopt = v.SignedIn, v.SignedIn, v.Administrator
	return body
}

// numbered are the lines of a file.
func numbered(file []byte) []policyLine {
	var out []policyLine
	for line := range strings.Lines(string(file)) {
		out = append(out, policyLine{len(out) + 1, strings.TrimRight(line, "\r\n")})
	}
	return out
}

// explained tells of each value where it comes from.
func explained(streams []policy.Explained) []policyStream {
	var out []policyStream
	for _, st := range streams {
		p := policyStream{Name: st.Name, Line: st.Line}
		for _, v := range st.Values {
			from, _ := strings.CutPrefix(v.Source, policy.FromFile)
			p.Values = append(p.Values, policyValue{
				Value: v, From: strings.TrimPrefix(from, ", "), Default: v.Source == policy.FromDefault,
			})
		}
		out = append(out, p)
	}
	return out
}
