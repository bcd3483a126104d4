package gitlab

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"

	"github.com/countersign/countersign/forges"
	"github.com/countersign/countersign/gate"
)

// project is one project (API docs: projects, get a single project).
type project struct {
	ID                int64  `json:"id"`
	PathWithNamespace string `json:"path_with_namespace"`
	DefaultBranch     string `json:"default_branch"`
	Visibility        string `json:"visibility"`
	WebURL            string `json:"web_url"`
	Namespace         struct {
		ID   int64  `json:"id"`
		Kind string `json:"kind"` // "user" or "group"
	} `json:"namespace"`
}

// readProject asks by number: a path would lead on after a rename (attack 73).
func (s *session) readProject(ctx context.Context) (project, error) {
	return s.project.get("", func() (project, error) {
		if p, ok := s.look.answered().project.read(s.repo.ID); ok {
			s.memory.mains.put(s.repo.ID, p.DefaultBranch, maxRemembered)
			return p, nil
		}
		p, err := fetch[project](ctx, s, s.path(""), nil)
		if err != nil {
			return project{}, fmt.Errorf("read project %d: %w", s.repo.ID, err)
		}
		if p.ID != s.repo.ID || p.Namespace.ID <= 0 || p.DefaultBranch == "" {
			return project{}, fmt.Errorf("read project %d: answer is of %d, branch %q: %w",
				s.repo.ID, p.ID, p.DefaultBranch, errUnexpected)
		}
		s.memory.mains.put(s.repo.ID, p.DefaultBranch, maxRemembered)
		return p, nil
	})
}

// stillSeen asks anew whether the gate can see the project at all: GitLab answers
// 404 to what is not there and to what it does not show.
func (s *session) stillSeen(ctx context.Context) error {
	p, err := fetch[project](ctx, s, s.path(""), nil)
	if err == nil && p.ID != s.repo.ID {
		err = errUnexpected
	}
	if err != nil {
		return fmt.Errorf("read project %d: %w", s.repo.ID, err)
	}
	return nil
}

func (s *session) facts(p project) gate.RepositoryFacts {
	return gate.RepositoryFacts{
		ID: s.repo, Owner: gate.AccountID{Forge: s.forge, ID: p.Namespace.ID}, OwnerIsUser: p.Namespace.Kind == "user",
		FullName:      p.PathWithNamespace,
		DefaultBranch: p.DefaultBranch, Private: p.Visibility != "public", URL: p.WebURL,
	}
}

const policyPath = ".countersign.yaml"

// PolicyFile reads the policy at the head of the default branch. GitLab finds the commit
// and reads the file at that very commit, and names it (API docs: repository files, ref
// HEAD; source: lib/api/files.rb, assign_file_vars!). No tag can take HEAD's place.
func (f *Forge) PolicyFile(ctx context.Context, r gate.RepositoryID) (gate.PolicyFile, error) {
	s := f.session(r)
	p, err := s.readProject(ctx)
	if isNotFound(err) || r.Forge != f.forge {
		return gate.PolicyFile{}, &gate.Error{
			Kind: gate.NotFound, Code: gate.CodeRepositoryUnknown, Text: "the gate's GitLab account cannot see the project",
			Expected: "a project of which it is a member", Got: "none that it sees",
			Fix: "make the gate's account Maintainer of the project", Err: err,
		}
	}
	if err != nil {
		return gate.PolicyFile{}, unreadable(err)
	}
	var file struct {
		Content  string `json:"content"`
		Encoding string `json:"encoding"`
		CommitID string `json:"commit_id"`
	}
	_, err = s.do(ctx, http.MethodGet, s.path("/repository/files/%s", policyPath), url.Values{"ref": {"HEAD"}}, &file)
	if isNotFound(err) {
		if _, err := s.readBranch(ctx, p.DefaultBranch); err != nil { // where there is no branch, no file says anything
			return gate.PolicyFile{}, unreadable(err)
		}
		return gate.PolicyFile{}, &gate.Error{
			Kind: gate.NotFound, Code: gate.CodePolicyMissing, Err: err,
			Text: fmt.Sprintf("%s has no %s on %s", p.PathWithNamespace, policyPath, p.DefaultBranch),
			Fix:  "add the file to the default branch and have it adopted",
		}
	}
	if err != nil {
		return gate.PolicyFile{}, unreadable(err)
	}
	content, err := base64.StdEncoding.DecodeString(file.Content)
	if err != nil || file.Encoding != "base64" || !isSHA(file.CommitID) {
		return gate.PolicyFile{}, unreadable(fmt.Errorf("%s as %q at %q: %w", policyPath, file.Encoding, file.CommitID, errUnexpected))
	}
	return gate.PolicyFile{Repository: s.facts(p), Commit: file.CommitID, Path: policyPath, Content: content}, nil
}

// unreadable keeps the kind: asking again may be enough.
func unreadable(err error) error {
	e := *forges.Classify("read the policy file", statusOf(err), err)
	if e.Kind == gate.NotFound { // not the file's: that was told apart before
		e.Kind = gate.Unavailable
	}
	e.Code, e.Expected, e.Got = gate.CodePolicyUnreadable, "an answer of GitLab", e.Text
	e.Text = "the policy file could not be read"
	return &e
}
