package github

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/bradleyfalzon/ghinstallation/v2"
	"github.com/google/go-github/v62/github"
	"golang.org/x/sync/semaphore"

	"github.com/countersign/countersign/forges"
	"github.com/countersign/countersign/gate"
)

const (
	perPage = "100"
	// maxPages bounds every listing. A longer one is an error, never a part.
	maxPages = 100
	// parallel is how many calls one reading has under way (GitHub's secondary limits).
	parallel = 4
)

// caller makes calls with one credential. Every path is given as segments, each
// escaped here: go-github escapes some of them and not others.
type caller struct {
	client  *github.Client
	graphQL string
	slots   *semaphore.Weighted
}

// callError is a call that did not answer what was asked.
type callError struct {
	status  int // 0 where no answer came
	message string
	what    string // "GET repositories/1/…", without query
	limited bool   // a rate limit said so
	// inAnswer marks GraphQL's errors in a 200.
	inAnswer bool
	err      error
}

func (e *callError) Error() string {
	var limit *forges.LimitError
	var classified *gate.Error
	switch {
	case errors.As(e.err, &limit) && errors.As(e.err, &classified):
		return classified.Text
	case e.status == 0:
		return fmt.Sprintf("GitHub did not answer %s: %v", e.what, e.err)
	case e.status < 300:
		return fmt.Sprintf("GitHub's answer to %s does not fit its description: %v", e.what, e.err)
	case e.message != "":
		return fmt.Sprintf("GitHub answered %d (%s) to %s", e.status, e.message, e.what)
	}
	return fmt.Sprintf("GitHub answered %d to %s", e.status, e.what)
}

func (e *callError) Unwrap() error { return e.err }

// isNotFound reports whether the forge said that there is no such thing. The caller
// must know that the repository itself answers.
func isNotFound(err error) bool {
	var e *callError
	return errors.As(err, &e) && e.status == http.StatusNotFound
}

func statusOf(err error) int {
	var e *callError
	if !errors.As(err, &e) {
		return 0
	}
	var limit *github.RateLimitError
	var abuse *github.AbuseRateLimitError
	if errors.As(e.err, &limit) || errors.As(e.err, &abuse) || e.limited {
		return http.StatusTooManyRequests // GitHub says 403: trying again helps all the same
	}
	return e.status
}

// classify makes err the error that crosses rooms.
func classify(op string, err error) *gate.Error { return forges.Classify(op, statusOf(err), err) }

// why is err in words for a maintainer.
func why(err error) string {
	var e *callError
	if errors.As(err, &e) {
		return e.Error()
	}
	return err.Error()
}

// answered reports whether GraphQL answered 200 with errors.
func answered(err error) bool {
	var e *callError
	return errors.As(err, &e) && e.inAnswer
}

// path escapes and joins segments. A dot segment would leave the endpoint, and a
// control character never names anything (attack 21).
func path(segments ...string) (string, error) {
	out := make([]string, len(segments))
	for i, s := range segments {
		if s == "" || s == "." || s == ".." || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return "", fmt.Errorf("name %q: expected one that may stand in a path", s)
		}
		out[i] = url.PathEscape(s)
	}
	return strings.Join(out, "/"), nil
}

func (c *caller) send(ctx context.Context, method string, q url.Values, body any, segments ...string) ([]byte, *github.Response, error) {
	p, err := path(segments...)
	what := method + " " + p
	if err != nil {
		return nil, nil, err
	}
	if len(q) > 0 {
		p += "?" + q.Encode()
	}
	req, err := c.client.NewRequest(method, p, body)
	if err != nil {
		return nil, nil, fmt.Errorf("make request %s: %w", what, err)
	}
	return c.do(ctx, req, what)
}

func (c *caller) do(ctx context.Context, req *http.Request, what string) ([]byte, *github.Response, error) {
	if err := c.slots.Acquire(ctx, 1); err != nil {
		return nil, nil, &callError{what: what, err: err}
	}
	defer c.slots.Release(1)
	var buf bytes.Buffer
	resp, err := c.client.Do(ctx, req, &buf)
	if err != nil {
		return nil, resp, newCallError(what, resp, err)
	}
	return buf.Bytes(), resp, nil
}

func newCallError(what string, resp *github.Response, err error) *callError {
	e := &callError{what: what, err: err}
	if resp != nil && resp.Response != nil {
		e.status = resp.StatusCode
		e.limited = resp.StatusCode == http.StatusForbidden && resp.Header.Get("Retry-After") != ""
	}
	var answer *github.ErrorResponse
	if errors.As(err, &answer) {
		e.message = answer.Message
	}
	var mint *ghinstallation.HTTPError
	if errors.As(err, &mint) && mint.Response != nil {
		_ = mint.Response.Body.Close() // ghinstallation leaves it open
		e.message = fmt.Sprintf("no installation token: %d", mint.Response.StatusCode)
		// Never the mint's own status: its 404 says nothing about what was asked for.
		e.status = http.StatusUnauthorized
		if mint.Response.StatusCode >= 500 || mint.Response.StatusCode == http.StatusTooManyRequests {
			e.status = http.StatusServiceUnavailable
		}
	}
	return e
}

// call sends and decodes. An empty answer is an error, which go-github's own decoding
// takes for success, and so is null, which would decode to an empty list.
func (c *caller) call(ctx context.Context, method string, into any, q url.Values, body any, segments ...string) (*github.Response, error) {
	raw, resp, err := c.send(ctx, method, q, body, segments...)
	if err != nil {
		return resp, err
	}
	err = json.Unmarshal(raw, into)
	if err == nil && string(bytes.TrimSpace(raw)) == "null" {
		err = errors.New("null")
	}
	if err != nil {
		return resp, &callError{status: resp.StatusCode, what: method + " " + strings.Join(segments, "/"), err: err}
	}
	return resp, nil
}

func (c *caller) get(ctx context.Context, into any, q url.Values, segments ...string) error {
	_, err := c.call(ctx, http.MethodGet, into, q, nil, segments...)
	return err
}

// pages reads a listing to its end, and gives each page to take, which returns false
// to stop early. Only the cursor is taken from the Link header, never its URL.
func pages[T any](ctx context.Context, c *caller, q url.Values, take func(T) (bool, error), segments ...string) error {
	query := url.Values{"per_page": {perPage}}
	for k, v := range q {
		query[k] = v
	}
	for range maxPages {
		var page T
		resp, err := c.call(ctx, http.MethodGet, &page, query, nil, segments...)
		if err != nil {
			return err
		}
		more, err := take(page)
		switch {
		case err != nil:
			return err
		case !more:
			return nil
		case resp.NextPage != 0:
			query.Set("page", fmt.Sprint(resp.NextPage))
		case resp.After != "":
			query.Set("after", resp.After)
		case resp.Cursor != "":
			query.Set("cursor", resp.Cursor)
		default:
			return nil
		}
	}
	return fmt.Errorf("GitHub lists more than %d pages at %s", maxPages, strings.Join(segments, "/"))
}

// list reads a whole listing of items.
func list[T any](ctx context.Context, c *caller, q url.Values, segments ...string) ([]T, error) {
	var all []T
	err := pages(ctx, c, q, func(page []T) (bool, error) {
		all = append(all, page...)
		return true, nil
	}, segments...)
	return all, err
}

// query asks GraphQL. An answer with errors is a failure, even where data came too
// (attack 72).
func (c *caller) query(ctx context.Context, text string, variables map[string]any, into any) error {
	const what = "POST graphql"
	req, err := c.client.NewRequest(http.MethodPost, c.graphQL, map[string]any{"query": text, "variables": variables})
	if err != nil {
		return fmt.Errorf("make GraphQL request: %w", err)
	}
	raw, resp, err := c.do(forges.Reading(ctx), req, what)
	if err != nil {
		return err
	}
	var answer struct {
		Data   json.RawMessage `json:"data"`
		Errors []struct {
			Message string `json:"message"`
		} `json:"errors"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return &callError{status: resp.StatusCode, what: what, err: err}
	}
	if len(answer.Errors) > 0 {
		return &callError{status: resp.StatusCode, what: what, inAnswer: true, err: fmt.Errorf("errors: %s", answer.Errors[0].Message)}
	}
	if len(answer.Data) == 0 || string(answer.Data) == "null" {
		return &callError{status: resp.StatusCode, what: what, err: errors.New("no data")}
	}
	if err := whole(answer.Data); err != nil {
		return &callError{status: resp.StatusCode, what: what, err: err}
	}
	if err := json.Unmarshal(answer.Data, into); err != nil {
		return &callError{status: resp.StatusCode, what: what, err: err}
	}
	return nil
}
