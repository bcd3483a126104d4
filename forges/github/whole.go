package github

import (
	"encoding/json"
	"fmt"
	"slices"
)

// mayBeNull are the fields asked for whose null says something in GitHub's schema:
// nobody, nothing, never. Any other null is an answer in part, and so is a null in a
// list (attack 74). GitActor's name and email, Ref.target and databaseId may be null by
// the schema too; without them nothing can be told of the rest.
func mayBeNull() []string {
	return []string{
		"actor", "author", "baseRef", "branchProtectionRule", "bypassActors", "checkRuns", "commit", "endCursor", "file", "head",
		"headRepository", "lastEditedAt", "mergeCommit", "mergedAt", "mergedBy", "node", "object", "ours", "parameters", "permissionSources",
		"ref", "repositoryRoleDatabaseId", "requiredApprovingReviewCount", "roleName", "signature", "since", "startCursor", "submittedAt", "tagger", "talk",
		"text", "user",
	}
}

// whole finds a null in a GraphQL answer that says nothing.
func whole(data []byte) error {
	var tree any
	if err := json.Unmarshal(data, &tree); err != nil {
		return err
	}
	return noNull(tree, mayBeNull())
}

func noNull(tree any, allowed []string) error {
	switch x := tree.(type) {
	case map[string]any:
		for k, v := range x {
			if v == nil && !slices.Contains(allowed, k) {
				return fmt.Errorf("%s: null, where there is always an answer", k)
			}
			if err := noNull(v, allowed); err != nil {
				return err
			}
		}
	case []any:
		for _, v := range x {
			if v == nil {
				return fmt.Errorf("null in a list")
			}
			if err := noNull(v, allowed); err != nil {
				return err
			}
		}
	}
	return nil
}
