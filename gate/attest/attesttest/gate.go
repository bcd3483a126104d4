package attesttest

import (
	"fmt"
	"net/url"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/attest"
	"github.com/countersign/countersign/gate/gatetest"
	"github.com/countersign/countersign/gate/ledger"
)

// Options say what kind of gate to make. The zero value is one at [Server] with a P-256 log
// key that issues certificates, now.
type Options struct {
	Server     string // public URL
	Repository string // web page of the repository that it releases
	At         time.Time
	// Ed25519 gives the log such a key.
	Ed25519 bool
	// NoCertificates leaves out the certificate variant, as for private repositories.
	NoCertificates bool
	// Formats are those in which SHA256SUMS is signed too.
	Formats []gate.Format
}

// Gate is a gate's keys and its log, in memory. They are its own: whoever holds them can
// make what a gate would not, which is what tests of verifiers are about.
type Gate struct {
	Options

	Release Key
	Verdict Key
	CT      Key
	CA      Authority
	TSA     Authority
	Log     *Log
	Trust   attest.Trust
}

// NewGate makes a gate with fresh keys.
func NewGate(o Options) (*Gate, error) {
	if o.Server == "" {
		o.Server = Server
	}
	if o.Repository == "" {
		o.Repository = Repository
	}
	if o.At.IsZero() {
		o.At = time.Now()
	}
	o.At = o.At.UTC().Truncate(time.Second)
	u, err := url.Parse(o.Server)
	if err != nil {
		return nil, fmt.Errorf("gate at %q: %w", o.Server, err)
	}
	g := &Gate{Options: o}
	if err := g.makeKeys(u.Hostname()); err != nil {
		return nil, err
	}
	g.Trust = g.trust(u.Hostname())
	// A ledger never begins with a signature.
	if _, err := g.Log.Commit(ledger.Administrators, "server"); err != nil {
		return nil, err
	}
	return g, nil
}

func (g *Gate) makeKeys(origin string) error {
	for lineage, into := range map[string]*Key{gatetest.Lineage: &g.Release, "verdict": &g.Verdict, "ct": &g.CT} {
		key, err := GenerateKey(lineage)
		if err != nil {
			return err
		}
		*into = key
	}
	var err error
	if g.CA, err = newCA(origin, g.since()); err != nil {
		return err
	}
	if g.TSA, err = newTSA(g.CA, g.since()); err != nil {
		return err
	}
	g.Log, err = NewLog(origin, g.Ed25519)
	return err
}

// since is when the gate's keys began.
func (g *Gate) since() time.Time { return g.At.Add(-24 * time.Hour) }

func (g *Gate) trust(origin string) attest.Trust {
	chain := func(a Authority) attest.TrustedAuthority {
		out := attest.TrustedAuthority{URI: g.Server, Since: g.since()}
		for _, c := range a.Chain {
			out.Chain = append(out.Chain, c.Raw)
		}
		return out
	}
	return attest.Trust{
		Logs:   []attest.TrustedLog{{Origin: origin, SPKI: g.Log.Key.SPKI(), Since: g.since()}},
		CTLogs: []attest.TrustedCT{{Origin: origin, SPKI: g.CT.Version.SPKI, Since: g.since()}},
		CAs:    []attest.TrustedAuthority{chain(g.CA)},
		TSAs:   []attest.TrustedAuthority{chain(g.TSA)},
	}
}

// Identity is whom a release key's certificate names.
func (g *Gate) Identity() gate.Identity {
	u, _ := url.Parse(g.Repository)
	owner := *u
	owner.Path = ownerOf(u.Path)
	return gate.Identity{
		Issuer:     g.Server,
		PolicyURI:  g.Repository + "/.countersign.yaml@refs/heads/main",
		Repository: g.Repository, Owner: owner.String(),
		RepositoryID: fmt.Sprint(gatetest.Repository().ID), OwnerID: fmt.Sprint(gatetest.Acme().ID),
	}
}
