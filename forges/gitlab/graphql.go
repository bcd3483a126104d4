package gitlab

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	lib "github.com/xanzy/go-gitlab"
)

const maxGraphQL = 8 << 20

// errGraphQL is a 200 that carries errors: it counts as a failure, whatever data
// came with it (attack 72).
var errGraphQL = fmt.Errorf("GraphQL answered with errors: %w", errUnexpected)

// graphQL asks one query. go-gitlab has no GraphQL.
func (s *session) graphQL(ctx context.Context, query string, variables map[string]any, out any) error {
	if err := s.enter(ctx); err != nil {
		return fmt.Errorf("ask GraphQL: %w", err)
	}
	defer s.leave()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		return fmt.Errorf("encode a GraphQL query: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.base.String()+"/api/graphql", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("make a GraphQL request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "countersign")
	req.Header.Set("PRIVATE-TOKEN", s.token)
	res, err := s.client.Do(req)
	if err != nil {
		s.mute.heard(err)
		return fmt.Errorf("ask GraphQL: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	if err := lib.CheckResponse(res); err != nil {
		return fmt.Errorf("ask GraphQL: %w", err)
	}
	var answer struct {
		Data   json.RawMessage   `json:"data"`
		Errors []json.RawMessage `json:"errors"`
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxGraphQL)).Decode(&answer); err != nil {
		s.mute.heard(err)
		return fmt.Errorf("read GraphQL's answer: %w", err)
	}
	if len(answer.Errors) > 0 || len(answer.Data) == 0 {
		return errGraphQL
	}
	if err := json.Unmarshal(answer.Data, out); err != nil {
		return fmt.Errorf("read GraphQL's answer: %w", err)
	}
	return nil
}

// gid is the project in GraphQL.
func (s *session) gid() string { return fmt.Sprintf("gid://gitlab/Project/%d", s.repo.ID) }

// gidOf is the number in a global ID such as gid://gitlab/User/42.
func gidOf(kind, gid string) (int64, error) {
	number, ok := strings.CutPrefix(gid, "gid://gitlab/"+kind+"/")
	id, err := strconv.ParseInt(number, 10, 64)
	if !ok || err != nil || id <= 0 {
		return 0, fmt.Errorf("global ID %q, expected gid://gitlab/%s/number: %w", gid, kind, errUnexpected)
	}
	return id, nil
}

// rawJSON is a part of an answer that is read later.
type rawJSON json.RawMessage

// UnmarshalJSON keeps the bytes.
func (r *rawJSON) UnmarshalJSON(b []byte) error {
	*r = append((*r)[:0], b...)
	return nil
}

// into decodes the part; one that is not there is malformed.
func (r rawJSON) into(out any) error {
	if len(r) == 0 {
		return fmt.Errorf("a part of GraphQL's answer is missing: %w", errUnexpected)
	}
	if err := json.Unmarshal(r, out); err != nil {
		return fmt.Errorf("read GraphQL's answer: %w", err)
	}
	return nil
}
