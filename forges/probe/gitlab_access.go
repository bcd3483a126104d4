package probe

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

func gitlabAccess() []Fact {
	return []Fact{
		{
			ID: "gitlab.token", Area: areaAccess, Needs: NeedsRead, check: gitlabSelf,
			Assumes: "The access token is accepted, and belongs to an account that GitLab marks as a bot.", Used: "every call",
			Follows: "the gate cannot reach this forge, or acts under a person's account: use a project or group access token, or a service account",
		},
		{
			ID: "gitlab.version", Area: areaAccess, Needs: NeedsRead, Copes: true, check: gitlabVersion,
			Assumes: "GitLab tells its version.", Used: "saying what was found out on which version",
			Follows: "findings are shown without the version",
		},
		{
			ID: "gitlab.project", Area: areaAccess, Needs: NeedsRead, check: gitlabProject,
			Assumes: "The project is read by its path, and by its number.", Used: "every call",
			Follows: "make the gate's account Maintainer of the scratch project",
		},
		{
			ID: "gitlab.maintainer", Area: areaAccess, Needs: NeedsRead, check: gitlabMaintainer,
			Assumes: "The gate's account is Maintainer of the project.", Used: "statuses on protected tags, pipeline variables",
			Follows: "statuses on protected tags are refused, and releases wait for the pipeline's variables: make it Maintainer",
		},
		{
			ID: "gitlab.token-scope", Area: areaAccess, Needs: NeedsRead, Copes: true, check: gitlabScope,
			Assumes: "GitLab tells the token's scopes and when it ends.", Used: "doctor's warning before the token ends",
			Follows: "nobody is warned before the token ends: note its date elsewhere",
		},
		{
			ID: "gitlab.totals", Area: areaAccess, Needs: NeedsRead, Copes: true, check: gitlabTotals,
			Assumes: "Lists tell how long they are (X-Total).", Used: "telling a list that was cut short",
			Follows: "lists are believed to be complete when GitLab names no further page, and are read again each time",
		},
		{
			ID: "gitlab.rate-limit", Area: areaAccess, Needs: NeedsRead, Copes: true, check: gitlabRate,
			Assumes: "Answers tell what is left of the rate limit.", Used: "nothing yet: GitLab's limit is met by waiting",
			Follows: "nothing",
		},
	}
}

func gitlabHeaders(token string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("PRIVATE-TOKEN", token) }
}

// project is a path below the scratch project, by number once that is known.
func (s *session) project(more ...string) []string {
	id := s.Repository
	if s.id != 0 {
		id = s.number()
	}
	return append([]string{"projects", id}, more...)
}

func gitlabSelf(ctx context.Context, s *session) result {
	s.repo = &wire{client: s.Client, base: s.APIURL, graphQL: s.GraphQLURL, sign: gitlabHeaders(s.Token)}
	var u account
	a := s.repo.get(ctx, nil, "user")
	if a.err == nil && a.status == http.StatusUnauthorized {
		return a.refused()
	}
	if r, ok := a.read(&u); !ok {
		return r
	}
	s.self = u
	switch {
	case u.ID <= 0 || u.Username == "":
		return fails("GitLab names no account")
	case u.Bot == nil:
		return fails("GitLab does not say whether account %d is a bot", u.ID)
	case !*u.Bot:
		return fails("account %d is a person's", u.ID)
	}
	return holds("account %d", u.ID)
}

func gitlabVersion(ctx context.Context, s *session) result {
	if s.repo == nil {
		return untold("the token could not be tried")
	}
	var v struct {
		Version string `json:"version"`
	}
	if r, ok := s.repo.get(ctx, nil, "metadata").read(&v); !ok {
		return r
	}
	if v.Version == "" {
		return fails("GitLab tells none")
	}
	s.version = v.Version
	return holds("%s", v.Version)
}

type projectJSON struct {
	ID            int64  `json:"id"`
	Path          string `json:"path_with_namespace"`
	DefaultBranch string `json:"default_branch"`
	Namespace     struct {
		ID int64 `json:"id"`
	} `json:"namespace"`
}

func gitlabProject(ctx context.Context, s *session) result {
	if s.self.ID == 0 {
		return untold("the token could not be tried")
	}
	var byPath, byNumber projectJSON
	if r, ok := s.repo.get(ctx, nil, "projects", s.Repository).read(&byPath); !ok {
		return r
	}
	if r, ok := s.repo.get(ctx, nil, "projects", strconv.FormatInt(byPath.ID, 10)).read(&byNumber); !ok {
		return r
	}
	if byPath.ID <= 0 || byPath != byNumber || byPath.Namespace.ID <= 0 || byPath.DefaultBranch == "" {
		return fails("the project lacks its number, its namespace's or its default branch, or is another by number")
	}
	s.id, s.ownerID, s.branch = byPath.ID, byPath.Namespace.ID, byPath.DefaultBranch
	head, r, ok := s.gitlabCommit(ctx, "refs/heads/"+s.branch)
	if !ok {
		return r
	}
	s.head = head
	return holds("project %d", s.id)
}

type memberJSON struct {
	ID          int64  `json:"id"`
	State       string `json:"state"`
	AccessLevel *int   `json:"access_level"`
}

func gitlabMaintainer(ctx context.Context, s *session) result {
	if r, is := s.unready(); is {
		return r
	}
	var m memberJSON
	if r, ok := s.repo.get(ctx, nil, s.project("members", "all", strconv.FormatInt(s.self.ID, 10))...).read(&m); !ok {
		return r
	}
	switch {
	case m.ID != s.self.ID || m.AccessLevel == nil:
		return fails("the membership lacks the account's number or its level")
	case *m.AccessLevel < 40:
		return fails("its access level is %d, Maintainer's is 40", *m.AccessLevel)
	}
	return holds("access level %d", *m.AccessLevel)
}

// tokenJSON is one access token (API docs: personal access tokens, self).
type tokenJSON struct {
	Scopes    []string `json:"scopes"`
	ExpiresAt string   `json:"expires_at"` // a date
}

func gitlabScope(ctx context.Context, s *session) result {
	if s.self.ID == 0 {
		return untold("the token could not be tried")
	}
	var t tokenJSON
	if r, ok := s.repo.get(ctx, nil, "personal_access_tokens", "self").read(&t); !ok {
		return r
	}
	if !slices.Contains(t.Scopes, "api") {
		return fails("scope api is not among its scopes")
	}
	if _, err := time.Parse(time.DateOnly, t.ExpiresAt); err != nil {
		return fails("the token's end is no date")
	}
	return holds("ends on %s", t.ExpiresAt)
}

func gitlabTotals(ctx context.Context, s *session) result {
	if r, is := s.unready(); is {
		return r
	}
	a := s.repo.get(ctx, url.Values{"per_page": {"1"}}, s.project("members", "all")...)
	if a.err != nil || a.status != http.StatusOK {
		return a.silent()
	}
	if _, err := strconv.Atoi(a.header.Get("X-Total")); err != nil {
		return fails("a list has no X-Total")
	}
	return holds("counted")
}

func gitlabRate(ctx context.Context, s *session) result {
	if r, is := s.unready(); is {
		return r
	}
	a := s.repo.get(ctx, nil, s.project()...)
	if a.err != nil || a.status != http.StatusOK {
		return a.silent()
	}
	if _, err := strconv.Atoi(a.header.Get("RateLimit-Remaining")); err != nil {
		return fails("answers have no RateLimit-Remaining")
	}
	return holds("%s calls a minute", a.header.Get("RateLimit-Limit"))
}
