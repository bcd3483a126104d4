// Package gitlabtest is a stateful GitLab on a loopback port, for tests and the
// demo. Its people act through [forgetest.World]; the gate talks to it over the
// real REST API (base URL + "/api/v4"), GraphQL ("/api/graphql"), webhooks and
// ID tokens.
//
// It plays a self-managed GitLab 18 of the Free tier; [Options] switches to
// Premium and picks the side of every behaviour that could not be read from a
// primary source. Comments name the source of each behaviour:
//
//   - "API docs": docs.gitlab.com/api
//   - "source": GitLab's own code (MIT), by file, as mirrored at gitlabhq/gitlabhq
//   - "library data": testdata of github.com/xanzy/go-gitlab v0.115.0
//   - "unverified": there is a switch for it, and the tests run both sides
//
// A browser is signed in at /test-login?login=ana, which is the double's own; from there on
// it meets GitLab's pages. An OAuth application of the gate is registered from the start.
//
// Simplifications: a repository's history is a [forgetest.Graph] shared by all
// projects (an object is visible in a project once a ref or merge request of it
// has reached it); merges never conflict; GraphQL query complexity is not counted.
package gitlabtest
