package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/web/frame"
)

// How many repositories one page lists, and how many are listed at all.
const (
	enrolledShown = 50
	enrolledMost  = 500
)

// repositoriesBody is the list of the repositories with a policy in force.
type repositoriesBody struct {
	Rows []repositoryRow
	// More is from where the list goes on; 0 at the end. First is the first page.
	More  int
	First bool
	// Forges are where an administrator may put a first policy in force.
	Forges []string
}

type repositoryRow struct {
	gate.Enrolled

	// Latest is the newest release; nil where there is none.
	Latest *markOf
}

// markOf is a release in a strip: a colour, a shape and words.
type markOf struct {
	tone

	ID, Ref, Headline string
}

func (s *server) markOf(rec gate.Record) markOf {
	v := s.view(rec)
	return markOf{tone: toneOfState(v.State), ID: v.ID, Ref: gate.ShortRef(v.Ref), Headline: v.Headline}
}

// repositoryPath is where a repository's page is.
func repositoryPath(r gate.RepositoryID) string {
	return "/repositories/" + url.PathEscape(string(r.Forge)) + "/" + strconv.FormatInt(r.ID, 10)
}

// repositoriesPage lists the repositories that the visitor may see, those asked for last
// first.
func (s *server) repositoriesPage(w http.ResponseWriter, r *http.Request) error {
	v := visitorOf(r.Context())
	from := 0
	if raw := r.URL.Query().Get("from"); raw != "" {
		n, err := strconv.Atoi(raw)
		if err != nil || n < 1 || n >= enrolledMost {
			return badParameter("from", fmt.Sprintf("1 to %d", enrolledMost-1), raw)
		}
		from = n
	}
	all, err := s.Board.Enrolled(r.Context(), from+enrolledShown+1)
	if err != nil {
		return err
	}
	all = all[min(from, len(all)):]
	body := repositoriesBody{First: from == 0}
	if len(all) > enrolledShown {
		all, body.More = all[:enrolledShown], from+enrolledShown
	}
	body.Rows = s.repositoryRows(r.Context(), v, all)
	if v.Administrator {
		for _, f := range s.Forges {
			body.Forges = append(body.Forges, f.Name)
		}
	}
	return s.render(w, r, http.StatusOK, "repositories", page{Title: "Repositories", Area: frame.Repositories, Body: body})
}

// repositoryRows are the rows of those that the visitor may see.
func (s *server) repositoryRows(ctx context.Context, v visitor, all []gate.Enrolled) []repositoryRow {
	var out []repositoryRow
	for _, e := range s.mayBeSeen(ctx, v, all) {
		row := repositoryRow{Enrolled: e}
		if e.Latest != nil {
			mark := s.markOf(*e.Latest)
			row.Latest = &mark
		}
		out = append(out, row)
	}
	return out
}

// mayBeSeen are the repositories that the visitor may see. One is hidden from others as
// soon as anything says that it is private: its adoption, or its newest release.
func (s *server) mayBeSeen(ctx context.Context, v visitor, all []gate.Enrolled) []gate.Enrolled {
	private := map[gate.RepositoryID]bool{}
	for _, e := range all {
		var newest []gate.Record
		if e.Latest != nil {
			newest = append(newest, *e.Latest)
		}
		private[e.Adoption.Repository] = hidden(e.Adoption, newest)
	}
	may := s.mayReadAll(ctx, v, private)
	return slices.DeleteFunc(all, func(e gate.Enrolled) bool { return !may[e.Adoption.Repository] })
}

// hidden reports whether a repository is to be shown only to those who may read it.
func hidden(a gate.Adoption, newest []gate.Record) bool {
	return !a.Public || slices.ContainsFunc(newest, func(rec gate.Record) bool { return rec.Request.Private })
}

// findRepository leads an administrator from a form to a repository's policy.
func (s *server) findRepository(w http.ResponseWriter, r *http.Request) error {
	if err := s.mustAdministrator(visitorOf(r.Context())); err != nil {
		return err
	}
	id, err := s.knownRepository(r.URL.Query().Get("forge"), strings.TrimSpace(r.URL.Query().Get("id")))
	if err != nil {
		return err
	}
	http.Redirect(w, r, repositoryPath(id)+"/policy", http.StatusSeeOther)
	return nil
}

// repositoryOf reads the repository off the path.
func (s *server) repositoryOf(r *http.Request) (gate.RepositoryID, error) {
	return s.knownRepository(chi.URLParam(r, "forge"), chi.URLParam(r, "id"))
}

func (s *server) knownRepository(forge, id string) (gate.RepositoryID, error) {
	known := false
	for _, f := range s.Forges {
		known = known || f.Name == forge
	}
	n, err := strconv.ParseInt(id, 10, 64)
	if !known || err != nil || n <= 0 || strconv.FormatInt(n, 10) != id {
		return gate.RepositoryID{}, noRepository()
	}
	return gate.RepositoryID{Forge: gate.ForgeID(forge), ID: n}, nil
}

// noRepository is what there is to see of a repository that is not there, and of one that
// somebody may not see: the same, to the letter.
func noRepository() error {
	return &gate.Error{
		Kind: gate.NotFound, Code: gate.CodeRepositoryUnknown, Text: "there is no such repository to show",
		Expected: "the name of a configured forge and the number of a repository with a policy in force, which you may read",
		Fix:      "sign in with an account of that forge that may read it, or start at Repositories",
	}
}
