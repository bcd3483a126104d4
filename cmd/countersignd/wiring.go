package main

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/crypto/ssh"

	"github.com/countersign/countersign/config"
	"github.com/countersign/countersign/forges/github"
	"github.com/countersign/countersign/forges/gitlab"
	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/release"
	"github.com/countersign/countersign/gate/store"
	"github.com/countersign/countersign/gate/workload"
	"github.com/countersign/countersign/web"
)

// forge is what both adapters are.
type forge interface {
	release.Forge
	release.Interpreter
	web.Prover
	door
}

// door is how people come in through a forge, and what they find there.
type door interface {
	web.SignIn
	web.Rights
	web.Reach
	// CanSignIn reports whether an OAuth client is configured.
	CanSignIn() bool
}

// openStore opens the configured database and brings its schema up to date.
func openStore(ctx context.Context, c config.Config) (*store.Store, error) {
	s, err := store.Open(ctx, store.Config{
		Engine: store.Engine(c.Database.Engine), Path: c.Database.Path, DSN: c.Database.DSN.Reveal(), Now: time.Now,
	})
	if err != nil {
		return nil, unopened(c.Database, err)
	}
	return s, nil
}

// unopened tells the operator which database it is.
func unopened(d config.Database, err error) error {
	var e *gate.Error
	if !errors.As(err, &e) || e.Err == nil || e.Code == gate.CodeLedgerBehind {
		return err // it says all there is
	}
	which, expected := "database.path "+d.Path, "a SQLite file in a folder that the server may write, or none there yet"
	if d.Engine == string(store.Postgres) {
		which, expected = "the server of database.dsn_file", "PostgreSQL 15 or later that accepts the connection string"
	}
	return &gate.Error{
		Kind: e.Kind, Code: e.Code, Text: "the database cannot be opened: " + which, Expected: expected,
		Got: strings.Join(strings.Fields(e.Err.Error()), " "), // drivers write over several lines
		Fix: "mend the database or its configuration, then start again",
	}
}

// openForge makes a forge's adapter; where client is nil, over a client of its own.
func openForge(f config.Forge, client *http.Client) (forge, error) {
	var adapter forge
	var err error
	if f.Kind == gate.GitHub {
		adapter, err = github.New(githubConfig(f, client))
	} else {
		adapter, err = gitlab.New(gitlabConfig(f, client))
	}
	if err != nil {
		return nil, unusable(f, err)
	}
	return adapter, nil
}

func githubConfig(f config.Forge, client *http.Client) github.Config {
	return github.Config{
		Forge: f.Name, URL: f.URL, APIURL: f.APIURL, AppID: f.AppID, Client: client, Now: time.Now,
		PrivateKey: []byte(f.PrivateKey.Reveal()), WebhookSecret: []byte(f.WebhookSecret.Line(0).Reveal()),
		ClientID: f.ClientID, ClientSecret: []byte(f.ClientSecret.Reveal()),
	}
}

func gitlabConfig(f config.Forge, client *http.Client) gitlab.Config {
	return gitlab.Config{
		Forge: f.Name, URL: f.URL, Token: f.Token.Reveal(), WebhookSecret: []byte(f.WebhookSecret.Line(0).Reveal()), Client: client, Now: time.Now,
		ClientID: f.ClientID, ClientSecret: f.ClientSecret.Reveal(),
	}
}

// unusable tells the operator which forge it is.
func unusable(f config.Forge, err error) error {
	return &gate.Error{
		Kind: gate.Invalid, Code: gate.CodeConfig, Text: fmt.Sprintf("forge %s cannot be used", f.Name),
		Fix: "mend its entry under forges, or the file that it names", Err: err,
	}
}

// openForges opens all configured forges.
func openForges(c config.Config) ([]*liveForge, error) {
	var out []*liveForge
	for _, f := range c.Forges {
		l, err := openLive(f)
		if err != nil {
			return nil, err
		}
		out = append(out, l)
	}
	return out, nil
}

// ports are the forges as the life of a request sees them, and their webhook ends.
func ports(forges []*liveForge) (map[gate.ForgeID]release.Port, map[gate.ForgeID]web.Hook) {
	out, hooks := map[gate.ForgeID]release.Port{}, map[gate.ForgeID]web.Hook{}
	for _, l := range forges {
		name, kind := l.now().config.Name, l.now().config.Kind
		out[name] = l.port()
		hooks[name] = web.Hook{Kind: kind, Prover: l}
	}
	return out, hooks
}

// keyring binds the keys that the signer holds to who may use them. Without a
// signer (for commands that never sign) it binds what the configuration says.
func keyring(c config.Config, held []gate.KeyVersion) (release.Keyring, error) {
	var ring release.Keyring
	for _, k := range c.Keys {
		if k.Purpose != gate.PurposeRelease {
			continue
		}
		version := gate.KeyVersion{Lineage: k.Lineage, Version: k.Version}
		if held != nil {
			found := false
			for _, h := range held {
				if h.Lineage == k.Lineage && h.Version == k.Version {
					version, found = h, true
				}
			}
			if !found {
				return nil, &gate.Error{
					Kind: gate.Invalid, Code: gate.CodeKeyUnknown,
					Text: fmt.Sprintf("no token holds key %s version %d", k.Lineage, k.Version), Fix: "countersignd keys list",
				}
			}
		}
		ring = append(ring, release.Binding{Version: version, Repositories: k.Repositories, Owners: k.Owners})
	}
	return ring, nil
}

// verifier accepts the ID tokens of the configured forges and of nobody else.
func verifier(c config.Config) *workload.Verifier {
	var issuers []workload.Issuer
	for _, f := range c.Forges {
		issuers = append(issuers, workload.Issuer{Forge: f.Name, Kind: f.Kind, URL: f.Issuer, GitLabAudience: f.GitLabAudience})
	}
	return workload.New(workload.Config{
		Issuers: issuers, Client: &http.Client{Timeout: 10 * time.Second}, Now: time.Now,
	})
}

// published are the keys as /v1/keys shows them: those of releases, then the gate's own.
func published(held []gate.KeyVersion, own []gate.AuthorityKey) ([]api.Key, error) {
	var out []api.Key
	for _, v := range held {
		key, err := shownKey(v)
		if err != nil {
			return nil, err
		}
		out = append(out, key)
	}
	for _, k := range own {
		key, err := shownKey(k.KeyVersion)
		if err != nil {
			return nil, err
		}
		key.Purpose = k.Purpose
		out = append(out, key)
	}
	return out, nil
}

// shownKey is a public key in the forms in which people meet it.
func shownKey(v gate.KeyVersion) (api.Key, error) {
	parsed, err := x509.ParsePKIXPublicKey(v.SPKI)
	if err != nil {
		return api.Key{}, fmt.Errorf("key %s version %d: %w", v.Lineage, v.Version, err)
	}
	named, err := ssh.NewPublicKey(parsed)
	if err != nil {
		return api.Key{}, fmt.Errorf("key %s version %d: %w", v.Lineage, v.Version, err)
	}
	return api.Key{
		Lineage: v.Lineage, Version: v.Version, Hint: ssh.FingerprintSHA256(named), Software: v.Software,
		PEM: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: v.SPKI})),
	}, nil
}

// newID makes UUIDv7s (RFC 9562). It fails only without a source of randomness, and
// then nothing here may go on.
func newID() string { return uuid.Must(uuid.NewV7()).String() }

// owner names this process in leases.
func owner() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s/%d", host, os.Getpid())
}

func logger(l config.Log, w io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(l.Level)); err != nil {
		level = slog.LevelInfo
	}
	o := &slog.HandlerOptions{Level: level}
	if l.Format == "text" {
		return slog.New(slog.NewTextHandler(w, o))
	}
	return slog.New(slog.NewJSONHandler(w, o))
}
