package setup

import (
	"context"
	"net/http"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/api"
)

// Step is what is to be done next.
type Step string

// The steps, in their order.
const (
	StepForge         Step = "forge"         // connect a forge
	StepInstall       Step = "install"       // say which repositories
	StepAdministrator Step = "administrator" // the first person to sign in
	StepKey           Step = "key"           // make the key that signs
	StepFinish        Step = "finish"        // write it down, and serve
)

// State is how far a setup is. It holds no secret.
type State struct {
	Kind     gate.ForgeKind // "" until a forge is connected
	ForgeURL string         // its web side
	// Account is what the gate is on the forge: its App's name, or its bot's.
	Account string
	// InstallURL is where the App's owner installs it; "" on GitLab.
	InstallURL string
	// Holders may use the key.
	Holders       []Holder
	Administrator gate.Account
	Key           Key
	Token         string // label of the PKCS#11 token
	// Software is true where the token keeps its keys in files.
	Software bool
}

// Step is the first step that is not done.
func (s State) Step() Step {
	switch {
	case s.Kind == "":
		return StepForge
	case len(s.Holders) == 0:
		return StepInstall
	case s.Administrator.ID.ID == 0:
		return StepAdministrator
	case s.Key.Lineage == "":
		return StepKey
	}
	return StepFinish
}

// Holder is an owner or a repository that may use the key, as the forge's API names it.
type Holder struct {
	ID    string `json:"id"` // "github:9000"
	Name  string `json:"name"`
	Owner bool   `json:"owner"` // of everything the owner has installed the App on
}

// Key is the key that was made.
type Key struct {
	Lineage     string `json:"lineage"`
	Fingerprint string `json:"fingerprint"`
}

// Installation is one of the App's, as the API lists them.
type Installation struct {
	ID     int64
	Holder Holder
}

// Site is what is being set up. What its methods did is durable when they return. Errors are
// *gate.Error where their text is for the reader.
type Site interface {
	State() State
	// Bind says who may use the key.
	Bind(ctx context.Context, holders []Holder) error
	// Appoint makes the account the first administrator.
	Appoint(ctx context.Context, who gate.Account) error
	// MakeKey makes a key on the token, for a new lineage.
	MakeKey(ctx context.Context, lineage string) error
	// Finish writes the configuration and opens the gate, which serves from then on; the
	// handler answers the request that asked for it.
	Finish(ctx context.Context) (http.Handler, error)
}

// GitHub connects a GitHub.
type GitHub interface {
	// Manifest is the form that asks a GitHub for an App. Errors: CodeParameter.
	Manifest(web, organisation, state string) (Form, error)
	// Convert takes the App for the code that came back, once.
	Convert(ctx context.Context, web, code string) error
	// UseApp takes an App that was made by hand, if it works.
	UseApp(ctx context.Context, app GivenApp) error
	// Installations lists where the App is installed.
	Installations(ctx context.Context) ([]Installation, error)
}

// GitLab connects a GitLab.
type GitLab interface {
	// UseBot takes a bot's token and an OAuth application, if they work.
	UseBot(ctx context.Context, bot GivenBot) error
	// Projects lists those that the bot administers.
	Projects(ctx context.Context) ([]Holder, error)
	// Hook gives each project a webhook that leads here, and says what it did.
	Hook(ctx context.Context, projects []Holder) ([]api.Finding, error)
}

// SignIn is how people prove to the forge who they are, as web.SignIn.
type SignIn interface {
	AuthorizeURL(state, challenge, redirect string) string
	Identify(ctx context.Context, code, verifier, redirect string) (gate.Account, error)
}

// Form is one that the browser posts to the forge.
type Form struct {
	Action   string
	Manifest string
}

// GivenApp is a GitHub App as somebody typed it in. A secret is itself, or the absolute path
// of the file that holds it.
type GivenApp struct {
	Web, AppID, ClientID                    string
	PrivateKey, WebhookSecret, ClientSecret string
}

// GivenBot is a GitLab bot as somebody typed it in. Secrets are as in [GivenApp].
type GivenBot struct {
	Web, Token, ClientID, ClientSecret string
}
