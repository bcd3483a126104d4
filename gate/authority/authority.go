package authority

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
)

// Config is what an [Authority] is made of. All but Organization, Outside and NoCertificates
// is needed.
type Config struct {
	// Server is the gate's public URL: the issuer that certificates name.
	Server string
	// Organization is that of the certificate authority's name; "" takes the server's host.
	Organization string
	// Origin is the ledger's name in the current epoch.
	Origin string
	// Keys are the gate's own, of all purposes and versions: the highest version of a purpose
	// signs, the others are trusted for what they signed. A timestamp key may be left out where
	// there is an authority outside, a CT key where there are no certificates.
	Keys    []gate.AuthorityKey
	Sealer  Sealer
	Cabinet Cabinet
	Annals  Annals
	// Outside is somebody else's time-stamping authority; nil for the gate's own.
	Outside *Outside
	// NoCertificates says that no release key gets a certificate.
	NoCertificates bool
	Now            func() time.Time
}

// Outside is a time-stamping authority that somebody else runs.
type Outside struct {
	URL string
	// Chains are the certificates of those who may sign its answers, each from the signing
	// certificate to the root: see [ParseChains]. Chains of the past are kept here too, for
	// what they signed.
	Chains [][]*x509.Certificate
	// Client sends the requests; nil for one of its own. Its redirects are not followed to other
	// hosts.
	Client *http.Client
}

// Authority makes evidence with the gate's own keys. It may be used by many at once, and by
// several replicas over one cabinet.
type Authority struct {
	server       string
	host         string
	certifies    bool
	organization string
	keys         keys
	log          *ledger.LogKey
	sealer       Sealer
	cabinet      Cabinet
	annals       Annals
	outside      *outside
	now          func() time.Time

	mu    sync.Mutex
	known map[string]*x509.Certificate // certificates of this authority's own keys, by name
}

// New checks a configuration. All problems are named at once.
func New(c Config) (*Authority, error) {
	host, err := hostOf(c.Server)
	problems := []error{err}
	if c.Sealer == nil || c.Cabinet == nil || c.Annals == nil || c.Now == nil {
		problems = append(problems, errors.New("expected a sealer, a cabinet, annals and a clock"))
	}
	a := &Authority{
		server: c.Server, host: host, organization: c.Organization, certifies: !c.NoCertificates,
		sealer: c.Sealer, cabinet: c.Cabinet, annals: c.Annals, now: c.Now, known: map[string]*x509.Certificate{},
	}
	if a.organization == "" {
		a.organization = host
	}
	var spared []gate.Purpose
	if c.Outside != nil {
		spared = append(spared, gate.PurposeTimestamp)
	}
	if c.NoCertificates {
		spared = append(spared, gate.PurposeCT)
	}
	a.keys, err = sortKeys(c.Keys, spared)
	problems = append(problems, err)
	if key, ok := a.keys.newest(gate.PurposeLog); ok {
		a.log, err = ledger.NewLogKey(c.Origin, key.SPKI)
		problems = append(problems, err)
	}
	if c.Outside != nil {
		a.outside, err = newOutside(*c.Outside)
		problems = append(problems, err)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("make the gate's authority: %w", err)
	}
	return a, nil
}

// Independent reports whether somebody else makes the time-stamps.
func (a *Authority) Independent() bool { return a.outside != nil }

func hostOf(server string) (string, error) {
	u, err := url.Parse(server)
	if err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" {
		return "", fmt.Errorf("expected the gate's public URL, got %q", server)
	}
	return u.Hostname(), nil
}
