package release

import (
	"strconv"

	"github.com/countersign/countersign/gate"
)

// page is a page of a repository at its forge. GitLab keeps them apart from
// groups' paths by a hyphen. No parts are the repository's own page.
func (p Port) page(repository string, parts ...string) string {
	if p.URL == nil {
		return ""
	}
	at := []string{repository}
	if p.Kind == gate.GitLab && len(parts) > 0 {
		at = append(at, "-")
	}
	return p.URL.JoinPath(append(at, parts...)...).String()
}

// threadURL is where a request is talked about; "" while that is not known.
func (p Port) threadURL(repository string, t gate.Thread) string {
	kind := "pull"
	switch {
	case t.Number == 0:
		return ""
	case t.Issue:
		kind = "issues"
	case p.Kind == gate.GitLab:
		kind = "merge_requests"
	}
	return p.page(repository, kind, strconv.FormatInt(t.Number, 10))
}

// compareURL shows what came between two commits.
func (p Port) compareURL(repository, from, to string) string {
	if from == "" || from == to {
		return ""
	}
	return p.page(repository, "compare", from+"..."+to)
}

// policyURL is where an administrator puts a repository's policy in force.
func (g *Gate) policyURL(r gate.RepositoryID) string {
	return g.Server.JoinPath("repositories", string(r.Forge), strconv.FormatInt(r.ID, 10), "policy").String()
}
