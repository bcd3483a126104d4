package web

import (
	"context"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
	"github.com/countersign/countersign/gate/policy"
	"github.com/countersign/countersign/gate/release"
)

// SignIn is how people prove to a forge who they are: OAuth 2.0's authorization code
// grant (RFC 6749) with PKCE (RFC 7636). Adapters implement it where an OAuth client is
// configured.
type SignIn interface {
	// AuthorizeURL is where the browser is sent. The challenge is S256 of the verifier.
	AuthorizeURL(state, challenge, redirect string) string
	// Identify exchanges the code and reads whose it is. The user's token is revoked, where
	// the forge can, and forgotten. Errors: CodeSignIn of kind Refused where the forge does
	// not take the code; Unavailable where it does not answer.
	Identify(ctx context.Context, code, verifier, redirect string) (gate.Account, error)
}

// Rights reads from the forge, now, what an account may do in a repository.
type Rights interface {
	// Right is the account with its role; RoleNone, or absent, where it has none. Teams are
	// not read.
	Right(ctx context.Context, r gate.RepositoryID, who gate.AccountID) gate.Fact[gate.Member]
}

// Board is what the pages read of the store.
type Board interface {
	// List lists requests, the newest first. Errors: CodeParameter for a limit out of range.
	List(ctx context.Context, q gate.ListQuery) ([]gate.Record, error)
	// History tells what happened to a request, the oldest first.
	History(ctx context.Context, request string) ([]gate.Happening, error)
	// Enrolled lists the repositories with a policy in force, those asked for last first.
	Enrolled(ctx context.Context, limit int) ([]gate.Enrolled, error)
	// Adoptions lists the policies that were in force for a repository, the newest first.
	Adoptions(ctx context.Context, r gate.RepositoryID) ([]gate.Adoption, error)
	// KeyUses tells what every key version did.
	KeyUses(ctx context.Context) ([]gate.KeyUse, error)
}

// Workshop is what the operations page reads and does.
type Workshop interface {
	// Queues tells how much work waits, one entry per queue.
	Queues(ctx context.Context) ([]gate.Queued, error)
	// Deliveries lists what was received, the newest first, before a position; 0 starts at
	// the newest. open leaves out what is done.
	Deliveries(ctx context.Context, before int64, open bool, limit int) ([]gate.Received, error)
	// WorkAgain makes a delivery due again, done or not. Errors: CodeRequestUnknown of kind
	// NotFound where there is none at that position.
	WorkAgain(ctx context.Context, seq int64) error
	// SigningMicros are how long the newest signing attempts took, intents to signatures, in
	// microseconds.
	SigningMicros(ctx context.Context, limit int) ([]int64, error)
}

// Doctor examines the server, or with a repository what its next release would meet.
type Doctor interface {
	Examine(ctx context.Context) []api.Finding
	ExamineRepository(ctx context.Context, r gate.RepositoryID) []api.Finding
}

// Policies is what the repositories' pages do with policies.
type Policies interface {
	// Candidate reads the policy file that Adopt would put in force now.
	Candidate(ctx context.Context, r gate.RepositoryID) (release.Candidate, error)
	// Adopt puts it in force on an administrator's word.
	Adopt(ctx context.Context, o release.Adoption) (gate.Adoption, error)
	// Explain says what each stream of an adopted policy comes to, and who says so.
	Explain(a gate.Adoption) ([]policy.Explained, error)
}

// Proposals are the newer versions of policies that are not in force.
type Proposals interface {
	// Proposal is that of a repository; ok is false where there is none.
	Proposal(ctx context.Context, r gate.RepositoryID) (p gate.Proposal, ok bool, err error)
}

// Untold is a post that the forge refused until it was given up.
type Untold struct {
	Post     gate.Post
	Why      string // the last refusal's reason
	Refusals int    // 0 for what was given up with another post
	At       time.Time
}

// Outbox is what operators see and do about posts.
type Outbox interface {
	// Untold lists the posts that were given up, the latest first.
	Untold(ctx context.Context, limit int) ([]Untold, error)
	// TellAgain makes one due again. Errors: CodeRequestUnknown of kind NotFound where no such
	// post was given up.
	TellAgain(ctx context.Context, post string) error
}
