package githubtest

import (
	"crypto/rsa"
	"maps"
	"time"
)

// Options configures a [Server]. The zero value is GitHub as it is documented,
// with the App permissions that the gate asks for.
type Options struct {
	// Now is the forge's clock; time.Now where nil.
	Now func() time.Time
	// Permissions are those of the App; [DefaultPermissions] where nil.
	Permissions map[string]string
	// Key signs ID tokens and is the App's; fresh RSA keys of 2048 bits where nil. Many
	// servers of one test share one, since making one takes longer than most tests.
	Key *rsa.PrivateKey
	// NotInstalled leaves the App off new repositories: somebody installs it by its page.
	NotInstalled bool
	// Callbacks are the App's callback URLs; see [Server.SetCallbacks].
	Callbacks []string
	// RateLimit is the number of API requests an installation has per hour; 5,000 where 0.
	RateLimit int
	// Web is the address that pages of repositories are said to have, such as
	// https://github.com; the double's own where "". Some verifiers know no other forge.
	Web string
	// Switches turn on the other side of what nobody has verified on a live GitHub.
	Switches Switches
}

// Switches are behaviours that no source settles. The zero value is what the gate's
// author expects; each is tested both ways.
type Switches struct {
	// NoInstallationByRepositoryID takes away GET /repositories/{id}/installation,
	// which go-github calls (FindRepositoryInstallationByID) and GitHub does not document.
	NoInstallationByRepositoryID bool
	// ActivityListsTags puts pushes of tags into GET activity; its documentation
	// speaks of branches and gives the parameter ref as a branch.
	ActivityListsTags bool
	// JobIDIsNotCheckRunID gives a job's check run another number than the job: the
	// API description links them (check_run_url) but does not call them equal.
	JobIDIsNotCheckRunID bool
	// DeletedUserIsNull answers null where a deleted account's comment is read; GitHub's
	// pages show @ghost, and the API description allows both.
	DeletedUserIsNull bool
	// TokensReadPublic lets an installation token read public repositories outside its
	// installation. GitHub's docs say that Apps read public resources, not by which calls.
	TokensReadPublic bool
	// NoUserForBotCommits makes GraphQL GitActor.user null for a bot's e-mail. The field's
	// type is User, but answers with a bot's login and ID have been seen in the wild.
	NoUserForBotCommits bool
	// BareBotLogins gives such an account in GitActor.user without the "[bot]" that REST
	// shows, as GraphQL's type Bot does.
	BareBotLogins bool
	// NoCollaboratorsForApps refuses Repository.collaborators to Apps. REST lists them with
	// metadata:read; GraphQL's documentation does not speak of Apps there.
	NoCollaboratorsForApps bool
	// NoRulesByGraphQL refuses Ref.rules, which lists the rules in force. REST lists them with
	// metadata:read; GraphQL's documentation does not speak of Apps there.
	NoRulesByGraphQL bool
	// PendingOmitsCustomRules leaves custom protection rules out of a run's pending
	// deployments; their description speaks of "protection rules" without saying which.
	PendingOmitsCustomRules bool
	// RemembersAuthorization sends whom the App is authorized by already straight back, as
	// GitHub does. The double asks every time else, which is what a person sees once.
	RemembersAuthorization bool
}

// DefaultPermissions are the App permissions of a fresh [Server]: the least that the
// gate needs, as names and levels of `components.schemas.app-permissions`.
func DefaultPermissions() map[string]string {
	return map[string]string{
		"metadata": "read", "contents": "read", "actions": "read", "administration": "read",
		"pull_requests": "write", "checks": "write", "statuses": "write", "deployments": "write",
		"members": "read", "issues": "write",
	}
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Permissions == nil {
		o.Permissions = DefaultPermissions()
	} else {
		o.Permissions = maps.Clone(o.Permissions)
	}
	if o.RateLimit == 0 {
		o.RateLimit = 5000
	}
	return o
}
