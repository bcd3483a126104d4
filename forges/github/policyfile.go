package github

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/countersign/countersign/gate"
)

// policyPath is where the policy file lies, on every forge.
const policyPath = ".countersign.yaml"

// branchJSON is REST API's schema branch-with-protection, in part.
type branchJSON struct {
	Name      string `json:"name"`
	Protected bool   `json:"protected"`
	Commit    struct {
		SHA string `json:"sha"`
	} `json:"commit"`
}

// PolicyFile reads the file at the default branch's head: head and content come in one
// answer, or the head is resolved to a commit first, so that they belong together.
func (f *Forge) PolicyFile(ctx context.Context, id gate.RepositoryID) (gate.PolicyFile, error) {
	op := "read " + policyPath + " of " + id.String()
	if repo, ok := f.reachable(ctx, id); ok {
		if out, err := repo.policy(ctx); err == nil && out.Content != nil {
			return out, nil
		}
	}
	repo, err := f.open(ctx, id, "")
	if err != nil {
		return gate.PolicyFile{}, unreadablePolicy(repositoryError(op, id, err))
	}
	branch, err := repo.branch(ctx, repo.facts.DefaultBranch)
	if err != nil {
		return gate.PolicyFile{}, unreadablePolicy(classify(op, err))
	}
	out := gate.PolicyFile{Repository: repo.facts, Commit: branch.Commit.SHA, Path: policyPath}
	out.Content, err = repo.file(ctx, policyPath, branch.Commit.SHA)
	if isNotFound(err) {
		return gate.PolicyFile{}, &gate.Error{
			Kind: gate.NotFound, Code: gate.CodePolicyMissing, Text: repo.facts.FullName + " has no " + policyPath,
			Expected: policyPath + " on " + repo.facts.DefaultBranch, Got: "none at " + gate.ShortCommit(branch.Commit.SHA),
			Fix: "add the file to the default branch", Err: err,
		}
	}
	if err != nil {
		return gate.PolicyFile{}, unreadablePolicy(classify(op, err))
	}
	return out, nil
}

// unreadablePolicy gives the code that the port promises for all that is neither unknown
// nor missing.
func unreadablePolicy(e *gate.Error) *gate.Error {
	if e.Code == gate.CodeRepositoryUnknown || e.Code == gate.CodePolicyUnreadable {
		return e
	}
	kind := gate.Unavailable
	if e.Kind == gate.Refused {
		kind = gate.Refused
	}
	return &gate.Error{
		Kind: kind, Code: gate.CodePolicyUnreadable, Text: "the policy file could not be read",
		Expected: "an answer of GitHub", Got: e.Text, Fix: e.Fix, Err: e,
	}
}

func (r *repository) branch(ctx context.Context, name string) (branchJSON, error) {
	var b branchJSON
	if err := r.get(ctx, &b, nil, r.at("branches", name)...); err != nil {
		return b, err
	}
	if b.Name != name || !isSHA(b.Commit.SHA) {
		return b, fmt.Errorf("branch %q: GitHub answered for %q at %q", name, b.Name, b.Commit.SHA)
	}
	return b, nil
}

// file reads one regular file of at most 1 MB (REST API, "Get repository content").
func (r *repository) file(ctx context.Context, name, commit string) ([]byte, error) {
	var raw struct {
		Type     string  `json:"type"`
		Path     string  `json:"path"`
		Encoding string  `json:"encoding"`
		Content  string  `json:"content"`
		Size     int     `json:"size"`
		Target   *string `json:"target"`
	}
	if err := r.get(ctx, &raw, url.Values{"ref": {commit}}, r.at(append([]string{"contents"}, strings.Split(name, "/")...)...)...); err != nil {
		return nil, err
	}
	if raw.Type != "file" || raw.Path != name || raw.Target != nil {
		return nil, unexpected("read "+name, fmt.Sprintf("expected a regular file, got a %s", raw.Type))
	}
	content, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(raw.Content, "\n", ""))
	if raw.Encoding != "base64" || err != nil || len(content) != raw.Size {
		return nil, unexpected("read "+name, errors.Join(errors.New("its content came cut or encoded otherwise"), err).Error())
	}
	return content, nil
}
