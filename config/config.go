// Package config reads the daemon's configuration: one strict YAML file into typed
// values, every problem reported at once. Secrets are files, never values.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/countersign/countersign/gate"
)

// Config is a checked configuration.
type Config struct {
	Server   Server
	Database Database
	Forges   []Forge
	HSM      []Token
	Keys     []Key
	Ledger   Ledger
	// Timestamps is somebody else's time-stamping authority; the zero value for the gate's own.
	Timestamps   Timestamps
	Certificates Certificates
	Floors       []Floor
	Policies     Policies
	// Administrators may put policies in force and look at everything. Nobody else may.
	Administrators []gate.AccountID
	Log            Log
}

// Policies is how the server treats repositories' policies.
type Policies struct {
	// Cooldown is how long a newer version waits, after it was found reviewed, before it
	// is in force.
	Cooldown time.Duration
	// Audit has the server judge and report, and sign nothing.
	Audit bool
}

// Server is where the gate is reached.
type Server struct {
	URL          *url.URL // public, without path
	Listen       string   // host:port
	HealthListen string
	// Clients is the folder of the clients that are handed out; "" hands out none.
	Clients string
}

// Database is where everything is kept.
type Database struct {
	Engine string // sqlite or postgres
	Path   string // of SQLite's file
	DSN    Secret // of PostgreSQL
}

// Forge is one GitHub or GitLab instance.
type Forge struct {
	Name          gate.ForgeID
	Kind          gate.ForgeKind
	URL           string // web side
	APIURL        string
	Issuer        string
	AppID         int64  // GitHub
	PrivateKey    Secret // GitHub: the App's, PEM
	Token         Secret // GitLab
	WebhookSecret Secret
	// ClientID and ClientSecret are those of the OAuth client that people sign in through;
	// nobody signs in through a forge without them.
	ClientID     string
	ClientSecret Secret
	// GitLabAudience accepts the server's URL as audience on a GitHub that refuses the
	// long one.
	GitLabAudience bool
}

// Token is one PKCS#11 token. The PIN stays in its file: workers read it.
type Token struct {
	Module  string
	Label   string
	PINFile string
	Workers int
}

// Key is one version of a lineage: what it is for, where it lives, and, for a release key,
// who may use it.
type Key struct {
	Purpose      gate.Purpose
	Lineage      string
	Version      int
	Token        string
	Label        string
	ID           []byte // CKA_ID
	Fingerprint  string // SHA256: and 64 hex digits
	Repositories []gate.RepositoryID
	Owners       []gate.AccountID
}

// Ledger is how the ledger is published.
type Ledger struct {
	// Origin is the log's name, a host name; the server's unless another is given. It never
	// changes within an epoch.
	Origin string
	// Guard is the file, outside the database, that remembers what was published last.
	Guard string
	// Signers is an OpenSSH allowed_signers file of those administrators who may begin a new
	// epoch, two together; "" lets nobody.
	Signers   string
	Witnesses []Witness
	// Every is the longest that a published checkpoint stays the newest.
	Every time.Duration
}

// Witness is one C2SP tlog-witness.
type Witness struct {
	URL string // the submission prefix
	Key string // its verifier key, name+hash+key
}

// Timestamps is an outside RFC 3161 authority.
type Timestamps struct {
	URL   string
	Chain []byte // PEM, its certificate first and its root last
}

// Certificates is which release keys' certificates are made, and in whose name.
type Certificates struct {
	// Organization is the CA's; the server's host unless another is given.
	Organization string
	// Private makes them for private repositories too, whose names are then in the public
	// ledger.
	Private bool
	// Off makes none.
	Off bool
}

// Floor is what the server asks of repositories' policies, as its file says.
type Floor struct {
	Name    string
	File    string
	Content []byte
	// Owners are those whose repositories it holds; everybody's where there are none.
	Owners []gate.AccountID
}

// Holds reports whether the floor is for an owner's repositories.
func (f Floor) Holds(owner gate.AccountID) bool {
	return len(f.Owners) == 0 || slices.Contains(f.Owners, owner)
}

// Log is how much is logged, and how.
type Log struct {
	Level  string // debug, info, warn, error
	Format string // json or text
}

// maxFile bounds the configuration file, in bytes.
const maxFile = 1 << 20

// Load reads and checks a configuration file and the secrets it names. The error
// lists every problem; it is a *gate.Error of kind Invalid, CodeConfig.
func Load(path string) (Config, error) {
	text, err := read(path, maxFile)
	if err != nil {
		return Config{}, problem(fmt.Sprintf("the configuration file %s cannot be read: %v", path, err),
			"name it with --config; countersignd config example prints one")
	}
	return Parse(text)
}

// Parse is [Load] for the file's text.
func Parse(text []byte) (Config, error) {
	var f file
	d := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict(), yaml.DisallowUnknownField())
	if err := d.Decode(&f); err != nil && !errors.Is(err, io.EOF) {
		return Config{}, problem("the configuration does not parse:\n"+yaml.FormatError(err, false, true),
			"countersignd config example shows every field")
	}
	if err := d.Decode(new(file)); !errors.Is(err, io.EOF) {
		return Config{}, problem("the configuration holds more than one document", "keep one")
	}
	c := check(f)
	switch len(c.problems) {
	case 0:
		return c.Config, nil
	case 1:
		return Config{}, problem("the configuration does not hold: "+c.problems[0], "mend it, and see countersignd config check")
	default:
		return Config{}, problem("the configuration does not hold:\n  "+strings.Join(c.problems, "\n  "), "mend all of these, and see countersignd config check")
	}
}

// CheckURL holds a URL to what server.url accepts: https, or http on a loopback host, and
// nothing but a host; where path is set, what a forge's url accepts, which may have one.
func CheckURL(text string, path bool) error {
	c := &checker{}
	c.url("url", text, path)
	if len(c.problems) > 0 {
		return errors.New(c.problems[0])
	}
	return nil
}

func problem(text, fix string) error {
	return &gate.Error{Kind: gate.Invalid, Code: gate.CodeConfig, Text: text, Fix: fix}
}

// read reads at most limit bytes of a file.
func read(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, reason(err)
	}
	defer func() { _ = f.Close() }() // read only
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, reason(err)
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("it is larger than %d bytes", limit)
	}
	return b, nil
}

// reason is a file error without the path, which the message names already.
func reason(err error) error {
	var e *os.PathError
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}
