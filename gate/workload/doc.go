// Package workload turns the ID token of a CI job into a [gate.Workload], or says
// why not. Everything a decision rests on was signed by an issuer of the
// configuration; what go-oidc leaves open (age, lifetime, several audiences, duplicate
// members, key fetches driven by the sender) is closed here.
//
// Sources: RFC 7515 (JWS), RFC 7519 (JWT), OpenID Connect Discovery 1.0, GitHub's
// "OpenID Connect reference", GitLab's "ID token payload".
package workload
