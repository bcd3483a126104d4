// Package forges is the HTTP client that the adapters of all forges share. It
// calls configured base URLs only, follows no redirect, bounds every answer, and
// repeats a read that met a passing fault a few times.
package forges
