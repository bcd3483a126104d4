// Package gitlab reads releases' evidence from one GitLab instance (self-managed
// or gitlab.com) and tells it what the gate decided.
//
// Sources are named where a fact rests on them: "API docs" is docs.gitlab.com/api,
// "source" is GitLab's own code by file. REST goes through go-gitlab's client
// for authentication, escaping and rate limits, but answers decode into this
// package's own rows: the library's types fail on fields that the gate never reads
// (extended_trailers), and lack fields that it needs (merge_user).
//
// A reading asks one GraphQL query for most of what it needs (look.go) and REST for the
// rest: the history, the list of what was merged, pushes, protections, rights, tags, a
// tier's settings. What the query leaves out, or does not bring back whole, is asked for
// one by one by REST; an instance whose GraphQL knows less costs more calls, nothing else.
//
// GitLab ties a commit to an account only through e-mail addresses, and only
// for the commit's author, in GraphQL. See people.go for what that means.
package gitlab
