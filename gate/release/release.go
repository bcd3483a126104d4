package release

import (
	"context"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/policy"
)

// Store is everything the life of a request needs kept.
type Store interface {
	Inbox
	Requests
	Policies
	Proving
	Outbox
}

// Proving is what signing leaves behind: signatures, their evidence, and what became of the
// files.
type Proving interface {
	Signing
	Sealing
	Verdicts
	AssetBook
}

// Policies is the book, and what an administrator writes into it.
type Policies interface {
	Book
	Watching
	// Adopt puts a policy version in force for its repository, with its leaf, and makes
	// the repository's open requests due.
	Adopt(ctx context.Context, a gate.Adoption) error
}

// Port is one configured forge.
type Port struct {
	Kind gate.ForgeKind
	URL  *url.URL // web side
	Forge
	Interpreter
	// Watcher tells about changes of policies; nil where the forge cannot.
	Watcher Watcher
	// Glancer reads a comment for less; nil where reading it in full costs no more.
	Glancer Glancer
	// Courier has lost deliveries sent again; nil where the forge keeps none.
	Courier Courier
	// Assets lists the files of the forge's releases; nil where the forge cannot.
	Assets AssetReader
}

// Config is what a [Gate] works with.
type Config struct {
	Server *url.URL // the gate's public URL
	Forges map[gate.ForgeID]Port
	Store  Store
	Signer Signer
	Keys   Keyring
	// Authority makes the evidence around signatures; Ledger is what they are published in.
	Authority Authority
	Ledger    Log
	// Certify says which repositories' release keys get certificates: a certificate names its
	// repository, and is in the public ledger.
	Certify Certify
	// Witnesses is how many cosign the ledger: a policy that asks for more is refused.
	Witnesses int
	// Floors are what the operator asks of every policy of an owner's repositories; nil for
	// nothing.
	Floors func(owner gate.AccountID) []policy.Floor
	Log    *slog.Logger
	Now    func() time.Time
	// Cooldown is how long a newer policy waits, after it was found covered, before it is in
	// force.
	Cooldown time.Duration
	// Audit has every release judged and reported, and nothing signed.
	Audit bool
	// NewID makes UUIDv7s.
	NewID func() string
	// Owner names this process in leases.
	Owner string
}

// Certify is which repositories' release keys get certificates.
type Certify string

// Which.
const (
	CertifyPublic Certify = "public" // those that anybody may see; the default
	CertifyAll    Certify = "all"
	CertifyNone   Certify = "none"
)

// Gate runs release requests through their life. It is safe for concurrent use.
type Gate struct {
	Config

	// told are the releases of which people know that their evidence is late.
	told sync.Map
}

// New returns a gate over its configuration.
func New(c Config) *Gate { return &Gate{Config: c} }

// How long work is leased and when to look again. A lease outlives the longest
// call it covers, so that no two processes do the same work at once.
const (
	judgeLease    = 2 * time.Minute
	signLease     = gate.GrantLifetime + 15*time.Second
	sealLease     = 3 * time.Minute // the longest that timestamps, a checkpoint and cosignatures may take
	sealMargin    = 20 * time.Second
	sealRetry     = 2 * time.Second // at first; later as long as a quarter of what it has waited
	sealRetryMost = time.Minute
	sealTold      = 5 * time.Second  // evidence that is late by more than this is worth a word
	finishTime    = 10 * time.Second // to store signatures, whoever stops the process meanwhile
	postLease     = time.Minute
	hearLease     = time.Minute
	hearRetry     = 2 * time.Second // at first; later as long as it has waited already
	hearRetryMost = time.Minute
	sweepEvery    = 5 * time.Minute  // a waiting request, without any delivery (attack 60)
	unreadEvery   = 15 * time.Second // a request that waits for the forge to answer
	tokenAge      = 10 * time.Minute // an ID token older than this needs its job to be running
	releasesKept  = 20               // signed releases that a change set is counted from
)

// port finds a forge. Errors: CodeForgeUnknown.
func (g *Gate) port(id gate.ForgeID) (Port, error) {
	p, ok := g.Forges[id]
	if !ok {
		return Port{}, &gate.Error{
			Kind: gate.NotFound, Code: gate.CodeForgeUnknown, Text: "no forge of this name is configured",
			Expected: "a configured forge", Got: string(id), Fix: "see forges in the server's configuration",
		}
	}
	return p, nil
}

// URL is the release page of a request.
func (g *Gate) URL(id string) string { return g.Server.JoinPath("releases", id).String() }
