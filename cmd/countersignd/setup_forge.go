package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/url"
	"strconv"
	"strings"

	"github.com/countersign/countersign/config"
	"github.com/countersign/countersign/forges/github"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/web/setup"
)

// Manifest is the form that asks a GitHub for an App.
func (s *setupSite) Manifest(web, organisation, state string) (setup.Form, error) {
	if err := checkWeb(web, gate.GitHub); err != nil {
		return setup.Form{}, err
	}
	to, err := github.ManifestURL(web, organisation, state)
	if err != nil {
		return setup.Form{}, unsuitable(err)
	}
	server, err := url.Parse(s.now().URL)
	if err != nil {
		return setup.Form{}, unsuitable(err)
	}
	text, err := github.Manifest(server, github.ManifestOptions{
		Forge: gate.ForgeID(gate.GitHub), Redirect: setup.CreatedPath, Setup: setup.InstalledPath,
		Callbacks: []string{setup.CallbackPath(gate.ForgeID(gate.GitHub))},
	})
	if err != nil {
		return setup.Form{}, unsuitable(err)
	}
	return setup.Form{Action: to, Manifest: string(text)}, nil
}

func unsuitable(err error) error {
	return &gate.Error{Kind: gate.Invalid, Code: gate.CodeParameter, Text: "GitHub cannot be asked for an App: " + err.Error(), Fix: "mend it, and send the form again"}
}

// checkWeb holds a forge's address to what the configuration accepts.
func checkWeb(web string, kind gate.ForgeKind) error {
	if err := config.CheckURL(web, kind == gate.GitLab); err != nil {
		return &gate.Error{
			Kind: gate.Invalid, Code: gate.CodeParameter, Text: "this is no address of a " + string(kind),
			Expected: "https://HOST", Got: strconv.QuoteToASCII(web), Fix: "copy it from the browser, without a path", Err: err,
		}
	}
	return nil
}

// Convert takes the App for the code that came back. Its secrets come once: they are written
// down before anything else is done.
func (s *setupSite) Convert(ctx context.Context, web, code string) error {
	api, err := github.APIURL(web)
	if err != nil {
		return unsuitable(err)
	}
	app, err := github.Convert(ctx, nil, api, code)
	if err != nil {
		return err
	}
	return s.change(func(d *draft) error {
		f := draftForge{Kind: gate.GitHub, URL: web, Account: app.Name, InstallURL: app.InstallURL(), AppID: app.ID, ClientID: app.ClientID}
		return s.keep(d, f, secretsOf{
			"github-app.pem": app.PrivateKey.Reveal(), "github-webhook": app.WebhookSecret.Reveal(), "github-client": app.ClientSecret.Reveal(),
		})
	})
}

// secretsOf are secrets by the name of their file.
type secretsOf map[string]string

// keep writes a forge's secrets and puts it into the draft.
func (s *setupSite) keep(d *draft, f draftForge, secrets secretsOf) error {
	for name, into := range map[string]*string{
		"-app.pem": &f.PrivateKeyFile, "-token": &f.TokenFile, "-webhook": &f.WebhookSecretFile, "-client": &f.ClientSecretFile,
	} {
		value, has := secrets[string(f.Kind)+name]
		if !has {
			continue
		}
		path, err := s.folder.secret(d, string(f.Kind)+name, value)
		if err != nil {
			return err
		}
		*into = path
	}
	d.Forge = &f
	return nil
}

// try opens the draft's forge and asks whether it takes the credential.
func (s *setupSite) try(ctx context.Context, d draft) (config.Forge, error) {
	c, err := d.config()
	if err != nil {
		return config.Forge{}, err
	}
	return c.Forges[0], tryCredential(ctx, c, c.Forges[0])
}

// UseApp takes an App that was made by hand, if it works.
func (s *setupSite) UseApp(ctx context.Context, given setup.GivenApp) error {
	if err := checkWeb(given.Web, gate.GitHub); err != nil {
		return err
	}
	id, err := strconv.ParseInt(given.AppID, 10, 64)
	if err != nil || id <= 0 {
		return &gate.Error{
			Kind: gate.Invalid, Code: gate.CodeParameter, Text: "this is no App ID", Expected: "the number on the App's page",
			Got: strconv.QuoteToASCII(given.AppID), Fix: "copy it from the App's page, under About",
		}
	}
	return s.change(func(d *draft) error {
		f := draftForge{Kind: gate.GitHub, URL: given.Web, AppID: id, ClientID: given.ClientID}
		err := s.keep(d, f, secretsOf{"github-app.pem": given.PrivateKey, "github-webhook": given.WebhookSecret, "github-client": given.ClientSecret})
		if err != nil {
			return err
		}
		conf, err := s.try(ctx, *d)
		if err != nil {
			return err
		}
		adapter, err := github.New(githubConfig(conf, nil))
		if err != nil {
			return unusable(conf, err)
		}
		app, err := adapter.Registered(ctx)
		if err != nil {
			return err
		}
		d.Forge.Account, d.Forge.InstallURL = app.Name, app.InstallURL()
		return nil
	})
}

// Installations lists where the App is installed, as GitHub says now.
func (s *setupSite) Installations(ctx context.Context) ([]setup.Installation, error) {
	conf, err := s.now().configForge()
	if err != nil {
		return nil, err
	}
	adapter, err := github.New(githubConfig(conf, nil))
	if err != nil {
		return nil, unusable(conf, err)
	}
	all, err := adapter.Installations(ctx)
	var out []setup.Installation
	for _, in := range all {
		if !in.Suspended {
			out = append(out, setup.Installation{ID: in.ID, Holder: setup.Holder{ID: in.Owner.ID.String(), Name: in.Owner.Login, Owner: true}})
		}
	}
	return out, err
}

// UseBot takes a GitLab bot's token and an OAuth application, if they work.
func (s *setupSite) UseBot(ctx context.Context, given setup.GivenBot) error {
	if err := checkWeb(given.Web, gate.GitLab); err != nil {
		return err
	}
	var hook [32]byte
	_, _ = rand.Read(hook[:]) // it never fails (crypto/rand)
	return s.change(func(d *draft) error {
		f := draftForge{Kind: gate.GitLab, URL: strings.TrimRight(given.Web, "/"), Account: "the bot of its token", ClientID: given.ClientID}
		err := s.keep(d, f, secretsOf{"gitlab-token": given.Token, "gitlab-webhook": hex.EncodeToString(hook[:]), "gitlab-client": given.ClientSecret})
		if err != nil {
			return err
		}
		_, err = s.try(ctx, *d)
		return err
	})
}
