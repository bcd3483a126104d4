package githubtest

// ruleNode is the classic rule that applies to a branch.
type ruleNode struct {
	repo *repository
	*protection
}

// allowance is one actor on one of a rule's lists.
type allowance struct{ actor any }

// classicNode is null where no rule applies, and, as GitHub has it for who is no
// administrator, where the App may not see rules.
func (c *call) classicNode(x refNode) any {
	kind, short := refKind(x.ref)
	rule := x.repo.classic(short)
	if kind != "branch" || rule == nil || !c.token.allows("administration:read") {
		return nil
	}
	return node{"BranchProtectionRule", ruleNode{x.repo, rule}}
}

func ruleFields() map[string]resolver {
	out := map[string]resolver{
		"Ref.branchProtectionRule": func(c *call, of any, _ map[string]any) any { return c.classicNode(of.(refNode)) },
		"App.databaseId":           func(_ *call, of any, _ map[string]any) any { return appNumber(of) },
		"App.id":                   func(_ *call, of any, _ map[string]any) any { return nodeID("A", appNumber(of)) },
		"App.name":                 func(*call, any, map[string]any) any { return appSlug },
		"App.slug":                 func(*call, any, map[string]any) any { return appSlug },
		"Team.databaseId":          func(_ *call, of any, _ map[string]any) any { return of.(*team).id },
		"Team.id":                  func(_ *call, of any, _ map[string]any) any { return nodeID("T", of.(*team).id) },
		"Team.name":                func(_ *call, of any, _ map[string]any) any { return of.(*team).slug },
		"Team.slug":                func(_ *call, of any, _ map[string]any) any { return of.(*team).slug },
	}
	for name, f := range map[string]func(ruleNode) any{
		"allowsDeletions":                func(x ruleNode) any { return x.AllowDeletion },
		"allowsForcePushes":              func(x ruleNode) any { return x.AllowForcePush },
		"blocksCreations":                func(ruleNode) any { return false },
		"databaseId":                     func(x ruleNode) any { return x.id },
		"id":                             func(x ruleNode) any { return nodeID("BPR", x.id) },
		"isAdminEnforced":                func(x ruleNode) any { return !x.AdminsExempt },
		"lockBranch":                     func(x ruleNode) any { return x.Lock },
		"pattern":                        func(x ruleNode) any { return x.pattern },
		"requiredApprovingReviewCount":   func(x ruleNode) any { return x.Reviews },
		"requiresApprovingReviews":       func(x ruleNode) any { return x.pullRequests() },
		"requiresCommitSignatures":       func(ruleNode) any { return false },
		"requiresConversationResolution": func(ruleNode) any { return false },
		"requiresLinearHistory":          func(ruleNode) any { return false },
		"requiresStatusChecks":           func(ruleNode) any { return false },
		"restrictsPushes":                func(x ruleNode) any { return x.Pushers != nil },
	} {
		out["BranchProtectionRule."+name] = func(_ *call, of any, _ map[string]any) any { return f(of.(ruleNode)) }
	}
	for field, list := range map[string]struct {
		kind string
		of   func(ruleNode) Allowed
	}{
		"bypassForcePushAllowances":   {"BypassForcePushAllowance", func(x ruleNode) Allowed { return x.Forcers }},
		"bypassPullRequestAllowances": {"BypassPullRequestAllowance", func(x ruleNode) Allowed { return x.Bypass }},
		"pushAllowances":              {"PushAllowance", ruleNode.pushers},
	} {
		out["BranchProtectionRule."+field] = func(c *call, of any, args map[string]any) any {
			var all []any
			for _, a := range c.actors(of.(ruleNode).repo, list.of(of.(ruleNode))) {
				all = append(all, node{list.kind, allowance{a}})
			}
			return connect(list.kind+"Connection", field, all, args)
		}
		out[list.kind+".actor"] = func(_ *call, of any, _ map[string]any) any { return of.(allowance).actor }
		out[list.kind+".id"] = func(*call, any, map[string]any) any { return nodeID("BPA", 1) }
	}
	return out
}

// appNumber is that of an App by its number, else the gate's own.
func appNumber(of any) int64 {
	if id, is := of.(int64); is {
		return id
	}
	return appID
}

func (x ruleNode) pushers() Allowed {
	if x.Pushers == nil {
		return Allowed{}
	}
	return *x.Pushers
}
