package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	tokenTimeout  = 15 * time.Second
	tokenRetryFor = time.Minute
	maxTokenBody  = 64 << 10 // bytes
)

// actionsTokens asks the Actions runner's token endpoint for ID tokens.
// Source: docs.github.com, "OpenID Connect reference", "Methods for requesting the
// OIDC token".
type actionsTokens struct {
	endpoint *url.URL
	secret   string
	client   *http.Client
}

func newActionsTokens(endpoint, secret string, client *http.Client) (*actionsTokens, error) {
	u, err := secureURL(endpoint)
	if err != nil {
		return nil, failed(ExitIdentity, "the token endpoint is no URL that a secret may go to", "an https:// URL in ACTIONS_ID_TOKEN_REQUEST_URL",
			err.Error(), "let the runner set it")
	}
	return &actionsTokens{endpoint: u, secret: secret, client: client}, nil
}

// token gets a fresh ID token for the audience.
func (a *actionsTokens) token(ctx context.Context, audience string) (string, error) {
	out, err := backoff.Retry(ctx, func() (string, error) { return a.once(ctx, audience) },
		backoff.WithBackOff(patience()), backoff.WithMaxElapsedTime(tokenRetryFor), backoff.WithMaxTries(4))
	if err != nil {
		return "", err
	}
	return out, nil
}

func (a *actionsTokens) once(ctx context.Context, audience string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	u := *a.endpoint
	q := u.Query()
	q.Set("audience", audience)
	u.RawQuery = q.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return "", backoff.Permanent(noToken(ExitIdentity, "a request", err.Error()))
	}
	req.Header.Set("Authorization", "Bearer "+a.secret)
	req.Header.Set("Accept", "application/json; api-version=2.0")
	resp, err := a.client.Do(req)
	if err != nil {
		return "", noToken(ExitRetry, "an answer", bare(err))
	}
	defer func() { _ = resp.Body.Close() }() // read to its end or given up
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxTokenBody))
	switch {
	case resp.StatusCode >= http.StatusInternalServerError || resp.StatusCode == http.StatusTooManyRequests:
		return "", noToken(ExitRetry, "200 OK", resp.Status)
	case resp.StatusCode != http.StatusOK:
		return "", backoff.Permanent(noToken(ExitIdentity, "200 OK", resp.Status))
	case err != nil:
		return "", noToken(ExitRetry, "a whole answer", bare(err))
	}
	var answer struct{ Value string }
	if err := json.Unmarshal(body, &answer); err != nil || answer.Value == "" {
		return "", backoff.Permanent(noToken(ExitIdentity, `{"value": "<ID token>"}`, fmt.Sprintf("%d bytes of another form", len(body))))
	}
	return answer.Value, nil
}

func noToken(exit Exit, expected, got string) *failure {
	return failed(exit, "the runner gave no ID token", expected, got, "start the job again; see githubstatus.com where it stays so")
}
