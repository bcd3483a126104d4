package githubtest

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/countersign/countersign/forges/forgetest"
)

const (
	appID       = int64(424242)
	appSlug     = "countersign"
	appClientID = "Iv23liCountersign0000"
	// appClientSecret is of the form that GitHub gives them: 40 hexadecimal digits.
	appClientSecret = "5ec2e7c0117e25160f7e11a9d0b1e00000000000"
	// tokenLife is how long an installation token lives (docs, "Generating an
	// installation access token").
	tokenLife = time.Hour
)

// installation is the App on one owner, for selected repositories.
type installation struct {
	id, owner    int64
	repositories map[int64]bool
	permissions  map[string]string
	suspended    time.Time
	created      time.Time
}

// InstallationID is the installation that reaches the repository, or 0.
func (s *Server) InstallationID(repo forgetest.Repository) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if in := s.installationOf(s.repository(repo)); in != nil {
		return in.id
	}
	return 0
}

func (s *Server) installationOf(repo *repository) *installation {
	for _, in := range s.installations {
		if in.repositories[repo.id] {
			return in
		}
	}
	return nil
}

// install adds the repository to its owner's installation, made where there is none.
func (s *Server) install(repo *repository) {
	for _, in := range s.installations {
		if in.owner == repo.owner {
			in.repositories[repo.id] = true
			s.emit(repo, "installation_repositories", "added", s.bot(), obj{
				"installation": s.installationJSON(in), "repository_selection": "selected", "requester": nil,
				"repositories_added": []obj{s.briefRepository(repo)}, "repositories_removed": []obj{},
			})
			return
		}
	}
	in := &installation{
		id: s.next("installation"), owner: repo.owner, created: s.now(),
		repositories: map[int64]bool{repo.id: true}, permissions: maps.Clone(s.opts.Permissions),
	}
	s.installations[in.id] = in
	s.emit(repo, "installation", "created", s.bot(), obj{
		"installation": s.installationJSON(in), "repositories": []obj{s.briefRepository(repo)}, "requester": nil,
	})
}

// Uninstall takes the App off one repository.
func (s *Server) Uninstall(repo forgetest.Repository) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repository(repo)
	in := s.installationOf(r)
	if in == nil {
		panic(fmt.Sprintf("uninstall from %q: expected a repository that the App is installed on", repo.FullName))
	}
	s.emit(r, "installation_repositories", "removed", s.bot(), obj{
		"installation": s.installationJSON(in), "repository_selection": "selected", "requester": nil,
		"repositories_added": []obj{}, "repositories_removed": []obj{s.briefRepository(r)},
	})
	delete(in.repositories, r.id)
}

// Suspend suspends the installation that reaches repo, or takes the suspension back.
func (s *Server) Suspend(repo forgetest.Repository, suspended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repository(repo)
	in := s.installationOf(r)
	in.suspended = time.Time{}
	action := "unsuspend"
	if suspended {
		in.suspended, action = s.now(), "suspend"
	}
	s.emit(r, "installation", action, s.bot(), obj{"installation": s.installationJSON(in)})
}

// SetPermissions replaces the permissions of every installation, as an owner who
// accepts an App's new permissions does. Tokens minted before keep what they had.
func (s *Server) SetPermissions(permissions map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, in := range s.installations {
		in.permissions = maps.Clone(permissions)
	}
}

// installationJSON is `components.schemas.installation`.
func (s *Server) installationJSON(in *installation) obj {
	owner := s.accounts[in.owner]
	var by any
	if !in.suspended.IsZero() {
		by = s.userJSON(owner)
	}
	return obj{
		"id": in.id, "account": s.userJSON(owner), "repository_selection": "selected",
		"access_tokens_url": s.api("/app/installations/%d/access_tokens", in.id),
		"repositories_url":  s.api("/installation/repositories"),
		"html_url":          s.web("/organizations/%s/settings/installations/%d", owner.login, in.id),
		"app_id":            appID, "app_slug": appSlug, "client_id": appClientID, "target_id": owner.id, "target_type": owner.kind,
		"permissions": in.permissions, "events": s.app.events, "single_file_name": nil,
		"created_at": stamp(in.created), "updated_at": stamp(in.created),
		"suspended_by": by, "suspended_at": stampOrNull(in.suspended),
	}
}

func listInstallations(c *call) reply {
	return paged(c, sorted(c.installations), c.installationJSON)
}

func getInstallation(c *call) reply {
	in := c.installations[c.number("installation_id")]
	if in == nil {
		return notFound()
	}
	return ok(c.installationJSON(in))
}

func repositoryInstallation(c *call) reply {
	in := c.installationOf(c.repo)
	if in == nil {
		return notFound()
	}
	return ok(c.installationJSON(in))
}

// createToken mints an installation token, narrowed as asked: by permissions, each
// at most the installation's, and by repositories, each of the installation's.
func createToken(c *call) reply {
	in := c.installations[c.number("installation_id")]
	if in == nil {
		return notFound()
	}
	if !in.suspended.IsZero() {
		return problem(http.StatusForbidden, "This installation has been suspended")
	}
	var ask struct {
		RepositoryIDs []int64           `json:"repository_ids"`
		Repositories  []string          `json:"repositories"`
		Permissions   map[string]string `json:"permissions"`
	}
	if rep, readable := c.decode(&ask); !readable {
		return rep
	}
	t := &token{used: map[string]int{}, installation: in, permissions: in.permissions, expires: c.now().Add(tokenLife)}
	if len(ask.Permissions) > 0 {
		t.permissions = ask.Permissions
	}
	for name, level := range t.permissions {
		if have := in.permissions[name]; have != level && have != "write" && have != "admin" {
			return problem(http.StatusUnprocessableEntity, "The permissions requested are not granted to this installation.")
		}
	}
	ids, found := c.tokenRepositories(in, ask.RepositoryIDs, ask.Repositories)
	if !found {
		return problem(http.StatusUnprocessableEntity, "There is at least one repository that does not exist or is not accessible to the parent installation.")
	}
	t.repositories = ids
	t.value = newTokenValue()
	c.tokens[t.value] = t
	return created(c.tokenJSON(t))
}

func (c *call) tokenRepositories(in *installation, ids []int64, names []string) ([]int64, bool) {
	for _, name := range names {
		repo := c.find(c.accounts[in.owner].login + "/" + name)
		if repo == nil {
			return nil, false
		}
		ids = append(ids, repo.id)
	}
	for _, id := range ids {
		if !in.repositories[id] {
			return nil, false
		}
	}
	return ids, true
}

// newTokenValue makes a token of no fixed length (reference: GitHub's notice that
// installation tokens vary in length).
func newTokenValue() string {
	raw := make([]byte, 40)
	_, _ = rand.Read(raw) // never fails (crypto/rand)
	return "ghs_" + hex.EncodeToString(raw[:18+int(raw[39])%20])
}

func (s *Server) tokenJSON(t *token) obj {
	out := obj{
		"token": t.value, "expires_at": stamp(t.expires), "permissions": t.permissions, "repository_selection": "selected",
	}
	if t.repositories != nil {
		repositories := []obj{}
		for _, id := range t.repositories {
			repositories = append(repositories, s.repositoryJSON(s.repositories[id]))
		}
		out["repositories"] = repositories
	}
	return out
}

func installationRepositories(c *call) reply {
	var all []*repository
	for _, repo := range sorted(c.repositories) {
		if c.token.reaches(repo.id) {
			all = append(all, repo)
		}
	}
	return wrapped(c, "repositories", all, c.repositoryJSON)
}

// InstallationToken mints a token for everything that the installation on repo has:
// for tests that speak to the API themselves.
func (s *Server) InstallationToken(repo forgetest.Repository) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	in := s.installationOf(s.repository(repo))
	t := &token{used: map[string]int{}, value: newTokenValue(), installation: in, permissions: in.permissions, expires: s.now().Add(tokenLife)}
	s.tokens[t.value] = t
	return t.value
}

// sorted lists the values of a map by key.
func sorted[T any](m map[int64]T) []T {
	out := make([]T, 0, len(m))
	for _, id := range slices.Sorted(maps.Keys(m)) {
		out = append(out, m[id])
	}
	return out
}
