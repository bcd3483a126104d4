package gitlab

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/countersign/countersign/forges"
	"github.com/countersign/countersign/gate"
)

// signInScope lets a token read whose it is, and nothing of theirs beside (docs: OAuth
// applications, scopes).
const signInScope = "read_user"

const (
	maxOAuth = 64 << 10 // bytes of an answer
	maxCode  = 512      // bytes of an authorization code
	// revokeTime bounds how long a user's token is sought to be revoked, whether or not the
	// browser waits for the page.
	revokeTime = 5 * time.Second
)

// oauthClient is the OAuth application of the instance that people sign in through.
type oauthClient struct{ id, secret string }

func newOAuthClient(c Config) (oauthClient, error) {
	if (c.ClientID == "") != (c.ClientSecret == "") {
		return oauthClient{}, misconfigured("OAuth application", "a client id and a client secret, or neither", "one of them")
	}
	return oauthClient{id: c.ClientID, secret: c.ClientSecret}, nil
}

// CanSignIn reports whether an OAuth application is configured.
func (f *Forge) CanSignIn() bool { return f.oauth.id != "" }

// AuthorizeURL is where the browser is sent to sign in (RFC 6749, section 4.1.1). The
// challenge is S256 of the verifier (RFC 7636).
func (f *Forge) AuthorizeURL(state, challenge, redirect string) string {
	return f.base.String() + "/oauth/authorize?" + url.Values{
		"client_id": {f.oauth.id}, "redirect_uri": {redirect}, "response_type": {"code"}, "scope": {signInScope},
		"state": {state}, "code_challenge": {challenge}, "code_challenge_method": {"S256"},
	}.Encode()
}

// Identify exchanges an authorization code and reads whose it is. The user's token is used
// for that one look, revoked and forgotten. Errors: CodeSignIn of kind Refused where GitLab
// does not take the code or the account is not an active person's; CodeForgeRefused where
// it does not take the gate's application; Unavailable where it does not answer.
func (f *Forge) Identify(ctx context.Context, code, verifier, redirect string) (gate.Account, error) {
	if !f.CanSignIn() {
		return gate.Account{}, misconfigured("OAuth application", "a client id and a client secret", "none")
	}
	if code == "" || len(code) > maxCode || verifier == "" {
		return gate.Account{}, notTaken("no code that GitLab gives came back from it", nil)
	}
	token, err := f.exchange(ctx, code, verifier, redirect)
	if err != nil {
		return gate.Account{}, err
	}
	defer f.revoke(ctx, token)
	return f.whose(ctx, token)
}

// userToken is a user's token on its way from the exchange to its revocation. It prints as
// nothing.
type userToken struct{ secret string }

func (userToken) String() string   { return "[redacted]" }
func (userToken) GoString() string { return "[redacted]" }

// exchange redeems the code, once: a repeated try would find it spent.
func (f *Forge) exchange(ctx context.Context, code, verifier, redirect string) (userToken, error) {
	const what = "the exchange of a sign-in's code"
	var answer struct {
		Token string `json:"access_token"`
		Type  string `json:"token_type"`
		Error string `json:"error"`
	}
	status, err := f.askOAuth(ctx, "token", url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirect}, "code_verifier": {verifier},
	}, &answer)
	if err != nil {
		return userToken{}, forges.Classify(what, status, err)
	}
	switch {
	case answer.Error == "invalid_client" || answer.Error == "unauthorized_client":
		return userToken{}, &gate.Error{
			Kind: gate.Refused, Code: gate.CodeForgeRefused, Text: "GitLab does not take the gate's OAuth application",
			Fix: "the operator compares client_id, client_secret and redirect URI with the application at GitLab",
		}
	case status == http.StatusBadRequest || status == http.StatusUnauthorized:
		return userToken{}, notTaken("GitLab does not take the sign-in's code: it was used, is too old, or was given for another address", nil)
	case status != http.StatusOK:
		return userToken{}, forges.Classify(what, status, fmt.Errorf("status %d", status))
	case answer.Token == "" || !strings.EqualFold(answer.Type, "bearer"):
		return userToken{}, forges.Classify(what, status, fmt.Errorf("token of type %q: %w", answer.Type, errUnexpected))
	}
	return userToken{answer.Token}, nil
}

// askOAuth posts to an OAuth endpoint, with the application's secret in the body, where no
// log of requests shows it. What is not JSON leaves out as it was where the status is no
// success: a proxy answers in HTML.
func (f *Forge) askOAuth(ctx context.Context, endpoint string, with url.Values, out any) (int, error) {
	with.Set("client_id", f.oauth.id)
	with.Set("client_secret", f.oauth.secret)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.base.String()+"/oauth/"+endpoint, strings.NewReader(with.Encode()))
	if err != nil {
		return 0, fmt.Errorf("make a request to /oauth/%s: %w", endpoint, err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return f.answerOf(req, out)
}

// answerOf sends a request and decodes its answer. Nothing of the body is in an error: it
// may hold a token.
func (f *Forge) answerOf(req *http.Request, out any) (int, error) {
	req.Header.Set("Accept", "application/json")
	res, err := f.client.Do(req)
	if err != nil {
		return 0, fmt.Errorf("ask %s: %w", req.URL.Path, err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxOAuth+1))
	if err != nil {
		return 0, fmt.Errorf("read the answer of %s: %w", req.URL.Path, err)
	}
	if err := json.Unmarshal(body, out); err != nil || len(body) > maxOAuth {
		if res.StatusCode != http.StatusOK {
			return res.StatusCode, nil
		}
		return res.StatusCode, fmt.Errorf("decode the answer of %s: %w", req.URL.Path, errUnexpected)
	}
	return res.StatusCode, nil
}

// whose reads the account that a user's token belongs to (API docs: users, retrieve the
// current user).
func (f *Forge) whose(ctx context.Context, token userToken) (gate.Account, error) {
	const what = "whose sign-in it is"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.base.String()+"/api/v4/user", nil)
	if err != nil {
		return gate.Account{}, fmt.Errorf("make a request: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+token.secret)
	req.Header.Set("Cache-Control", "no-store")
	var u user
	status, err := f.answerOf(req, &u)
	switch {
	case err != nil:
		return gate.Account{}, forges.Classify(what, status, err)
	case status == http.StatusForbidden || status == http.StatusUnauthorized:
		return gate.Account{}, notTaken("GitLab does not tell the gate whose sign-in it is: the account may be blocked", nil)
	case status != http.StatusOK:
		return gate.Account{}, forges.Classify(what, status, fmt.Errorf("status %d", status))
	case u.ID <= 0 || u.Username == "" || u.State == "":
		return gate.Account{}, forges.Classify(what, status, fmt.Errorf("answer of account %d: %w", u.ID, errUnexpected))
	case !u.active():
		return gate.Account{}, notTaken(fmt.Sprintf("@%s is not an active account", u.Username), nil)
	}
	a := f.session(gate.RepositoryID{Forge: f.forge}).toAccount(u)
	if !a.Human {
		return gate.Account{}, notTaken(fmt.Sprintf("@%s is not a person's account", u.Username), nil)
	}
	return a, nil
}

// revoke gives a user's token back (RFC 7009). Where that does not succeed the token is
// forgotten all the same, and ends by itself within two hours; it could only read whose it is.
func (f *Forge) revoke(ctx context.Context, token userToken) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revokeTime)
	defer cancel()
	var answer struct{}
	_, _ = f.askOAuth(ctx, "revoke", url.Values{"token": {token.secret}}, &answer)
}

func notTaken(text string, err error) error {
	return &gate.Error{
		Kind: gate.Refused, Code: gate.CodeSignIn, Text: text, Fix: "start again with Sign in, in this browser", Err: err,
	}
}
