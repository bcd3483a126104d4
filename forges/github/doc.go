// Package github is the gate's adapter for GitHub and GitHub Enterprise Server: it
// proves webhooks, reads evidence as a GitHub App, and posts results.
//
// Sources: "REST API" names GitHub's OpenAPI description
// (github/rest-api-description, version 2022-11-28), "GraphQL" its public GraphQL
// schema. What a call answered is a fact; what it did not is an unknown fact, and a
// 404 means "absent" only where the repository itself answers and the description
// says so.
package github
