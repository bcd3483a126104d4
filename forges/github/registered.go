package github

import (
	"context"
	"errors"
)

// Registered is the App as GitHub shows it to itself.
type Registered struct {
	ID       int64
	Name     string
	ClientID string // "" where this GitHub does not tell
	HTMLURL  string
}

// InstallURL is where its owner installs it.
func (r Registered) InstallURL() string { return App{HTMLURL: r.HTMLURL}.InstallURL() }

// Registered reads which App the private key is of (REST API, "Get the authenticated app").
// Errors are *gate.Error.
func (f *Forge) Registered(ctx context.Context) (Registered, error) {
	const op = "read the App"
	app, err := f.app()
	if err != nil {
		return Registered{}, classify(op, err)
	}
	var a struct {
		ID       int64  `json:"id"`
		Name     string `json:"name"`
		ClientID string `json:"client_id"`
		HTMLURL  string `json:"html_url"`
	}
	if err := app.get(ctx, &a, nil, "app"); err != nil {
		return Registered{}, classify(op, err)
	}
	if a.ID != f.cfg.AppID || !isWeb(a.HTMLURL) {
		return Registered{}, misanswered(op, errors.New("the answer is of another App, or names no page"))
	}
	return Registered{ID: a.ID, Name: a.Name, ClientID: a.ClientID, HTMLURL: a.HTMLURL}, nil
}
