package web_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/gatetest"
)

// reach is what the gate reaches at a forge.
type reach struct {
	list []gate.RepositoryFacts
	err  error
}

func (r reach) Repositories(context.Context) ([]gate.RepositoryFacts, error) { return r.list, r.err }

// An administrator chooses from a list and copies no number; nobody else sees it, since each
// of them may be private.
func TestRepositoriesToChooseFrom(t *testing.T) {
	h := newHouse(t)
	h.reach["github"] = reach{list: []gate.RepositoryFacts{
		{ID: gatetest.Repository(), FullName: "acme/widget", DefaultBranch: "main"},
		{ID: gate.RepositoryID{Forge: "github", ID: 7}, FullName: "acme/secret", DefaultBranch: "trunk", Private: true},
	}}
	h.reach["gitlab"] = reach{err: &gate.Error{Kind: gate.Unavailable, Code: gate.CodeForgeUnavailable, Text: "GitLab did not answer", Fix: "try again"}}
	page := h.who(t, "root").open("/repositories/new").Body.String()
	says(t, page, `<a class="what" href="`+widget+`"`, "policy in force", `href="/repositories/github/7/policy"`, "no policy in force", "trunk", "private",
		"GitLab did not answer", "try again")
	for who, status := range map[string]int{"nobody": http.StatusUnauthorized, "writer": http.StatusForbidden, "outsider": http.StatusForbidden} {
		got := h.who(t, who).open("/repositories/new")
		if got.Code != status || strings.Contains(got.Body.String(), "acme/secret") {
			t.Errorf("%s: answered %d, expected %d and no name", who, got.Code, status)
		}
	}
}
