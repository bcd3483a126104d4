package web

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/release"
	"github.com/countersign/countersign/web/frame"
	"github.com/countersign/countersign/web/session"
)

// adoptionBody is what the page of a newer policy shows: the file at the head of the
// default branch, beside the one in force.
type adoptionBody struct {
	Name   string
	ID     gate.RepositoryID
	Commit string
	Branch string
	// First is true where no policy is in force yet.
	First bool
	// Same is true where the file at the head is the one in force.
	Same   bool
	Lines  []policyLine
	Diff   []diffLine
	Fields []policyStream
	// Fault is why the file cannot be put in force; nil where it can.
	Fault *gate.Error
	// Newer says why the file is not in force yet; nil where nothing is known of it.
	Newer *newerVersion
	// Baseline is what the form starts with.
	Baseline string
	Adopt    bool // the visitor may
}

// diffLine is one line of a comparison: "+", "-", " ", or "…" between parts.
type diffLine struct{ Mark, Class, Text string }

// policyPage shows the policy file at the head of the default branch, and lets an
// administrator put it in force. It reads the forge, so that it is for signed-in people.
func (s *server) policyPage(w http.ResponseWriter, r *http.Request) error {
	v, seen, err := s.seenSignedIn(r)
	if err != nil {
		return err
	}
	id := seen.id
	c, err := s.Policies.Candidate(r.Context(), id)
	if err != nil {
		return err
	}
	body := s.adoptionBody(v, seen, c)
	if p, ok, err := s.Proposals.Proposal(r.Context(), id); err != nil {
		return err
	} else if ok {
		body.Newer = &newerVersion{Proposal: p, Done: !p.Covered.IsZero()}
	}
	return s.render(w, r, http.StatusOK, "adoption", page{Title: "Policy of " + body.Name, Area: frame.Repositories, Body: body})
}

func (s *server) adoptionBody(v visitor, seen seenRepository, c release.Candidate) adoptionBody {
	body := adoptionBody{
		Name: c.File.Repository.FullName, ID: seen.id, Commit: c.File.Commit, Branch: c.File.Repository.DefaultBranch,
		First: len(seen.adoptions) == 0, Lines: numbered(c.File.Content), Fields: explained(c.Streams),
		Baseline: c.File.Commit, Adopt: v.Administrator,
	}
	if body.Name == "" {
		body.Name = seen.name()
	}
	if c.Fault != nil {
		body.Fault = shown(c.Fault)
	}
	if !body.First {
		in := seen.adoptions[0]
		body.Same, body.Baseline = string(in.File) == string(c.File.Content), in.Baseline
		body.Diff = compared(in, c.File)
	}
	return body
}

// compared are the lines in which a file differs from the one in force, with three around.
func compared(in gate.Adoption, next gate.PolicyFile) []diffLine {
	text := diff.Diff(gate.ShortCommit(in.Commit), in.File, gate.ShortCommit(next.Commit), next.Content)
	var out []diffLine
	n := 0
	for line := range strings.Lines(string(text)) {
		if n++; n <= 3 { // "diff …", "--- …", "+++ …"
			continue
		}
		line = strings.TrimRight(line, "\r\n")
		if strings.HasPrefix(line, "@@") {
			if len(out) > 0 {
				out = append(out, diffLine{Mark: "…", Class: "between"})
			}
			continue
		}
		class := map[string]string{"+": "added", "-": "gone"}[line[:1]]
		out = append(out, diffLine{Mark: line[:1], Class: class, Text: line[1:]})
	}
	return out
}

// adopt puts the file that the form showed in force.
func (s *server) adopt(w http.ResponseWriter, r *http.Request) error {
	v := visitorOf(r.Context())
	if err := s.mustAdministrator(v); err != nil {
		return err
	}
	id, err := s.repositoryOf(r)
	if err != nil {
		return err
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	baseline, commit := strings.TrimSpace(r.PostFormValue("baseline")), r.PostFormValue("commit")
	if commit == "" {
		return &gate.Error{
			Kind: gate.Invalid, Code: gate.CodeParameter, Text: "the form does not say which version it showed",
			Expected: "commit: the default branch's head as the page showed it", Got: "nothing", Fix: "load the policy's page again and use its form",
		}
	}
	a, err := s.Policies.Adopt(r.Context(), release.Adoption{
		Repository: id, Baseline: baseline, Commit: commit, By: fmt.Sprintf("@%s (%s)", v.Account.Login, v.Account.ID),
	})
	if err != nil {
		return err
	}
	s.sessions.Tell(r.Context(), session.Notice{Text: "The policy of commit " + gate.ShortCommit(a.Commit) + " is in force from now on."})
	http.Redirect(w, r, repositoryPath(id), http.StatusSeeOther)
	return nil
}
