package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/bradleyfalzon/ghinstallation/v2"

	"github.com/countersign/countersign/forges"
	"github.com/countersign/countersign/gate"
)

// App is one that was just registered from a manifest. Its secrets come once.
type App struct {
	ID       int64
	Slug     string
	Name     string
	ClientID string
	HTMLURL  string // its page
	// OwnerID, OwnerLogin and OwnerType ("User" or "Organization") are whose it is.
	OwnerID    int64
	OwnerLogin string
	OwnerType  string

	PrivateKey    Secret // PEM
	WebhookSecret Secret
	ClientSecret  Secret
}

// InstallURL is where its owner installs it.
func (a App) InstallURL() string { return strings.TrimRight(a.HTMLURL, "/") + "/installations/new" }

// maxApp bounds the answer with an App, in bytes.
const maxApp = 256 << 10

var isManifestCode = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`).MatchString

// Convert exchanges the code that came back with the browser for the App (REST API, "Create
// a GitHub App from a manifest"). A code is good once, for an hour: who keeps the App writes
// it down before doing anything else. Client is one of [forges.NewClient] for the API where
// nil. Errors: CodeForgeRefused of kind Refused where GitHub does not take the code; of kind
// Unavailable where it does not answer, or not as described.
func Convert(ctx context.Context, client *http.Client, apiURL, code string) (App, error) {
	const op = "register the App"
	if !isManifestCode(code) {
		return App{}, refusedManifest("the code that GitHub gave, unchanged")
	}
	if client == nil {
		own, err := forges.NewClient(forges.Options{Bases: []string{apiURL}})
		if err != nil {
			return App{}, fmt.Errorf("%s: %w", op, err)
		}
		client = own
	}
	at := strings.TrimRight(apiURL, "/") + "/app-manifests/" + url.PathEscape(code) + "/conversions"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, at, http.NoBody)
	if err != nil {
		return App{}, fmt.Errorf("%s: %w", op, unnamed(err))
	}
	req.Header.Set("Accept", "application/vnd.github+json")
	req.Header.Set("X-GitHub-Api-Version", "2022-11-28")
	resp, err := forges.BoundAnswers(client).Do(req)
	if err != nil {
		return App{}, forges.Classify(op, 0, unnamed(err))
	}
	defer func() { _ = resp.Body.Close() }() // read as far as it is wanted
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxApp+1))
	switch {
	case err != nil:
		return App{}, forges.Classify(op, 0, err)
	case resp.StatusCode == http.StatusNotFound, resp.StatusCode == http.StatusUnprocessableEntity:
		return App{}, refusedManifest("a code that was not used yet, at most an hour old")
	case resp.StatusCode != http.StatusCreated && resp.StatusCode != http.StatusOK:
		return App{}, forges.Classify(op, resp.StatusCode, fmt.Errorf("GitHub answered %d", resp.StatusCode))
	case len(raw) > maxApp:
		return App{}, misanswered(op, fmt.Errorf("the answer has more than %d bytes", maxApp))
	}
	return readApp(op, raw)
}

// unnamed drops the URL of an error: it holds the code, with which anybody takes the App's
// keys as long as nobody did.
func unnamed(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// readApp takes an App only whole. No part of the answer goes into an error: it holds secrets.
func readApp(op string, raw []byte) (App, error) {
	var a struct {
		ID      int64  `json:"id"`
		Slug    string `json:"slug"`
		Name    string `json:"name"`
		HTMLURL string `json:"html_url"`
		Owner   struct {
			userJSON
			Slug string `json:"slug"` // of an enterprise, which has no login
		} `json:"owner"`
		ClientID      string `json:"client_id"`
		ClientSecret  string `json:"client_secret"`
		WebhookSecret string `json:"webhook_secret"`
		PEM           string `json:"pem"`
	}
	if json.Unmarshal(raw, &a) != nil {
		return App{}, misanswered(op, errors.New("the answer is no App"))
	}
	for _, part := range []struct {
		name string
		has  bool
	}{
		{"number", a.ID > 0},
		{"slug", a.Slug != "" && url.PathEscape(a.Slug) == a.Slug},
		{"page", isWeb(a.HTMLURL)},
		{"owner", a.Owner.ID > 0 && a.Owner.Login != ""},
		{"client ID", usable(a.ClientID)},
		{"client secret", usable(a.ClientSecret)},
		{"webhook secret", a.WebhookSecret != ""},
		{"private key", isRSA(a.ID, a.PEM)},
	} {
		if !part.has {
			return App{}, misanswered(op, fmt.Errorf("the answer holds no %s", part.name))
		}
	}
	return App{
		ID: a.ID, Slug: a.Slug, Name: a.Name, ClientID: a.ClientID, HTMLURL: a.HTMLURL,
		OwnerID: a.Owner.ID, OwnerLogin: a.Owner.Login, OwnerType: a.Owner.Type,
		PrivateKey: Secret{&a.PEM}, WebhookSecret: Secret{&a.WebhookSecret}, ClientSecret: Secret{&a.ClientSecret},
	}, nil
}

func isRSA(app int64, pem string) bool {
	_, err := ghinstallation.NewAppsTransport(http.DefaultTransport, app, []byte(pem))
	return err == nil
}

func refusedManifest(expected string) error {
	return &gate.Error{
		Kind: gate.Refused, Code: gate.CodeForgeRefused, Text: "GitHub does not take the code of this registration",
		Expected: expected, Got: "another", Fix: "register the App again; one that was registered before can be deleted at GitHub",
	}
}
