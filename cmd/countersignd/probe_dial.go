package main

import (
	"net/http"
	"strings"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"

	"github.com/countersign/countersign/config"
	"github.com/countersign/countersign/forges"
	"github.com/countersign/countersign/forges/github"
	"github.com/countersign/countersign/forges/probe"
	"github.com/countersign/countersign/forges/probe/transcript"
	"github.com/countersign/countersign/gate"
)

// dialled is one forge with all calls to it in one recorder.
type dialled struct {
	forge    config.Forge
	client   *http.Client
	app      http.RoundTripper // GitHub
	adapter  probe.Adapter
	graphQL  string
	recorder *transcript.Recorder
}

// dial opens a forge as serve does, except that no answer is remembered: each is asked
// for anew, and recorded.
func dial(f config.Forge) (*dialled, error) {
	d := &dialled{forge: f, graphQL: graphQLOf(f), recorder: transcript.NewRecorder(http.DefaultTransport)}
	var err error
	d.client, err = forges.NewClient(forges.Options{Bases: []string{f.APIURL, d.graphQL}, Transport: d.recorder, Memory: -1, Now: time.Now})
	if err != nil {
		return nil, unusable(f, err)
	}
	if f.Kind == gate.GitHub {
		if d.app, err = ghinstallation.NewAppsTransport(d.client.Transport, f.AppID, []byte(f.PrivateKey.Reveal())); err != nil {
			return nil, unusable(f, err)
		}
	}
	if d.adapter, err = openForge(f, d.client); err != nil {
		return nil, err
	}
	return d, nil
}

// graphQLOf is where the forge has GraphQL: beside the REST API, except on api.github.com
// and its kin (docs, "Forming calls with GraphQL").
func graphQLOf(f config.Forge) string {
	base := strings.TrimSuffix(strings.TrimRight(f.APIURL, "/"), "/v4")
	if v3, is := strings.CutSuffix(base, "/v3"); is {
		base = v3
	}
	return base + "/graphql"
}

// probe is what the forge's probe is told of it; which repository, and what to do there,
// is still to be said.
func (d *dialled) probe(c config.Config) probe.Config {
	return probe.Config{
		Forge: d.forge.Name, Kind: d.forge.Kind, URL: d.forge.URL, APIURL: d.forge.APIURL, GraphQLURL: d.graphQL,
		Server: c.Server.URL.String(), Client: d.client, App: d.app, Token: d.forge.Token.Reveal(),
		Permissions: github.Permissions(), Adapter: d.adapter, Now: time.Now,
	}
}
