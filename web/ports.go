package web

import (
	"context"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
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
