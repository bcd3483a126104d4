package github

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"github.com/countersign/countersign/forges"
)

// Permissions that an installation has only where its owner gave them for publishing.
const (
	permContents     = "contents"
	permAttestations = "attestations"
)

// bearer sends a token that was minted for one deed.
type bearer struct {
	next  http.RoundTripper
	token string
}

// RoundTrip implements [http.RoundTripper].
func (t bearer) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", "Bearer "+t.token)
	return t.next.RoundTrip(req) //nolint:wrapcheck // the client says what it was doing
}

// publisher is the repository with a token that may write one thing in it, and nothing else:
// what the gate works with every day may not. Errors: forges.NoPlace where the installation
// lacks the permission.
func (r *repository) publisher(ctx context.Context, permission string) (*repository, error) {
	may, err := r.mayWrite(ctx, permission)
	if err != nil {
		return nil, err
	}
	if !may {
		return nil, forges.NoPlace(
			fmt.Sprintf("the gate's App may not write %s of %s", permission, r.facts.FullName),
			fmt.Sprintf("an owner of the App gives it %s: write, and the organisation accepts that", permission))
	}
	reached, err := r.forge.reach(ctx, r.facts.ID.ID, r.facts.FullName)
	if err != nil {
		return nil, err
	}
	app, err := r.forge.app()
	if err != nil {
		return nil, err
	}
	var minted struct {
		Token string `json:"token"`
	}
	body := map[string]any{
		"repository_ids": []int64{r.facts.ID.ID}, "permissions": map[string]string{permission: "write", "metadata": "read"},
	}
	if _, err := app.call(ctx, http.MethodPost, &minted, nil, body,
		"app", "installations", strconv.FormatInt(reached.in.ID, 10), "access_tokens"); err != nil {
		return nil, err
	}
	if minted.Token == "" {
		return nil, &callError{status: http.StatusCreated, what: "POST access_tokens", err: errNoToken}
	}
	out := *r
	out.caller = r.forge.caller(r.forge.newClient(bearer{next: r.forge.transport(), token: minted.Token}))
	return &out, nil
}

// mayWrite reports whether the installation has a permission to write.
func (r *repository) mayWrite(ctx context.Context, permission string) (bool, error) {
	reached, err := r.forge.reach(ctx, r.facts.ID.ID, r.facts.FullName)
	if err != nil {
		return false, err
	}
	may := reached.in.Permissions[permission] == "write"
	if !may {
		r.forge.forget(r.facts.ID.ID) // it may be given at any time
	}
	return may, nil
}
