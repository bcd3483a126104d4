package github

// classicFields asks for a classicNode. Who is no administrator sees null, as where there
// is no rule: REST then has to tell which.
const classicFields = `branchProtectionRule {
      isAdminEnforced allowsForcePushes allowsDeletions requiresLinearHistory requiresConversationResolution
      requiresCommitSignatures lockBranch requiresStatusChecks restrictsPushes requiresApprovingReviews requiredApprovingReviewCount
      pushers: pushAllowances(first: 100) { totalCount nodes { actor ` + allowedFields + ` } }
      bypass: bypassPullRequestAllowances(first: 100) { totalCount nodes { actor ` + allowedFields + ` } }
      forcers: bypassForcePushAllowances(first: 100) { totalCount nodes { actor ` + allowedFields + ` } }
    }`

const allowedFields = `{ __typename ... on User { login } ... on Team { slug } ... on App { slug } }`

// classicNode is GraphQL's type BranchProtectionRule, in part.
type classicNode struct {
	AdminsEnforced bool           `json:"isAdminEnforced"`
	ForcePushes    bool           `json:"allowsForcePushes"`
	Deletions      bool           `json:"allowsDeletions"`
	LinearHistory  bool           `json:"requiresLinearHistory"`
	Conversations  bool           `json:"requiresConversationResolution"`
	Signatures     bool           `json:"requiresCommitSignatures"`
	Lock           bool           `json:"lockBranch"`
	StatusChecks   bool           `json:"requiresStatusChecks"`
	Restricts      bool           `json:"restrictsPushes"`
	PullRequests   bool           `json:"requiresApprovingReviews"`
	Reviews        *int           `json:"requiredApprovingReviewCount"`
	Pushers        *allowanceNode `json:"pushers"`
	Bypass         *allowanceNode `json:"bypass"`
	Forcers        *allowanceNode `json:"forcers"`
}

type allowanceNode struct {
	TotalCount int `json:"totalCount"`
	Nodes      []struct {
		Actor *struct {
			Kind  string `json:"__typename"`
			Login string `json:"login"`
			Slug  string `json:"slug"`
		} `json:"actor"`
	} `json:"nodes"`
}

// lists are the actors as REST shows them; not whole where one is hidden or on a further page.
func (n *allowanceNode) lists() (*actorLists, bool) {
	if n == nil || n.TotalCount != len(n.Nodes) {
		return nil, false
	}
	out := &actorLists{}
	for _, x := range n.Nodes {
		switch {
		case x.Actor == nil:
			return nil, false
		case x.Actor.Kind == "User" && x.Actor.Login != "":
			out.Users = append(out.Users, loginJSON{x.Actor.Login})
		case x.Actor.Kind == "Team" && x.Actor.Slug != "":
			out.Teams = append(out.Teams, slugJSON{x.Actor.Slug})
		case x.Actor.Kind == "App" && x.Actor.Slug != "":
			out.Apps = append(out.Apps, slugJSON{x.Actor.Slug})
		default:
			return nil, false
		}
	}
	return out, true
}

// rest is the rule as REST would show it, and whether GraphQL told all of it. Beyond what
// REST tells, it names who may push by force where nobody else may: that counts as
// allowed (attack 29).
func (n *classicNode) rest() (classicJSON, bool) {
	pushers, all := n.Pushers.lists()
	bypass, also := n.Bypass.lists()
	forcers, too := n.Forcers.lists()
	if !all || !also || !too || n.PullRequests && n.Reviews == nil {
		return classicJSON{}, false
	}
	out := classicJSON{
		EnforceAdmins: &enabled{n.AdminsEnforced}, AllowForcePushes: &enabled{n.ForcePushes || len(forcers.names()) > 0},
		AllowDeletions: &enabled{n.Deletions}, LinearHistory: &enabled{n.LinearHistory}, Conversations: &enabled{n.Conversations},
		Signatures: &enabled{n.Signatures}, Lock: &enabled{n.Lock},
	}
	if n.StatusChecks {
		out.StatusChecks = &struct{}{}
	}
	if n.Restricts {
		out.Restrictions = pushers
	}
	if n.PullRequests {
		out.Reviews = &classicReview{Count: *n.Reviews, Bypass: bypass}
	}
	return out, true
}
