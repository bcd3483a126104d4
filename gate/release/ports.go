// Package release is the life of a release request: opened by a workload, judged
// on fresh evidence whenever something may have changed, signed once granted,
// and told to the forge. It declares what it needs of forges, signer and store.
package release

import (
	"context"
	"time"

	"github.com/countersign/countersign/gate"
)

// Forge is one forge's API. Every method reads or writes the forge itself, never a
// webhook's payload. Errors are *gate.Error of kind Unavailable where trying
// again may help; whatever else goes wrong inside evidence is an unknown fact,
// not an error.
type Forge interface {
	// Run reads the CI job that w says it is.
	Run(ctx context.Context, w gate.Workload) (gate.RunFacts, error)
	// PolicyFile reads .countersign.yaml at the head of the default branch. Errors:
	// CodeRepositoryUnknown where no credential reaches the repository,
	// CodePolicyMissing (kind NotFound) where it has no such file,
	// CodePolicyUnreadable otherwise.
	PolicyFile(ctx context.Context, r gate.RepositoryID) (gate.PolicyFile, error)
	// Evidence reads everything that needs asks for, once. It never fails: what it
	// could not read is unknown.
	Evidence(ctx context.Context, r gate.Request, needs gate.Needs) gate.Evidence
	// Comment reads one comment; absent where it was deleted.
	Comment(ctx context.Context, ref gate.CommentRef) gate.Fact[gate.Comment]
	// Post tells the forge p and returns the forge's id of what it made or changed.
	// Doing it twice leaves the forge as doing it once does.
	Post(ctx context.Context, p gate.Post) (string, error)
}

// Interpreter reads a proved delivery as a hint where to look. It is pure.
type Interpreter interface {
	Interpret(d gate.Delivery) ([]gate.Ring, error)
}

// Signer carries out signing orders and returns signatures that it has verified
// under each order's public key, in the orders' order; all or none. Errors of
// kind Unavailable may be tried again; anything else is final.
type Signer interface {
	Sign(ctx context.Context, orders []gate.Order) ([]gate.Signature, error)
}

// Inbox holds deliveries between the answer to the forge and their work.
type Inbox interface {
	Hearing
	// ClaimDelivery leases the oldest open delivery whose thread has no earlier open one.
	ClaimDelivery(ctx context.Context, owner string, lease time.Duration) (gate.Delivery, bool, error)
	// FinishDelivery ends the delivery and stores what it led to, with leaves, in one
	// transaction.
	FinishDelivery(ctx context.Context, d gate.Delivery, heard gate.Heard) error
	// DeferDelivery gives the lease back until after; why is for the operator.
	DeferDelivery(ctx context.Context, d gate.Delivery, after time.Time, why string) error
}

// Requests holds requests and the decisions on them.
type Requests interface {
	// OpenRequest opens or joins, binding the ID token, in one transaction with the
	// request's leaf. Errors: CodeTokenRebound.
	OpenRequest(ctx context.Context, o gate.Opening) (r gate.Record, joined bool, err error)
	// Request finds one by id; CodeRequestUnknown where there is none.
	Request(ctx context.Context, id string) (gate.Record, error)
	// OpenRequests lists the requests of a repository that have not ended, oldest first.
	OpenRequests(ctx context.Context, r gate.RepositoryID) ([]gate.Record, error)
	// ClaimDue leases one request (waiting, granted or signing past its lease) that is due.
	ClaimDue(ctx context.Context, owner string, lease time.Duration) (gate.Record, bool, error)
	// RecordDecision stores a decision, its leaf, the new state and its posts, if the
	// record is still as it was judged; CodeTransition where it is not.
	RecordDecision(ctx context.Context, j gate.Judged) (gate.Record, error)
}

// Book holds what judgements look up.
type Book interface {
	// Approvals lists the statements about a request, oldest first.
	Approvals(ctx context.Context, request string) ([]gate.Approval, error)
	// Released lists the commits of the stream's signed releases, newest first.
	Released(ctx context.Context, r gate.RepositoryID, stream string, limit int) ([]string, error)
	// RecentOf lists the newest requests of a repository, ended ones too, newest first.
	RecentOf(ctx context.Context, r gate.RepositoryID) ([]gate.Record, error)
	// InForce is the adopted policy of a repository; CodePolicyNotAdopted where there is none.
	InForce(ctx context.Context, r gate.RepositoryID) (gate.Adoption, error)
	// BindToken binds a later use of an ID token to a request; CodeTokenRebound where
	// it serves another.
	BindToken(ctx context.Context, t gate.TokenUse, request string) error
}

// Signing is the durable order around the HSM.
type Signing interface {
	// BeginSigning moves granted to signing if rec is still current, and stores the
	// intents with the lease and a leaf. The intents' Attempt is already set to
	// rec.Signing+1.
	BeginSigning(ctx context.Context, rec gate.Record, intents []gate.Intent, owner string, lease time.Duration) (gate.Record, error)
	// OrphanSigning ends the open intents of an attempt whose lease ran out as
	// orphaned, each with its leaf, and moves the request to granted to be judged again.
	OrphanSigning(ctx context.Context, rec gate.Record) (gate.Record, error)
	// FailSigning ends the attempt's open intents as orphaned and the request as failed.
	FailSigning(ctx context.Context, rec gate.Record, why string, posts []gate.Post) (gate.Record, error)
	// Signatures lists a signed request's signatures with their intents.
	Signatures(ctx context.Context, request string) ([]gate.SignedIntent, error)
}

// Outbox holds what the forge is still to be told.
type Outbox interface {
	// ClaimPost leases the oldest due post whose target and key have no earlier open
	// one; older open posts of the same target and key are dropped in its favour.
	ClaimPost(ctx context.Context, owner string, lease time.Duration) (gate.Post, bool, error)
	// Posted ends it and remembers the forge's id for the next post of its target and key.
	// The last open post of a signed request moves it to published, with a leaf.
	Posted(ctx context.Context, p gate.Post, known string) error
	// DeferPost gives the lease back until after.
	DeferPost(ctx context.Context, p gate.Post, after time.Time, why string) error
	// RefusePost is DeferPost for a post that the forge refused; after many refusals the
	// post is given up and counts as told.
	RefusePost(ctx context.Context, p gate.Post, after time.Time, why string) error
	// GiveUpPost gives a post up at once, and stores posts that say so.
	GiveUpPost(ctx context.Context, p gate.Post, why string, posts []gate.Post) error
}

// Watcher is what a forge tells about policies that are not in force yet.
type Watcher interface {
	// PolicyChange reads a PR/MR and the policy file at its head. Errors of kind
	// Unavailable may be tried again; NotFound where there is no such PR/MR.
	PolicyChange(ctx context.Context, r gate.RepositoryID, number int64) (gate.PolicyChange, error)
}

// Courier finds deliveries that were lost on the way and has them delivered again
// (attack 60). Only GitHub keeps a list of them; elsewhere threads are read again.
type Courier interface {
	// Redeliver asks for the failed deliveries since a time, each once per call, at most
	// 100, and reports how many. A delivery that later succeeded is not asked for.
	Redeliver(ctx context.Context, since time.Time) (int, error)
}

// Watching is what is kept about policies, protections and waiting jobs over time.
type Watching interface {
	// ClaimWatched leases one repository with an adopted policy that is due to be looked at:
	// because a delivery rang for it, or because its last look is older than every.
	ClaimWatched(ctx context.Context, owner string, every, lease time.Duration) (gate.Watched, bool, error)
	// RecordWatched ends the lease and keeps the proposal; the zero Proposal keeps none. A
	// changed proposal makes the repository's open requests due.
	RecordWatched(ctx context.Context, r gate.RepositoryID, p gate.Proposal) error
	// Proposal is the kept proposal of a repository; ok is false where there is none.
	Proposal(ctx context.Context, r gate.RepositoryID) (p gate.Proposal, ok bool, err error)
	// Snapshots lists the kept protections of a ref that held at or after since, oldest first.
	Snapshots(ctx context.Context, r gate.RepositoryID, ref string, since time.Time) ([]gate.Snapshot, error)
	// Deployments lists the jobs of a run that wait for the gate and were given no verdict.
	Deployments(ctx context.Context, r gate.RepositoryID, runID int64) ([]gate.Deployment, error)
}

// Hearing stores what was heard without a delivery.
type Hearing interface {
	// Hear stores statements found in a thread, due requests and posts, as FinishDelivery
	// does. Statements whose comment is on record are left out.
	Hear(ctx context.Context, heard gate.Heard) error
	// ClaimChange leases one PR/MR whose effect on the policy is to be looked at.
	ClaimChange(ctx context.Context, owner string, lease time.Duration) (gate.ChangeRef, bool, error)
	// FinishChange ends it and stores its posts.
	FinishChange(ctx context.Context, c gate.ChangeRef, posts []gate.Post) error
	// DeferChange gives the lease back until after.
	DeferChange(ctx context.Context, c gate.ChangeRef, after time.Time, why string) error
}

// Glancer reads a comment as far as one call tells: its author, its body, when it was made,
// whether an App wrote it, and whether it changed since. What a judgement counts is read
// again in full.
type Glancer interface {
	Glance(ctx context.Context, ref gate.CommentRef) gate.Fact[gate.Comment]
}

// Sealing is what lies between signatures and their hand-out.
type Sealing interface {
	// KeepSignatures stores the signatures, ends the intents, and enters each signature in the
	// ledger, by key and, over subjects and statements where certificate (DER) is not nil, by
	// certificate, in one transaction, if the attempt's intents are all still open;
	// CodeTransition where they are not. The request stays signing, leased, and is Sealing.
	KeepSignatures(ctx context.Context, rec gate.Record, sigs []gate.Signature, certificate []byte, lease time.Duration) (gate.Record, error)
	// CompleteSealing stores the seal and the posts, and moves the request to signed, in one
	// transaction. The same seal once more changes nothing.
	CompleteSealing(ctx context.Context, rec gate.Record, seal gate.Seal, posts []gate.Post) (gate.Record, error)
	// DeferSealing gives the lease back until after.
	DeferSealing(ctx context.Context, rec gate.Record, after time.Time, why string) error
	// Seal is a signed request's; CodeNotSigned where it has none yet.
	Seal(ctx context.Context, request string) (gate.Seal, error)
}

// Verdicts keeps what was signed about requests that ended denied.
type Verdicts interface {
	// KeepVerdict stores a verdict and enters its signature in the ledger, once per request:
	// later ones are left aside.
	KeepVerdict(ctx context.Context, v gate.SignedVerdict) error
	// Verdict is a request's; false where it has none.
	Verdict(ctx context.Context, request string) (gate.SignedVerdict, []gate.LogEntry, bool, error)
	// Unsaid lists requests that ended denied and have no verdict, the oldest first.
	Unsaid(ctx context.Context, limit int) ([]gate.Record, error)
}

// Authority makes evidence with the gate's own keys, or with somebody else's. Errors of
// kind Unavailable may be tried again.
type Authority interface {
	// Certificate is a valid DER certificate over the release key for the identity, kept and
	// used again until it is about to run out.
	Certificate(ctx context.Context, key gate.KeyVersion, id gate.Identity) ([]byte, error)
	// Timestamp is a whole DER TimeStampResp over a signature's bytes (RFC 3161, SHA-256).
	Timestamp(ctx context.Context, signature []byte) ([]byte, error)
	// Verdict signs a statement with the verdict key.
	Verdict(ctx context.Context, request string, statement []byte) (gate.SignedVerdict, error)
	// TrustedRoot is the newest trusted_root.json: one line and a line feed.
	TrustedRoot(ctx context.Context) ([]byte, error)
}

// Log is the published ledger.
type Log interface {
	// Covering is the newest checkpoint of at least size leaves that at least witnesses
	// witnesses cosigned; it publishes one where there is none. CodeSealing or CodeWitnesses,
	// kind Unavailable, where that takes longer.
	Covering(ctx context.Context, size int64, witnesses int) (gate.Checkpoint, error)
	// Prove gives the inclusion proofs of entries in the tree of size leaves, by index.
	Prove(ctx context.Context, size int64, indexes []int64) (map[int64][]gate.Digest, error)
	// Fit fails with CodeLedgerBehind where nothing may be signed: the database lacks leaves
	// that were published.
	Fit(ctx context.Context) error
}
