package probe

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

const (
	areaAccess  = "Credential"
	areaRules   = "Protection"
	areaHistory = "History and people"
	areaReading = "What a release reads"
	areaPosts   = "What the gate writes"
	areaJob     = "ID tokens"
	areaHand    = "To be looked at"
)

func githubAccess() []Fact {
	return []Fact{
		{
			ID: "github.app", Area: areaAccess, Needs: NeedsRead, check: githubApp,
			Assumes: "The App's private key signs in as the configured App.", Used: "every call", Follows: "the gate cannot reach this forge: mend app_id or private_key_file",
		},
		{
			ID: "github.installation-by-name", Area: areaAccess, Needs: NeedsRead, check: githubInstallation,
			Assumes: "The App is installed on the repository, and GitHub finds the installation by the repository's name.",
			Used:    "finding the credential for a repository", Follows: "install the App on the scratch repository",
		},
		{
			ID: "github.repository", Area: areaAccess, Needs: NeedsRead, check: githubRepository,
			Assumes: "A token of the installation, narrowed to one repository, reads it, and GitHub names its number.",
			Used:    "every call", Follows: "the gate reads nothing of a repository",
		},
		{
			ID: "github.installation-by-number", Area: areaAccess, Needs: NeedsRead, Copes: true, check: githubByNumber,
			Assumes: "GitHub finds an installation by the repository's number, which it does not document.",
			Used:    "finding the credential for a repository",
			Follows: "the gate asks by name, then tries the App's installations one by one: a few calls more, nothing else",
		},
		{
			ID: "github.repository-by-number", Area: areaAccess, Needs: NeedsRead, check: githubPathByNumber,
			Assumes: "GitHub answers for a repository by its number, which it does not document.",
			Used:    "telling a renamed repository from one that took over its name",
			Follows: "the gate finds no repository: it waits, and signs nothing",
		},
		{
			ID: "github.permissions", Area: areaAccess, Needs: NeedsRead, check: githubPermissions,
			Assumes: "The installation has what the gate asks for.", Used: "every call",
			Follows: "what is missing stays unknown, and releases wait for it: add the permission to the App, and have the installation's owner accept it",
		},
		{
			ID: "github.token-narrowed", Area: areaAccess, Needs: NeedsRead, check: githubNarrowed,
			Assumes: "A token can be narrowed to one repository by its number and to the permissions asked for, says so, and lasts an hour.",
			Used:    "keeping one repository's credential from another", Follows: "tokens reach more than the gate needs",
		},
		{
			ID: "github.token-elsewhere", Area: areaAccess, Needs: NeedsRead, Copes: true, check: githubElsewhere,
			Assumes: "A token for one repository does not read a public repository that the App is not installed on.",
			Used:    "reading by names that may have been given away",
			Follows: "nothing by itself: answers are held to the repository's number anyway",
			Try:     "name such a repository with --public",
		},
		{
			ID: "github.etag", Area: areaAccess, Needs: NeedsRead, Copes: true, check: githubETag,
			Assumes: "GitHub answers 304 to a question whose answer did not change.", Used: "sparing the rate limit",
			Follows: "every reading costs its full number of calls",
		},
		{
			ID: "github.rate-limit", Area: areaAccess, Needs: NeedsRead, Copes: true, check: githubRate,
			Assumes: "Answers tell what is left of the rate limit, and until when.", Used: "keeping calls in reserve for final checks", Follows: "no calls are kept in reserve: under load a release may have to wait for the next hour",
		},
		{
			ID: "github.deliveries", Area: areaAccess, Needs: NeedsRead, Copes: true, check: githubDeliveries,
			Assumes: "The App may list its webhook's deliveries.", Used: "finding deliveries that were missed",
			Follows: "what a lost delivery said is seen only when the request is looked at again, minutes later",
		},
	}
}

func githubApp(ctx context.Context, s *session) result {
	s.app = &wire{client: &http.Client{Transport: s.App, Timeout: s.Client.Timeout, CheckRedirect: s.Client.CheckRedirect}, base: s.APIURL, sign: githubHeaders("")}
	var app struct {
		ID   int64  `json:"id"`
		Slug string `json:"slug"`
	}
	a := s.app.get(ctx, nil, "app")
	if a.err == nil && a.status == http.StatusUnauthorized {
		return a.refused()
	}
	if r, ok := a.read(&app); !ok {
		return r
	}
	if app.ID <= 0 || app.Slug == "" {
		return fails("GitHub names neither number nor slug of the App")
	}
	s.self.Login = app.Slug + "[bot]"
	s.version = a.header.Get("X-Github-Enterprise-Version")
	return holds("App %d", app.ID)
}

// githubHeaders pins the version of the API; the token, where there is one, signs.
func githubHeaders(token string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Set("Accept", "application/vnd.github+json")
		r.Header.Set("X-GitHub-Api-Version", "2022-11-28")
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
	}
}

type installationJSON struct {
	ID          int64             `json:"id"`
	AppSlug     string            `json:"app_slug"`
	Account     account           `json:"account"`
	Permissions map[string]string `json:"permissions"`
	SuspendedAt *time.Time        `json:"suspended_at"`
}

func githubInstallation(ctx context.Context, s *session) result {
	if s.app == nil {
		return untold("the App's credential could not be tried")
	}
	var in installationJSON
	if r, ok := s.app.get(ctx, nil, "repos", s.owner, s.name, "installation").read(&in); !ok {
		return r
	}
	switch {
	case in.ID <= 0:
		return fails("the installation has no number")
	case in.SuspendedAt != nil:
		return fails("the installation is suspended")
	}
	s.Permissions = usable(s.Permissions, in.Account)
	s.installation, s.granted = in.ID, in.Permissions
	return holds("installation %d", in.ID)
}

// minted is a new token (REST API, schema installation-token).
type minted struct {
	Token        string            `json:"token"`
	ExpiresAt    time.Time         `json:"expires_at"`
	Permissions  map[string]string `json:"permissions"`
	Repositories []repositoryJSON  `json:"repositories"`
}

type repositoryJSON struct {
	ID            int64  `json:"id"`
	FullName      string `json:"full_name"`
	DefaultBranch string `json:"default_branch"`
	Owner         struct {
		ID int64 `json:"id"`
	} `json:"owner"`
}

func (s *session) mint(ctx context.Context, body any) (minted, result, bool) {
	var m minted
	a := s.app.call(ctx, http.MethodPost, nil, body, "app", "installations", strconv.FormatInt(s.installation, 10), "access_tokens")
	r, ok := a.read(&m)
	if ok && m.Token == "" {
		return m, fails("GitHub answered without a token"), false
	}
	return m, r, ok
}

// wanted is what the gate asks for, as far as the installation has it.
func (s *session) wanted() map[string]string {
	out := map[string]string{}
	for name, level := range s.Permissions {
		switch have := s.granted[name]; {
		case have == "":
		case level == "write" && have == "read":
			out[name] = have
		default:
			out[name] = level
		}
	}
	return out
}

func githubRepository(ctx context.Context, s *session) result {
	if s.installation == 0 {
		return untold("no installation was found")
	}
	m, r, ok := s.mint(ctx, map[string]any{"repositories": []string{s.name}, "permissions": s.wanted()})
	if !ok {
		return r
	}
	w := &wire{client: s.Client, base: s.APIURL, graphQL: s.GraphQLURL, sign: githubHeaders(m.Token)}
	var repo repositoryJSON
	if r, ok := w.get(ctx, nil, "repos", s.owner, s.name).read(&repo); !ok {
		return r
	}
	if repo.ID <= 0 || repo.Owner.ID <= 0 || repo.DefaultBranch == "" {
		return fails("GitHub answered without the repository's number, its owner's, or its default branch")
	}
	s.repo, s.id, s.ownerID, s.branch = w, repo.ID, repo.Owner.ID, repo.DefaultBranch
	var b struct {
		Commit struct {
			SHA string `json:"sha"`
		} `json:"commit"`
	}
	if r, ok := w.get(ctx, nil, s.at("branches", s.branch)...).read(&b); !ok {
		return r
	}
	s.head = b.Commit.SHA
	return holds("repository %d", s.id)
}

// at is a path below the repository.
func (s *session) at(more ...string) []string {
	return append([]string{"repos", s.owner, s.name}, more...)
}

func (s *session) number() string { return strconv.FormatInt(s.id, 10) }

func githubByNumber(ctx context.Context, s *session) result {
	if r, is := s.unready(); is {
		return r
	}
	var in installationJSON
	if r, ok := s.app.get(ctx, nil, "repositories", s.number(), "installation").read(&in); !ok {
		return r
	}
	if in.ID != s.installation {
		return fails("expected installation %d, got %d", s.installation, in.ID)
	}
	return holds("the same installation as by name")
}

func githubPathByNumber(ctx context.Context, s *session) result {
	if r, is := s.unready(); is {
		return r
	}
	var repo repositoryJSON
	if r, ok := s.repo.get(ctx, nil, "repositories", s.number()).read(&repo); !ok {
		return r
	}
	if repo.ID != s.id || repo.FullName == "" || repo.Owner.ID != s.ownerID {
		return fails("expected repository %d, got %d", s.id, repo.ID)
	}
	return holds("the same repository as by name")
}

func githubPermissions(_ context.Context, s *session) result {
	if s.installation == 0 {
		return untold("no installation was found")
	}
	if missing := Missing(s.Permissions, s.granted); len(missing) > 0 {
		return fails("missing: %s", list(missing))
	}
	return holds("%d permissions", len(s.Permissions))
}

func githubNarrowed(ctx context.Context, s *session) result {
	if r, is := s.unready(); is {
		return r
	}
	want := s.wanted()
	m, r, ok := s.mint(ctx, map[string]any{"repository_ids": []int64{s.id}, "permissions": want})
	switch {
	case !ok:
		return r
	case len(m.Repositories) != 1 || m.Repositories[0].ID != s.id || m.Repositories[0].FullName == "":
		return fails("the token names %d repositories, not the one asked for", len(m.Repositories))
	case len(Missing(m.Permissions, want)) > 0:
		return fails("the token has more than was asked for: %s", list(Missing(m.Permissions, want)))
	case m.ExpiresAt.IsZero() || m.ExpiresAt.Sub(s.Now()) > 2*time.Hour:
		return fails("the token does not end within two hours")
	}
	return holds("one repository, %d permissions", len(m.Permissions))
}

func githubElsewhere(ctx context.Context, s *session) result {
	if r, is := s.unready(); is {
		return r
	}
	owner, name, ok := cutName(s.Public)
	if !ok {
		return untold("no public repository was named")
	}
	a := s.repo.get(ctx, nil, "repos", owner, name)
	switch {
	case a.err == nil && slices.Contains([]int{http.StatusNotFound, http.StatusForbidden}, a.status):
		return holds("GitHub answered %d", a.status)
	case a.err == nil && a.status == http.StatusOK:
		return fails("GitHub let the token read it")
	}
	return a.silent()
}

func githubETag(ctx context.Context, s *session) result {
	if r, is := s.unready(); is {
		return r
	}
	first := s.repo.get(ctx, nil, s.at()...)
	tag := first.header.Get("ETag")
	if first.err != nil || first.status != http.StatusOK {
		return first.silent()
	}
	if tag == "" {
		return fails("answers have no ETag")
	}
	again := s.repo.send(ctx, answer{what: first.what}, http.MethodGet, s.repo.base+"/repos/"+url.PathEscape(s.owner)+"/"+url.PathEscape(s.name),
		nil, http.Header{"If-None-Match": {tag}})
	switch {
	case again.err != nil || again.status >= 400:
		return again.silent()
	case again.status != http.StatusNotModified:
		return fails("GitHub answered %d in full", again.status)
	}
	return holds("304")
}

func githubRate(ctx context.Context, s *session) result {
	if r, is := s.unready(); is {
		return r
	}
	a := s.repo.get(ctx, nil, s.at()...)
	if a.err != nil || a.status != http.StatusOK {
		return a.silent()
	}
	for _, name := range []string{"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"} {
		if _, err := strconv.Atoi(a.header.Get(name)); err != nil {
			return fails("answers have no %s", name)
		}
	}
	return holds("%s calls an hour", a.header.Get("X-RateLimit-Limit"))
}

func githubDeliveries(ctx context.Context, s *session) result {
	if s.app == nil {
		return untold("the App's credential could not be tried")
	}
	var rows []struct {
		ID    int64  `json:"id"`
		GUID  string `json:"guid"`
		Event string `json:"event"`
	}
	if r, ok := s.app.get(ctx, url.Values{"per_page": {"5"}}, "app", "hook", "deliveries").read(&rows); !ok {
		return r
	}
	for _, d := range rows {
		if d.ID <= 0 || d.GUID == "" || d.Event == "" {
			return fails("a delivery has no number, GUID or event")
		}
	}
	if len(rows) == 0 {
		return untold("nothing was delivered yet: comment in the scratch repository to find out")
	}
	return holds("%d shown", len(rows))
}
