package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"
	"github.com/google/go-github/v62/github"
	"golang.org/x/sync/semaphore"

	"github.com/countersign/countersign/forges"
	"github.com/countersign/countersign/gate"
)

const (
	// installationAge is how long an installation is believed before it is looked up again.
	installationAge = 10 * time.Minute
	// maxInstallations bounds the search for an installation by trying.
	maxInstallations = 100
)

// errNotInstalled says that GitHub itself knows no installation of the App on a repository.
var errNotInstalled = errors.New("the App is not installed on the repository, or it is gone")

// installation is the App on one owner (REST API, schema installation).
type installation struct {
	ID          int64             `json:"id"`
	AppID       int64             `json:"app_id"`
	AppSlug     string            `json:"app_slug"`
	Permissions map[string]string `json:"permissions"`
	SuspendedAt *time.Time        `json:"suspended_at"`
}

// reached is a repository that a credential reaches.
type reached struct {
	client *github.Client
	slug   string
	name   string // owner/name when last read
	until  time.Time
	// in is what the client's token was asked for with.
	in installation
}

// serves reports whether the client still fits: its token then lasts its hour.
func (r reached) serves(in installation) bool {
	return r.client != nil && r.in.ID == in.ID && maps.Equal(r.in.Permissions, in.Permissions)
}

// minimum is what the gate asks of an installation token, where the installation has it.
func minimum() map[string]string {
	return map[string]string{
		"metadata": "read", "contents": "read", "actions": "read", "administration": "read",
		"pull_requests": "write", "issues": "write", "checks": "write", "statuses": "write",
		"deployments": "write", "members": "read",
	}
}

// narrowed is the part of the minimum that the installation has: asking for more would
// be refused as a whole, and what lacks then shows at the calls that need it.
func (in installation) narrowed() (*github.InstallationPermissions, error) {
	want := map[string]string{}
	for name, level := range minimum() {
		switch have := in.Permissions[name]; {
		case have == "":
		case level == "write" && have == "read":
			want[name] = "read"
		default:
			want[name] = level
		}
	}
	raw, err := json.Marshal(want)
	if err != nil {
		return nil, fmt.Errorf("permissions of installation %d: %w", in.ID, err)
	}
	var p github.InstallationPermissions
	if err := json.Unmarshal(raw, &p); err != nil {
		return nil, fmt.Errorf("permissions of installation %d: %w", in.ID, err)
	}
	return &p, nil
}

func (f *Forge) newClient(rt http.RoundTripper) *github.Client {
	c := github.NewClient(&http.Client{Transport: rt, Timeout: f.client.Timeout, CheckRedirect: forges.NoRedirect})
	base, uploads := *f.api, *f.uploads
	c.BaseURL, c.UploadURL = &base, &uploads
	return c
}

func (f *Forge) caller(c *github.Client) *caller {
	return &caller{client: c, graphQL: f.graphQL.String(), slots: semaphore.NewWeighted(parallel)}
}

// app makes a caller with the App's own credential.
func (f *Forge) app() (*caller, error) {
	rt, err := ghinstallation.NewAppsTransport(f.transport(), f.cfg.AppID, f.cfg.PrivateKey)
	if err != nil {
		return nil, fmt.Errorf("sign as App %d: %w", f.cfg.AppID, err)
	}
	return f.caller(f.newClient(rt)), nil
}

// installed makes a client whose token reaches one repository with the minimum
// permissions. Each has its own App transport: ghinstallation writes to a shared one.
func (f *Forge) installed(in installation, repository int64) (*github.Client, *ghinstallation.Transport, error) {
	app, err := ghinstallation.NewAppsTransport(minting{f.transport()}, f.cfg.AppID, f.cfg.PrivateKey)
	if err != nil {
		return nil, nil, fmt.Errorf("sign as App %d: %w", f.cfg.AppID, err)
	}
	permissions, err := in.narrowed()
	if err != nil {
		return nil, nil, err
	}
	rt := ghinstallation.NewFromAppsTransport(app, in.ID)
	rt.BaseURL = f.api.String()
	rt.InstallationTokenOptions = &github.InstallationTokenOptions{
		RepositoryIDs: []int64{repository}, Permissions: permissions,
	}
	return f.newClient(rt), rt, nil
}

// ownName is the repository's name as the token's own answer gives it (REST API, schema
// installation-token). A token that is not minted, or does not say, names nothing: the
// first call with it then shows why.
func ownName(ctx context.Context, rt *ghinstallation.Transport, repository int64) (string, bool) {
	if _, err := rt.Token(ctx); err != nil {
		var refused *ghinstallation.HTTPError
		if errors.As(err, &refused) && refused.Response != nil {
			_ = refused.Response.Body.Close() // ghinstallation leaves it open
		}
		return "", false
	}
	all, err := rt.Repositories()
	if err != nil {
		return "", false
	}
	for _, r := range all {
		if r.GetID() == repository && r.GetFullName() != "" {
			return r.GetFullName(), true
		}
	}
	return "", false
}

// reach finds the credential for a repository. Name is its full name where one is known
// from elsewhere; a hint, since the token is bound to the number.
func (f *Forge) reach(ctx context.Context, repository int64, name string) (reached, error) {
	f.mu.Lock()
	r, has := f.known[repository]
	f.mu.Unlock()
	if has && f.cfg.Now().Before(r.until) {
		return r, nil
	}
	if name == "" {
		name = r.name
	}
	in, err := f.findInstallation(ctx, repository, name)
	if err != nil {
		return reached{}, err
	}
	if in.AppID != f.cfg.AppID {
		return reached{}, fmt.Errorf("installation %d: expected App %d, got App %d", in.ID, f.cfg.AppID, in.AppID)
	}
	if in.SuspendedAt != nil {
		return reached{}, &callError{status: http.StatusForbidden, message: "the App's installation is suspended", what: "the installation lookup"}
	}
	if r.serves(in) {
		r.until = f.cfg.Now().Add(installationAge)
		f.remember(repository, r)
		return r, nil
	}
	client, rt, err := f.installed(in, repository)
	if err != nil {
		return reached{}, err
	}
	if own, ok := ownName(ctx, rt, repository); ok {
		name = own
	}
	r = reached{client: client, slug: in.AppSlug, name: name, until: f.cfg.Now().Add(installationAge), in: in}
	f.remember(repository, r)
	return r, nil
}

func (f *Forge) remember(repository int64, r reached) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.known[repository] = r
}

// rename keeps the name that was just read.
func (f *Forge) rename(repository int64, name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.known[repository]
	r.name = name
	f.known[repository] = r
}

// forget makes the next reading look the installation up again.
func (f *Forge) forget(repository int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.known[repository]
	f.known[repository] = reached{name: r.name}
}

// findInstallation asks by number, which GitHub answers but does not document; then
// by name; then tries the App's installations.
func (f *Forge) findInstallation(ctx context.Context, repository int64, name string) (installation, error) {
	app, err := f.app()
	if err != nil {
		return installation{}, err
	}
	var in installation
	err = app.get(ctx, &in, nil, "repositories", strconv.FormatInt(repository, 10), "installation")
	if err == nil || !isNotFound(err) {
		return in, err
	}
	if owner, repo, ok := cut(name); ok {
		err = app.get(ctx, &in, nil, "repos", owner, repo, "installation")
		switch status := statusOf(err); {
		case err == nil:
			if in.reaches(ctx, app, repository) == nil {
				return in, nil
			}
		case status == http.StatusNotFound || status/100 == 3: // the name may be a former one
		default:
			return installation{}, err
		}
	}
	return tryInstallations(ctx, app, repository)
}

// reaches mints a token for the repository: GitHub answers 422 where the installation
// does not reach it.
func (in installation) reaches(ctx context.Context, app *caller, repository int64) error {
	var token struct {
		ExpiresAt time.Time `json:"expires_at"`
	}
	_, err := app.call(ctx, http.MethodPost, &token, nil, map[string]any{"repository_ids": []int64{repository}},
		"app", "installations", strconv.FormatInt(in.ID, 10), "access_tokens")
	return err
}

func tryInstallations(ctx context.Context, app *caller, repository int64) (installation, error) {
	all, err := list[installation](ctx, app, nil, "app", "installations")
	if err != nil {
		return installation{}, err
	}
	for i, in := range all {
		if i == maxInstallations {
			return installation{}, fmt.Errorf("the App has more than %d installations and GitHub does not say which reaches the repository", maxInstallations)
		}
		err := in.reaches(ctx, app, repository)
		refused := []int{http.StatusUnprocessableEntity, http.StatusForbidden, http.StatusNotFound}
		switch {
		case err == nil:
			return in, nil
		case !slices.Contains(refused, statusOf(err)):
			return installation{}, err
		}
	}
	return installation{}, errNotInstalled
}

// repository is one repository with a caller that reaches it, as of now.
type repository struct {
	*caller
	forge *Forge
	facts gate.RepositoryFacts
	slug  string // of the App
	owner string
	name  string
	// assumed marks a name that this use did not read.
	assumed bool
}

// repositoryJSON is REST API's schema full-repository, in part.
type repositoryJSON struct {
	ID            int64  `json:"id"`
	FullName      string `json:"full_name"`
	DefaultBranch string `json:"default_branch"`
	Private       bool   `json:"private"`
	HTMLURL       string `json:"html_url"`
	Owner         struct {
		ID   int64  `json:"id"`
		Type string `json:"type"`
	} `json:"owner"`
}

// assume is the repository under the name it was last read with, without asking. Who
// uses it has the answers say themselves which repository they are of, or believes no
// 404 of them before it is confirmed.
func (f *Forge) assume(id gate.RepositoryID) (*repository, bool) {
	f.mu.Lock()
	r, has := f.known[id.ID]
	f.mu.Unlock()
	owner, name, ok := cut(r.name)
	if !has || !ok || r.client == nil || id.Forge != f.cfg.Forge || !f.cfg.Now().Before(r.until) {
		return nil, false
	}
	return &repository{
		caller: f.caller(r.client), forge: f, slug: r.slug, owner: owner, name: name, assumed: true,
		facts: gate.RepositoryFacts{ID: id, FullName: r.name},
	}, true
}

// reachable is assume, where nothing was read yet after a look for the credential, whose
// token names the repository. What is wrong with it shows when it is used.
func (f *Forge) reachable(ctx context.Context, id gate.RepositoryID) (*repository, bool) {
	if repo, ok := f.assume(id); ok {
		return repo, true
	}
	if id.Forge != f.cfg.Forge || id.ID <= 0 {
		return nil, false
	}
	if _, err := f.reach(ctx, id.ID, ""); err != nil {
		return nil, false
	}
	return f.assume(id)
}

// with does work in a repository. It goes by the name last read; where that fails in a
// way that a rename, a transfer or a lost installation would explain, or a 404 is to
// be believed, the repository is read by its number and the work is done again.
func (f *Forge) with(ctx context.Context, id gate.RepositoryID, name string, work func(*repository) error) error {
	if repo, ok := f.reachable(ctx, id); ok {
		err := work(repo)
		if !doubtful(err) {
			return err
		}
	}
	repo, err := f.open(ctx, id, name)
	if err != nil {
		return &openError{err}
	}
	return work(repo)
}

// openError says that the repository itself could not be read.
type openError struct{ error }

func (e *openError) Unwrap() error { return e.error }

// doubtful reports whether an error may only mean that the name is another's by now.
func doubtful(err error) bool {
	status := statusOf(err)
	return errors.Is(err, errUnconfirmed) || isNotFound(err) || status == http.StatusUnauthorized || status/100 == 3
}

// errUnconfirmed stands for a 404 of a repository whose name is only assumed.
var errUnconfirmed = errors.New("the repository's name is not confirmed")

// gone reports whether GitHub said that there is no such thing in the repository; an
// error where that cannot be told from the repository having another name by now.
func (r *repository) gone(err error) (bool, error) {
	if isNotFound(err) && r.assumed {
		return false, errUnconfirmed
	}
	return isNotFound(err), nil
}

// open reads the repository by its number (attacks 5 and 73). Errors: errNotInstalled where
// GitHub says that the App does not reach it.
func (f *Forge) open(ctx context.Context, id gate.RepositoryID, name string) (*repository, error) {
	if id.Forge != f.cfg.Forge || id.ID <= 0 {
		return nil, fmt.Errorf("repository %s: expected one of forge %q", id, f.cfg.Forge)
	}
	for again := false; ; again = true {
		r, err := f.reach(ctx, id.ID, name)
		if err != nil {
			return nil, err
		}
		out, err := f.read(ctx, r, id)
		if err == nil {
			return out, nil
		}
		if stale := statusOf(err) == http.StatusUnauthorized || isNotFound(err); !stale {
			return nil, err
		}
		f.forget(id.ID)
		if again {
			return nil, err
		}
	}
}

func (f *Forge) read(ctx context.Context, r reached, id gate.RepositoryID) (*repository, error) {
	c := f.caller(r.client)
	var raw repositoryJSON
	if err := c.get(ctx, &raw, nil, "repositories", strconv.FormatInt(id.ID, 10)); err != nil {
		return nil, err
	}
	facts, ok := f.restFacts(raw)
	if raw.ID != id.ID || !ok {
		return nil, fmt.Errorf("repository %s: GitHub answered for %d (%q)", id, raw.ID, raw.FullName)
	}
	owner, name, _ := cut(raw.FullName)
	r.name = raw.FullName
	f.remember(id.ID, r)
	return &repository{caller: c, forge: f, slug: r.slug, owner: owner, name: name, facts: facts}, nil
}

// at is a path below the repository. It goes by name: the token reaches this number
// only, so that a name which was given away meanwhile answers 404.
func (r *repository) at(segments ...string) []string {
	return append([]string{"repos", r.owner, r.name}, segments...)
}
