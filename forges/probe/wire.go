package probe

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// wire makes the probe's own calls with one credential.
type wire struct {
	client  *http.Client
	base    string // REST base without a trailing slash
	graphQL string
	sign    func(*http.Request)
}

// answer is what came of one call.
type answer struct {
	what   string // "GET repos/…", without query
	status int
	header http.Header
	body   []byte
	err    error // no answer came
}

// call asks once. Every segment is escaped by itself.
func (w *wire) call(ctx context.Context, method string, q url.Values, body any, segments ...string) answer {
	parts := make([]string, len(segments))
	for i, s := range segments {
		parts[i] = url.PathEscape(s)
	}
	p := strings.Join(parts, "/")
	a := answer{what: method + " " + p}
	to := w.base + "/" + p
	if len(q) > 0 {
		to += "?" + q.Encode()
	}
	return w.send(ctx, a, method, to, body, nil)
}

func (w *wire) get(ctx context.Context, q url.Values, segments ...string) answer {
	return w.call(ctx, http.MethodGet, q, nil, segments...)
}

// query asks GraphQL.
func (w *wire) query(ctx context.Context, text string, variables map[string]any) answer {
	return w.send(ctx, answer{what: "POST graphql"}, http.MethodPost, w.graphQL, map[string]any{"query": text, "variables": variables}, nil)
}

func (w *wire) send(ctx context.Context, a answer, method, to string, body any, header http.Header) answer {
	var sent io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			a.err = fmt.Errorf("encode %s: %w", a.what, err)
			return a
		}
		sent = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, to, sent)
	if err != nil {
		a.err = fmt.Errorf("make %s: %w", a.what, err)
		return a
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, values := range header {
		req.Header[name] = values
	}
	w.sign(req)
	resp, err := w.client.Do(req)
	if err != nil {
		a.err = fmt.Errorf("%s: %w", a.what, plainError(err))
		return a
	}
	defer func() { _ = resp.Body.Close() }() // read as far as it goes
	a.status, a.header = resp.StatusCode, resp.Header
	if a.body, err = io.ReadAll(resp.Body); err != nil {
		a.err = fmt.Errorf("read the answer to %s: %w", a.what, err)
	}
	return a
}

// plainError is an error without the URL, which what says already.
func plainError(err error) error {
	if e := new(url.Error); asError(err, &e) {
		return e.Err
	}
	return err
}

// read decodes a success. Otherwise the second result says why nothing can be told, and
// is for the caller to return.
func (a answer) read(into any) (result, bool) {
	if a.err != nil || a.status == http.StatusTooManyRequests || a.status >= 500 || a.status == http.StatusUnauthorized {
		return a.silent(), false
	}
	if a.status != http.StatusOK && a.status != http.StatusCreated {
		return a.refused(), false
	}
	if err := json.Unmarshal(a.body, into); err != nil {
		return fails("the answer to %s does not decode: %v", a.what, err), false
	}
	return result{}, true
}

// data decodes GraphQL's data.
func (a answer) data(into any) (result, bool) {
	var envelope struct {
		Data   json.RawMessage `json:"data"`
		Errors []struct {
			Message string `json:"message"`
		} `json:"errors"`
	}
	if r, ok := a.read(&envelope); !ok {
		return r, false
	}
	if len(envelope.Errors) > 0 {
		return fails("GraphQL answered: %s", clip(envelope.Errors[0].Message)), false
	}
	if err := json.Unmarshal(envelope.Data, into); err != nil {
		return fails("GraphQL's data does not decode: %v", err), false
	}
	return result{}, true
}

// silent is an answer that says nothing about the fact.
func (a answer) silent() result {
	if a.err != nil {
		return untold("no answer: %v", a.err)
	}
	return untold("the forge answered %d to %s", a.status, a.what)
}

// refused is an answer that says no.
func (a answer) refused() result {
	var said struct {
		Message json.RawMessage `json:"message"`
	}
	text := ""
	if json.Unmarshal(a.body, &said) == nil && len(said.Message) > 0 {
		text = " (" + clip(strings.Trim(string(said.Message), `"`)) + ")"
	}
	return fails("the forge answered %d%s to %s", a.status, text, a.what)
}

func clip(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 160 {
		return string(r[:159]) + "…"
	}
	return s
}
