// Package github is the gate's adapter for GitHub and GitHub Enterprise Server: it
// proves webhooks, reads evidence as a GitHub App, and posts results.
//
// Sources: "REST API" names GitHub's OpenAPI description
// (github/rest-api-description, version 2022-11-28), "GraphQL" its public GraphQL
// schema. What a call answered is a fact; what it did not is an unknown fact, and a
// 404 means "absent" only where the repository itself answers and the description
// says so.
//
// A reading asks GraphQL once for what changes with the repository: ref, commit and the
// history back to the last release, the pull requests that brought it with their commits
// and reviews, the thread, everyone's rights, classic protection, the rules in force. What a
// former reading found of the same range is asked for by name; else the pull requests merged
// last are, on the chance. REST tells the rest: the log of pushes, by ETag, so that looking
// again is free; and whatever GraphQL does not show in full, or not to Apps, which is asked
// of it once an hour (rulesets' bypass lists among it). The log is not asked again
// within an hour while every branch it was read for is at the commit where it was: it says who
// brought what the branch holds, which is the same as long as that is the same.
// Nothing else that is remembered is evidence: it says only where to look, or is of what
// cannot change.
package github
