package probe

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/countersign/countersign/gate"
)

func asError[T error](err error, into *T) bool { return errors.As(err, into) }

// Adapter is what the gate itself reads and posts with.
type Adapter interface {
	Run(ctx context.Context, w gate.Workload) (gate.RunFacts, error)
	PolicyFile(ctx context.Context, r gate.RepositoryID) (gate.PolicyFile, error)
	Evidence(ctx context.Context, r gate.Request, needs gate.Needs) gate.Evidence
	Comment(ctx context.Context, ref gate.CommentRef) gate.Fact[gate.Comment]
	Post(ctx context.Context, p gate.Post) (string, error)
}

// Config is one probe of one forge.
type Config struct {
	Forge gate.ForgeID
	Kind  gate.ForgeKind
	// URL is the web side, APIURL the REST base, GraphQLURL the GraphQL endpoint.
	URL, APIURL, GraphQLURL string
	// Server is the gate's own public URL, without path: ID tokens are made for it.
	Server string
	// Repository is the scratch repository, OWNER/NAME.
	Repository string
	// Ref is the full ref that a release would have; the default branch where empty.
	Ref string
	// Public is a public repository that the gate is not installed on; none where empty.
	Public string
	// Team is a team or group to look into, as policies spell it: GitHub ORGANISATION/TEAM,
	// GitLab the group's path. None where empty.
	Team string
	// Write allows posts on the scratch repository.
	Write bool
	// Claims are the claim sets of ID tokens of one CI job of the scratch repository.
	Claims []Claims

	// Client carries the probe's own calls, and App and Token are their credentials: the
	// GitHub App's transport, or GitLab's access token.
	Client *http.Client
	App    http.RoundTripper
	Token  string
	// Permissions are what the gate asks of a GitHub App's installation.
	Permissions map[string]string

	Adapter Adapter
	Now     func() time.Time
}

// session is one probe under way: what earlier facts found, for later ones.
type session struct {
	Config

	app  *wire // GitHub: as the App
	repo *wire // as the installation, or with GitLab's token
	self account

	owner, name  string
	installation int64
	granted      map[string]string
	id, ownerID  int64
	branch       string
	head         string
	pull         int64 // a merged PR or MR of the history, 0 where none was found
	version      string
	// byCommit and modes are what this GitLab's GraphQL has.
	byCommit, modes bool

	evidence *gate.Evidence
	request  gate.Request

	thread  int64
	comment int64
	left    []string // what the probe left behind
}

type account struct {
	ID    int64  `json:"id"`
	Login string `json:"login"`
	// Username is GitLab's word.
	Username string `json:"username"`
	Type     string `json:"type"`
	Bot      *bool  `json:"bot"`
}

// unready says that an earlier fact already failed, without which this one cannot be told.
func (s *session) unready() (result, bool) {
	if s.id == 0 || s.repo == nil {
		return untold("the scratch repository could not be read"), true
	}
	return result{}, false
}

// headless is unready for what needs a commit as well.
func (s *session) headless() (result, bool) {
	if r, is := s.unready(); is {
		return r, true
	}
	if s.head == "" {
		return untold("the default branch of the scratch repository could not be read"), true
	}
	return result{}, false
}

func (s *session) repositoryID() gate.RepositoryID {
	return gate.RepositoryID{Forge: s.Forge, ID: s.id}
}
