package gitlab

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	lib "github.com/xanzy/go-gitlab"

	"github.com/countersign/countersign/gate"
)

const (
	perPage     = 100 // GitLab's most (API docs: pagination)
	maxPages    = 60  // of one list: more is reported, never cut off silently
	maxRequests = 4   // at a time, per session
)

// session is one reading of one project: what it looked up is not looked up
// again, and it asks at most maxRequests things at a time.
type session struct {
	*Forge
	repo    gate.RepositoryID
	slots   chan struct{}
	users   memo[int64, user]
	roles   memo[int64, gate.Fact[gate.Member]]
	logs    memo[int64, *pushLog]
	rules   memo[string, []protectedRef]
	mails   memo[string, gate.Fact[gate.Account]]
	made    memo[int64, []version]
	learned learned
	heads   memo[string, branch]
	tags    memo[string, tag]
	lines   lines
	crowd   crowd
	project memo[string, project]
	tier    memo[string, tier]
	teams   teams
	members memo[string, []member]
	// everybody is set where the members are listed anyway.
	everybody bool
	// noReviews spares what nobody judges.
	noReviews bool
	// paid is set before the look is sent: the project's tier has approval rules.
	paid bool
	look *look
	rows memo[string, []mergeRequest] // merged into a branch lately
	mute silence
}

func (f *Forge) session(repo gate.RepositoryID) *session {
	return &session{Forge: f, repo: repo, slots: make(chan struct{}, maxRequests)}
}

// path is a path below the project. Parts are formatted, strings among them escaped.
func (s *session) path(format string, parts ...any) string {
	for i, p := range parts {
		if text, ok := p.(string); ok {
			parts[i] = lib.PathEscape(text)
		}
	}
	return fmt.Sprintf("projects/%d", s.repo.ID) + fmt.Sprintf(format, parts...)
}

// params are query parameters in the form that go-gitlab passes on.

type params url.Values

// EncodeValues implements go-querystring's Encoder.
func (p params) EncodeValues(_ string, into *url.Values) error {
	for name, list := range p {
		(*into)[name] = list
	}
	return nil
}

type query struct {
	Values params `url:"values"`
}

func (s *session) enter(ctx context.Context) error {
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := s.mute.reason(); err != nil {
		s.leave()
		return err
	}
	return nil
}

func (s *session) leave() { <-s.slots }

// do sends one REST request. Parameters of a GET go into the query, others into
// a JSON body.
func (s *session) do(ctx context.Context, method, path string, with url.Values, out any) (*lib.Response, error) {
	if err := s.enter(ctx); err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer s.leave()
	var opt any
	switch {
	case method == http.MethodGet && with != nil:
		opt = query{Values: params(with)}
	case method != http.MethodGet && method != http.MethodDelete:
		body := map[string]string{}
		for name := range with {
			body[name] = with.Get(name)
		}
		opt = body
	}
	req, err := s.api.NewRequest(method, path, opt, []lib.RequestOptionFunc{lib.WithContext(ctx)})
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	res, err := s.api.Do(req, out)
	if err != nil {
		s.mute.heard(err)
		return res, fmt.Errorf("%s %s: %w", method, path, err)
	}
	return res, nil
}

// fetch reads one thing.
func fetch[T any](ctx context.Context, s *session, path string, with url.Values) (T, error) {
	var out T
	_, err := s.do(ctx, http.MethodGet, path, with, &out)
	return out, err
}

// errPartial is an answer that lacks rows which the forge itself counted, or a
// list longer than the gate reads.
var errPartial = errors.New("the list is not complete")

// fetchPage reads one page of a list; next is 0 after the last.
func fetchPage[T any](ctx context.Context, s *session, path string, with url.Values, page int) (rows []T, next, total int, err error) {
	q := url.Values{"per_page": {strconv.Itoa(perPage)}, "page": {strconv.Itoa(page)}}
	for name, list := range with {
		q[name] = list
	}
	res, err := s.do(ctx, http.MethodGet, path, q, &rows)
	if err != nil {
		return nil, 0, 0, err
	}
	if rows == nil {
		return nil, 0, 0, fmt.Errorf("GET %s: null, expected a list: %w", path, errUnexpected)
	}
	total = -1
	if res.Header.Get("X-Total") != "" {
		total = res.TotalItems
	}
	return rows, res.NextPage, total, nil
}

// fetchAll reads a list to its end. Where GitLab counts it, the count must agree
// with what was read (attacks 38 and 70).
func fetchAll[T any](ctx context.Context, s *session, path string, with url.Values) ([]T, error) {
	all, _, err := fetchCounted[T](ctx, s, path, with)
	return all, err
}

// fetchCounted tells also whether GitLab counted the list.
func fetchCounted[T any](ctx context.Context, s *session, path string, with url.Values) (all []T, counted bool, err error) {
	for page := 1; page > 0; {
		if page > maxPages {
			return nil, false, fmt.Errorf("GET %s: more than %d rows: %w", path, maxPages*perPage, errPartial)
		}
		rows, next, total, err := fetchPage[T](ctx, s, path, with, page)
		if err != nil {
			return nil, false, err
		}
		all = append(all, rows...)
		if next == 0 && total >= 0 && total != len(all) {
			return nil, false, fmt.Errorf("GET %s: %d rows of %d: %w", path, len(all), total, errPartial)
		}
		if next != 0 && next <= page {
			return nil, false, fmt.Errorf("GET %s: page %d leads back to %d: %w", path, page, next, errPartial)
		}
		counted, page = total >= 0, next
	}
	return all, counted, nil
}
