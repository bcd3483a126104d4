package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/countersign/countersign/forges"
	"github.com/countersign/countersign/gate"
)

const (
	// maxCode bounds a code and a verifier: GitHub's codes have 20 characters, verifiers at
	// most 128 (RFC 7636).
	maxCode = 256
	// maxTokenAnswer bounds the answer with the user's token, in bytes.
	maxTokenAnswer = 64 << 10
	// revokeTime is how long a token's end is waited for.
	revokeTime = 10 * time.Second
)

// isWeb reports whether a URL can be the web side that a browser is sent to.
func isWeb(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil && u.RawQuery == "" && u.Fragment == ""
}

func tokenURL(web string) string { return strings.TrimRight(web, "/") + "/login/oauth/access_token" }

// CanSignIn reports whether people can sign in here: an OAuth client is configured.
func (f *Forge) CanSignIn() bool { return f.cfg.ClientID != "" }

// AuthorizeURL is where the browser is sent, "" where nobody can sign in (docs, "Generating
// a user access token for a GitHub App"). The challenge is S256 of the verifier (RFC 7636);
// the redirect has to be one of the App's callback URLs, exactly.
func (f *Forge) AuthorizeURL(state, challenge, redirect string) string {
	if !f.CanSignIn() {
		return ""
	}
	q := url.Values{
		"client_id": {f.cfg.ClientID}, "redirect_uri": {redirect}, "state": {state},
		"code_challenge": {challenge}, "code_challenge_method": {"S256"}, "allow_signup": {"false"},
	}
	return strings.TrimRight(f.cfg.URL, "/") + "/login/oauth/authorize?" + q.Encode()
}

// Identify exchanges the code for a user token, reads whose it is, and revokes it. The
// token is neither kept nor shown, and lasts hours at most where GitHub does not take it
// back. Errors: CodeSignIn of kind Refused where GitHub does not take the code, or it is no
// person's; CodeForgeRefused where it does not take the client; of kind Unavailable where
// it does not answer, or not as documented.
func (f *Forge) Identify(ctx context.Context, code, verifier, redirect string) (gate.Account, error) {
	if !f.CanSignIn() {
		return gate.Account{}, &gate.Error{
			Kind: gate.Refused, Code: gate.CodeSignIn, Text: "nobody can sign in with " + string(f.cfg.Forge) + ": it has no OAuth client",
			Fix: "the operator sets client_id and client_secret_file of the forge",
		}
	}
	if !sendable(code) || !sendable(verifier) {
		return gate.Account{}, refusedCode("the code that GitHub gave, unchanged")
	}
	token, err := f.exchange(ctx, code, verifier, redirect)
	if err != nil {
		return gate.Account{}, err
	}
	defer f.revoke(context.WithoutCancel(ctx), token)
	var user userJSON
	if err := f.caller(f.newClient(signedIn{f.transport(), token})).get(ctx, &user, nil, "user"); err != nil {
		return gate.Account{}, classify("read who signed in", err)
	}
	account, ok := f.toAccount(&user)
	switch {
	case !ok || account.Login == "":
		return gate.Account{}, misanswered("read who signed in", errors.New("the account has no number, or no login"))
	case !account.Human:
		return gate.Account{}, &gate.Error{
			Kind: gate.Refused, Code: gate.CodeSignIn, Text: "@" + account.Login + " is not a person's account",
			Expected: "a person", Got: "an account of type " + user.Type, Fix: "sign in as yourself",
		}
	}
	return account, nil
}

// sendable reports whether a value from a browser goes to GitHub at all.
func sendable(s string) bool {
	return s != "" && len(s) <= maxCode && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// tokenJSON is the answer with a user's token, or with an error.
type tokenJSON struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	Error       string `json:"error"`
}

// exchange gives the code for a token. It is sent once: a code is good for one try.
func (f *Forge) exchange(ctx context.Context, code, verifier, redirect string) (string, error) {
	const op = "exchange the code of a sign-in"
	form := url.Values{
		"client_id": {f.cfg.ClientID}, "client_secret": {string(f.cfg.ClientSecret)}, "code": {code},
		"redirect_uri": {redirect}, "code_verifier": {verifier},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, tokenURL(f.cfg.URL), strings.NewReader(form.Encode()))
	if err != nil {
		return "", fmt.Errorf("%s: %w", op, err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	resp, err := f.client.Do(req)
	if err != nil {
		return "", forges.Classify(op, 0, err)
	}
	defer func() { _ = resp.Body.Close() }() // read as far as it is wanted
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxTokenAnswer+1))
	switch {
	case err != nil:
		return "", forges.Classify(op, 0, err)
	case len(raw) > maxTokenAnswer:
		return "", misanswered(op, fmt.Errorf("the answer has more than %d bytes", maxTokenAnswer))
	}
	return readToken(op, resp.StatusCode, raw)
}

// readToken judges an answer. GitHub says what is wrong with a code in a 200 (docs,
// "Troubleshooting OAuth app access token request errors"). No part of an answer goes into
// an error: it may hold a token, whatever its status.
func readToken(op string, status int, raw []byte) (string, error) {
	var answer tokenJSON
	decoded := json.Unmarshal(raw, &answer) == nil
	switch {
	case decoded && answer.Error != "" && status < 500:
		return "", refusedToken(answer.Error)
	case status == http.StatusNotFound: // GitHub's word for a client that it does not know
		return "", refusedToken("incorrect_client_credentials")
	case status != http.StatusOK:
		return "", forges.Classify(op, status, fmt.Errorf("GitHub answered %d", status))
	case !decoded:
		return "", misanswered(op, errors.New("the answer is no JSON object"))
	case !usable(answer.AccessToken) || !strings.EqualFold(answer.TokenType, "bearer"):
		return "", misanswered(op, errors.New("the answer holds neither a bearer token nor an error"))
	}
	return answer.AccessToken, nil
}

// usable reports whether a token can stand in a header.
func usable(token string) bool {
	return token != "" && len(token) <= 4096 && !strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// refusedToken puts GitHub's error into words for who signs in.
func refusedToken(name string) error {
	switch name {
	case "incorrect_client_credentials", "application_suspended":
		return &gate.Error{
			Kind: gate.Refused, Code: gate.CodeForgeRefused, Text: "GitHub does not take the OAuth client of this server",
			Expected: "the client ID and secret of the App", Got: name,
			Fix: "the operator compares client_id and client_secret_file with the App's settings at GitHub",
		}
	case "redirect_uri_mismatch":
		return &gate.Error{
			Kind: gate.Refused, Code: gate.CodeSignIn, Text: "GitHub does not lead back to this server",
			Expected: "a callback URL of the App", Got: name,
			Fix: "the operator adds the server's callback URL to the App's settings at GitHub",
		}
	case "unverified_user_email":
		return &gate.Error{
			Kind: gate.Refused, Code: gate.CodeSignIn, Text: "GitHub does not vouch for the account: its e-mail address is not verified",
			Expected: "a verified address", Got: name, Fix: "verify your address at GitHub, then sign in again",
		}
	}
	return refusedCode("a code that was not used yet, at most ten minutes old")
}

func refusedCode(expected string) error {
	return &gate.Error{
		Kind: gate.Refused, Code: gate.CodeSignIn, Text: "GitHub does not take the code of this sign-in",
		Expected: expected, Got: "another", Fix: "start again with Sign in, in this browser",
	}
}

func misanswered(op string, err error) error { return forges.Classify(op, http.StatusOK, err) }

// signedIn makes calls with a user's token, whose answers nobody keeps.
type signedIn struct {
	next  http.RoundTripper
	token string
}

// RoundTrip adds the credential.
func (t signedIn) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", "Bearer "+t.token)
	req.Header.Set("Cache-Control", "no-store")
	return t.next.RoundTrip(req) //nolint:wrapcheck // the client says what it was doing
}

// asClient makes calls with the OAuth client's own id and secret.
type asClient struct {
	next   http.RoundTripper
	id     string
	secret []byte
}

// RoundTrip adds the credential.
func (t asClient) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.SetBasicAuth(t.id, string(t.secret))
	return t.next.RoundTrip(req) //nolint:wrapcheck // the client says what it was doing
}

// revoke ends a token (REST API, "Delete an app token"). Nobody waits for its success: who
// signed in is known, and a token that GitHub keeps ends by itself, in hours.
func (f *Forge) revoke(ctx context.Context, token string) {
	ctx, done := context.WithTimeout(ctx, revokeTime)
	defer done()
	c := f.caller(f.newClient(asClient{f.transport(), f.cfg.ClientID, f.cfg.ClientSecret}))
	for range 2 {
		_, _, err := c.send(ctx, http.MethodDelete, nil, map[string]string{"access_token": token}, "applications", f.cfg.ClientID, "token")
		if status := statusOf(err); err == nil || status/100 == 4 && status != http.StatusTooManyRequests {
			return
		}
	}
}
