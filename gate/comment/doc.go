// Package comment reads the commands that people write to the gate in PR and MR
// comments:
//
//	command = "/countersign" SP verb [SP code] [SP text]
//	verb    = approve | deny | hold | unhold | withdraw | retry | status | help
//
// A command is the first line of a top-level Markdown paragraph. What somebody
// quotes, lists, fences, hides in HTML or replies to by e-mail is no command, and
// what is nearly one is never carried out: [Hint] says what to write instead.
// Case does not matter in "/countersign", verbs and codes.
package comment
