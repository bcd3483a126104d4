package transcript

import (
	"regexp"
	"slices"
	"strings"
)

// secretKey tells the names of fields whose text is never shown, whatever it is.
func secretKey(key string) bool {
	k := strings.ToLower(key)
	for _, part := range []string{"token", "secret", "password", "passwd", "private_key", "credential", "authorization", "cookie", "jwt", "pem"} {
		if strings.Contains(k, part) {
			return true
		}
	}
	return false
}

// secretShape tells texts that are credentials by their looks: PEM, JWTs, and the
// prefixes that the forges give their tokens.
var secretShape = regexp.MustCompile(`-----BEGIN|eyJ[A-Za-z0-9_-]{8,}\.|\bgh[a-z]_[A-Za-z0-9]{8,}|\bgithub_pat_|\bgl[a-z]{2,6}-[A-Za-z0-9_-]{8,}|\bwhsec_`)

// plain tells texts that name nobody: numbers, commit hashes, times, versions, UUIDs,
// opaque numbers of the forges, and stand-ins.
var plain = regexp.MustCompile(`^(?:` + strings.Join([]string{
	`[v-]?\d+(?:\.\d+)*(?:-(?:ee|ce|pre|rc\d*))?`, // numbers, versions
	`\d+\+`,                     // "1000+"
	`[0-9a-f]{40}|[0-9a-f]{64}`, // commits
	`sha256:[0-9a-f]{64}`,       // digests
	`\d{4}-\d\d-\d\d(?:[T ][\d:.]+(?:Z| ?[+-]\d\d:?\d\d))?`, // dates, times
	`[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}`,           // UUIDs
	`gid://gitlab/[A-Za-z:]+/\d+`,                           // GitLab's global IDs
	`(?:user|name|text)-\d+(?:@invalid)?(?:\[bot\])?`,       // our own
	`true|false|null`,
}, "|") + `)$`)

// nodeID is GitHub's opaque number of an object, old and new.
var nodeID = regexp.MustCompile(`^(?:[A-Z][A-Za-z]{0,7}_[A-Za-z0-9_-]{4,128}|MD[A-Za-z0-9+/]{4,128}={0,2})$`)

var (
	word     = regexp.MustCompile(`^[A-Za-z0-9_.:+-]{1,64}$`)
	fieldKey = regexp.MustCompile(`^[A-Za-z_$][A-Za-z0-9_]{0,63}$`)
	address  = regexp.MustCompile(`[^\s<>"'(),;:]+@[^\s<>"'(),;:]+`)
	anchor   = regexp.MustCompile(`^[a-z]+_?-?\d+$`)
)

// wordKeys are fields in which a forge puts one of its own words.
func wordKeys() []string {
	return []string{
		"__typename", "action", "action_name", "activity_type", "actor_type", "author_association", "bypassMode", "bypass_mode",
		"conclusion", "detailed_merge_status", "direction", "encoding", "enforcement", "enforcement_level", "event",
		"events", "fields", "filter", "include_subgroups", "kind", "line_type", "merge_error", "merge_method", "merge_status",
		"membership_state", "mode", "noteable_type", "order_by", "performed_via", "permission", "prefix", "reason", "ref_type",
		"repository_selection", "repository_visibility", "scope", "scopes", "severity", "side", "sort", "source", "source_type",
		"squash_option", "state", "state_reason", "status", "status_check_enforcement", "target", "target_type",
		"targets", "type", "verification", "visibility", "visibility_level", "algorithm",
	}
}

// ownNames name nobody either: every repository may have them.
func ownNames() []string {
	return []string{
		"main", "master", "head", "trunk", "refs", "heads", "tags", "pull", "merge", ".countersign.yaml", ".github", ".gitlab", "docs", "workflows",
		"release.yml", "codeowners", "web-flow", "ghost", "github-actions[bot]", "dependabot[bot]", "opened", "open", "closed",
		"all", "asc", "desc", "pushed", "branch", "tag", "push", "eyes", "rocket", "confused", "base64",
		"*", "**", "v*", "~all", "~default_branch",
	}
}

// pathWords are the words of the forges' API paths and pages.
func pathWords() []string {
	return strings.Fields(`
		api v3 v4 graphql app installations installation access_tokens hook deliveries attempts repositories repos
		contents git ref refs tags tag commits commit compare check-runs check-suites statuses status activity branches protection
		rules rulesets pulls pull reviews files issues comments reactions actions runs jobs job timeline attestations
		collaborators permission users user orgs teams memberships rate_limit meta
		projects repository raw merge_base merge_requests approvals approval_state approval_rules versions diffs changes notes
		award_emoji protected_branches protected_tags members all events pipelines variables hooks version metadata
		personal_access_tokens self blob tree signature environments deployments deployment_protection_rule settings groups -
		heads archive zipball tarball hooks keys labels milestones releases subscribers subscription stargazers forks merges
		languages contributors assignees blobs trees notifications environment latest`)
}

// roles are the names of roles that no organisation made up.
func roles() []string {
	return []string{"none", "read", "triage", "write", "maintain", "admin", "pull", "push"}
}

func isOwnName(s string) bool { return slices.Contains(ownNames(), strings.ToLower(s)) }
