package gitlabtest

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"time"
)

// Options are the switches of the double. The zero value is a Free-tier
// self-managed GitLab of a recent version.
type Options struct {
	// Premium turns on approval rules and settings, push rules per user and group
	// hooks. Off, those endpoints answer 404 (API docs: "Tier: Premium").
	Premium bool
	// Version is what /version and /metadata say; "18.5.1" where empty.
	Version string
	// Now is the clock; time.Now where nil. Two changes never share a millisecond.
	Now func() time.Time
	// Key signs ID tokens; a fresh RSA key of 2048 bits where nil.
	Key *rsa.PrivateKey
	// SubPath is where the instance lives below its host, such as "/gitlab" (docs: install
	// under a relative URL); nowhere else answers.
	SubPath string
	// JobTimeout is how long ID tokens live: an hour, the default of a project's
	// "Timeout" setting, where zero (source: lib/gitlab/ci/jwt.rb, build.timeout_value).
	JobTimeout time.Duration

	// WithoutRepositoryCommit leaves Repository.commit(ref:) and
	// Repository.commits(ref:) out of the GraphQL schema, as on versions before
	// their resolvers (source: app/graphql/resolvers/repositories/commit_resolver.rb;
	// the version that brought them is unverified).
	WithoutRepositoryCommit bool
	// WithoutBlobMode leaves Blob.mode out of the GraphQL schema, as on versions before
	// it (source: app/graphql/types/tree/blob_type.rb; which one brought it is unverified).
	WithoutBlobMode bool
	// WithoutEnterpriseCode leaves what only the enterprise edition brings, licensed or
	// not, out of the GraphQL schema: MergeRequest.mergeRequestDiffs and approvalState.
	WithoutEnterpriseCode bool
	// WithoutTrailers leaves trailers and extended_trailers empty in single
	// commits and merge request commits. Whether they are filled there without
	// ?trailers=true is unverified.
	WithoutTrailers bool
	// UnknownRevisionNotFound answers 404 where commits are listed of a revision that
	// the project does not hold; else the list is empty, as Gitaly's FindCommits
	// finds none. Unverified.
	UnknownRevisionNotFound bool
	// SignWebCommits signs what the instance commits itself: merges, squashes,
	// rebases (docs: signed commits, sign commits made in the UI; gitlab.com does).
	SignWebCommits bool
	// RedactEmails writes "[REDACTED]" in place of people's e-mail addresses in
	// webhooks (API docs: webhook events, user email; depends on the instance).
	RedactEmails bool
	// DisableFailingHooks stops deliveries after four failures in a row (docs:
	// webhooks, auto-disabled webhooks). Off by default, because an outage in a
	// test would otherwise end with silence; EnableHooks turns them on again.
	DisableFailingHooks bool
	// WithoutSigningTokens ignores signing_token, as where the feature flag
	// webhook_signing_token is off.
	WithoutSigningTokens bool
	// WithoutHookEvents has no list of a hook's deliveries, as GitLab before 17.3.
	WithoutHookEvents bool
	// LocalHooksForbidden refuses hooks to this machine, as GitLab does unless its
	// administrator allows requests to the local network (docs: filter outbound requests).
	// Off, because tests listen there.
	LocalHooksForbidden bool
	// ManualMergeUnnoticed leaves a merge request open when its head arrives on
	// the target branch by a push. GitLab closes it as merged
	// (source: app/services/merge_requests/refresh_service.rb).
	ManualMergeUnnoticed bool
	// FastForwardMergeCommit fills merge_commit_sha on fast-forward merges too.
	// Null is documented for older versions; newer ones are unverified.
	FastForwardMergeCommit bool
	// MaxWebhookRefs is how many branches, or tags, of one push send hooks: 3
	// where zero (source: application setting push_event_hooks_limit).
	MaxWebhookRefs int
}

func (o Options) withDefaults() Options {
	if o.Version == "" {
		o.Version = "18.5.1"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Key == nil {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(fmt.Sprintf("make the RSA key of the GitLab double: %v", err))
		}
		o.Key = key
	}
	if o.JobTimeout == 0 {
		o.JobTimeout = time.Hour
	}
	if o.MaxWebhookRefs == 0 {
		o.MaxWebhookRefs = 3
	}
	return o
}
