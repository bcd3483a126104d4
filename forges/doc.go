// Package forges is the HTTP client that the adapters of all forges share. It
// calls configured base URLs only, follows no redirect, bounds every answer,
// repeats a read that met a passing fault a few times, remembers answers by their ETag
// for the credential that got them, and keeps to the forge's rate limits with a part
// reserved for final checks.
package forges
